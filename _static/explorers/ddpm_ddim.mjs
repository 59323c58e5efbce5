// The reverse kernel under a microscope: one exact step back from a noisy value, and the normal laws that could replace it.
import {
  announcer, area, button, clamp, curve, disc, explorer, fixed, follow, handle, hash, html, key, line, linspace, number,
  player, rgb, scale, segmented, setter, slider, stage, text, ticks, xorshift32,
} from "./common.mjs";

// Plain JSON: utils.explorers reads it too.
export const defaults = {"x": 0.2, "st": 1, "ratio": 0.5, "seed": 1, "view": "whole axis"};

// Data: 0.3 N(-1, 0.2^2) + 0.7 N(1, 0.2^2).
const WEIGHTS = [0.3, 0.7], MODES = [-1, 1], VAR = 0.04;
const LIMITS = { x: [-2.6, 2.6], st: [0.1, 4], ratio: [0.05, 0.98] };
const COLOURS = ["--ex-second", "--ex-arm", "--ex-fourth"], CHOICES = ["small β̃", "large β", "exact variance"];
const NAMES = ["small", "large"], CLOSE = 0.02; // nats

const normal = (x, m, v) => Math.exp(-((x - m) ** 2) / (2 * v)) / Math.sqrt(2 * Math.PI * v);
const mixture = (x, weights, means, v) => weights.reduce((sum, w, k) => sum + w * normal(x, means[k], v), 0);

/** Density of the data blurred by noise of level sigma. */
export const noisyDensity = (x, sigma) => mixture(x, WEIGHTS, MODES, VAR + sigma * sigma);

/** Law of x_0 given x_t = x at level st: weights r, means m, variance v of its two parts; its mean and variance. */
export function posterior(x, st) {
  const V = VAR + st * st, logs = WEIGHTS.map((w, k) => Math.log(w) - (x - MODES[k]) ** 2 / (2 * V));
  const top = Math.max(...logs), mass = logs.map((l) => Math.exp(l - top)), total = mass[0] + mass[1];
  const r = mass.map((w) => w / total), m = MODES.map((c) => c + (VAR / V) * (x - c)), v = VAR * st * st / V;
  const mean = r[0] * m[0] + r[1] * m[1];
  return { r, m, v, mean, variance: v + r[0] * r[1] * (m[1] - m[0]) ** 2 };
}

/** The exact step from level st to ss: a mixture (r, means, v) with its mean, and the three variances. */
export function kernel(x, st, ss) {
  const { r, m, v, mean, variance } = posterior(x, st), rho = (ss / st) ** 2, small = ss * ss * (1 - rho);
  return {
    r, means: m.map((c) => rho * x + (1 - rho) * c), v: small + (1 - rho) ** 2 * v, mean: rho * x + (1 - rho) * mean,
    variances: [small, (st * st - ss * ss) * (1 + ss * ss) / (1 + st * st), small + (1 - rho) ** 2 * variance],
  };
}

/** KL in nats from the exact step to the normal laws with its mean and the three variances; by Simpson's rule. */
export function prices(x, st, ss) {
  const { r, means, v, mean, variances } = kernel(x, st, ss), n = 2000, sd = Math.sqrt(v);
  const low = Math.min(...means) - 9 * sd, h = (Math.max(...means) + 9 * sd - low) / n;
  let negentropy = 0;
  for (let i = 0; i <= n; i++) {
    const q = mixture(low + i * h, r, means, v);
    if (q > 0) negentropy += (i === 0 || i === n ? 1 : i % 2 ? 4 : 2) * q * Math.log(q) * h / 3;
  }
  return variances.map((V) => Math.max(0, negentropy + (Math.log(2 * Math.PI * V) + variances[2] / V) / 2));
}

/** What there is to see, in words: which of the normal laws are close to the exact step, by their prices. */
export function verdict(x, st, ss) {
  const { r, variances } = kernel(x, st, ss), cost = prices(x, st, ss);
  if (cost[2] > CLOSE) return "The exact step is a mixture from two pictures, and no normal law has its shape, whatever the variance.";
  const off = [0, 1].filter((i) => cost[i] > CLOSE)
    .map((i) => `the ${NAMES[i]} variance is ${fixed(variances[i] / variances[2])} times`);
  if (off.length) {
    return `Nearly normal, but ${off.join(" and ")} the exact one. The ${NAMES[cost[0] < cost[1] ? 0 : 1]} one is cheaper.`;
  }
  return Math.min(...r) > 0.05 ? "Two pictures are possible, yet so short a step is nearly normal: all three bells are close."
    : "One picture is almost surely behind this value, and all three bells are close.";
}

/** Density of the noise given x_t = x. */
export function noiseDensity(e, x, st) {
  const { r, m, v } = posterior(x, st);
  return mixture(x - st * e, r, m, v) * st;
}

/** Exact steps: where each of `count` particles lands and which mode it came from. */
export function draws(seed, count, x, st, ss) {
  const uniform = xorshift32(hash(seed, 0)), { r, m, v } = posterior(x, st), rho = (ss / st) ** 2;
  const gauss = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return Array.from({ length: count }, () => {
    const k = uniform() < r[0] ? 0 : 1, x0 = m[k] + Math.sqrt(v) * gauss();
    return { k, to: rho * x + (1 - rho) * x0 + ss * Math.sqrt(1 - rho) * gauss(), wobble: uniform() - 0.5 };
  });
}

const VIEWS = ["whole axis", "close up"];
/** Digits after the point that the ticks need. */
const digits = (marks) => Math.max(0, ...marks.map((v) => (String(v).split(".")[1] ?? "").length));

const COUNT = 600, FALL = 1100, LENGTH = 6500, BINS = 48, REACH = 3.4, NOISE = 3.4;
// Css pixels: the noisy law, the fall, the exact step, the noise below.
const SKY = 26, TOP = 92, FLOOR = 338, PEAK = 186, DEEP = 470, CREST = 396, HEIGHT = 492, LEFT = 8;

function render({ model, el }) {
  let x, st, ratio, seed, view, points, tops, ink;
  const put = setter(model);
  const dials = {
    x: slider({ label: "value x̂ₜ", min: LIMITS.x[0], max: LIMITS.x[1], step: 0.01, format: fixed,
      onInput: (v) => put({ x: v }) }),
    st: slider({ label: "level σₜ", min: Math.log(LIMITS.st[0]), max: Math.log(LIMITS.st[1]), step: 0.001,
      format: (v) => fixed(Math.exp(v)), onInput: (v) => put({ st: clamp(Math.exp(v), LIMITS.st) }) }),
    ratio: slider({ label: "σₛ/σₜ", min: LIMITS.ratio[0], max: LIMITS.ratio[1], step: 0.01, format: fixed,
      onInput: (v) => put({ ratio: v }) }),
  };
  const look = segmented({ label: "View of the step", options: VIEWS, onChange: (v) => put({ view: v }) });
  const fresh = button({ icon: "New", text: "New draws", onClick: () => put({ seed: seed + 1 }) });
  const board = stage({ height: HEIGHT, onResize: layout });
  const film = player(board.el, { length: LENGTH, paint });
  const across = () => scale(-REACH, REACH, LEFT, board.width - LEFT);
  // The exact step: on the axis of the noisy value, or four standard deviations around its mean.
  const span = () => {
    const { mean, variances } = kernel(x, st, ratio * st), wide = 4 * Math.sqrt(variances[2]);
    return view === VIEWS[1] ? [mean - wide, mean + wide] : [-REACH, REACH];
  };
  const near = () => scale(...span(), LEFT, board.width - LEFT);
  const sky = () => scale(0, 1.08 * Math.max(...linspace(-REACH, REACH, 201).map((v) => noisyDensity(v, st))), TOP, SKY);
  const ring = handle({
    label: "Noisy value", at: () => [across()(x), sky()(noisyDensity(x, st))], size: () => [board.width, TOP],
    describe: () => `x̂ₜ = ${fixed(x)}`,
    onMove: (px) => put({ x: clamp(Math.round(100 * scale(LEFT, board.width - LEFT, -REACH, REACH)(px)) / 100, LIMITS.x) }),
  });
  board.el.append(ring.el);
  const rows = CHOICES.map((name, i) => {
    const cells = [1, 2].map(() => html("td", {})), mark = key("line", name);
    mark.style.color = `var(${COLOURS[i]})`;
    return { cells, el: html("tr", {}, html("th", { scope: "row" }, html("span", { class: "ex-swatch", style: `background:var(${COLOURS[i]})` }), name), ...cells) };
  });
  const heads = ["normal law", "variance", "KL (nats)"].map((head) => html("th", { scope: "col" }, head));
  const table = html("table", { class: "ex-estimators" }, html("thead", {}, html("tr", {}, ...heads)),
    html("tbody", {}, ...rows.map((row) => row.el)));
  const caption = html("p", { class: "ex-caption ex-words" }), voice = announcer();
  explorer(
    el, html("div", { class: "ex-controls ex-row" }, ...Object.values(dials).map((d) => d.el)), board.el,
    html("div", { class: "ex-buttons" }, look.el), html("div", { class: "ex-lab" }, table, html("div", { class: "ex-buttons" }, film.el, fresh.el)), caption, voice.el);

  const landed = () => (film.clock === LENGTH ? COUNT : points.filter((_, i) => film.clock >= (i / COUNT) * (LENGTH - FALL) + FALL).length);

  function layout() {
    if (!board.width || !points) return;
    const X = across(), S = sky(), at = kernel(x, st, ratio * st), whole = linspace(-REACH, REACH, 421);
    const M = near(), [from, to] = span(), fine = linspace(from, to, 421), every = ticks(from, to, view === VIEWS[1] ? 4 : 6);
    const exact = fine.map((v) => mixture(v, at.r, at.means, at.v));
    const bells = at.variances.map((V) => fine.map((v) => normal(v, at.mean, V)));
    // A very narrow bell may be cut off: the area must stay readable.
    tops = 1.12 * Math.max(...exact, ...bells[1], ...bells[2], Math.min(Math.max(...bells[0]), 1.7 * Math.max(...exact)));
    const Y = scale(0, tops, FLOOR, PEAK), E = scale(-NOISE, NOISE, LEFT, board.width - LEFT);
    const noises = linspace(-NOISE, NOISE, 421), seen = noises.map((e) => noiseDensity(e, x, st));
    const N = scale(0, Math.max(0.42, 1.08 * Math.min(Math.max(...seen), 1.6)), DEEP, CREST);
    const bell = (ys, i) => {
      const path = curve(fine.map((v, j) => [M(v), Math.max(PEAK - 14, Y(ys[j]))]));
      path.setAttribute("style", `stroke:var(${COLOURS[i]});stroke-width:2`);
      return path;
    };
    const believed = (x - posterior(x, st).mean) / st, mean = line("zero ex-mean", E(believed), CREST - 4, E(believed), DEEP);
    const outline = curve(noises.map((e, i) => [E(e), Math.max(CREST - 12, N(seen[i]))]));
    outline.setAttribute("style", "stroke:var(--ex-accent);stroke-width:2");
    board.svg.replaceChildren(
      area(whole.map((v) => [X(v), S(noisyDensity(v, st))]), TOP),
      line("axis", LEFT, TOP, board.width - LEFT, TOP), line("zero", X(x), S(noisyDensity(x, st)), X(x), TOP),
      text("x̂ₜ, noisy", LEFT, SKY - 12, "start"),
      area(fine.map((v, i) => [M(v), Y(exact[i])]), FLOOR, "exact-law"), ...[2, 1, 0].map((i) => bell(bells[i], i)),
      line("axis", LEFT, FLOOR, board.width - LEFT, FLOOR),
      ...every.map((v) => text(fixed(v, digits(every)), M(v), FLOOR + 15)),
      text("x̂ₛ, one step back", LEFT, PEAK - 8, "start"),
      area(noises.map((e) => [E(e), N(normal(e, 0, 1))]), DEEP), outline, mean,
      line("axis", LEFT, DEEP, board.width - LEFT, DEEP),
      ...ticks(-NOISE, NOISE, 6, 1).map((v) => text(fixed(v, 0), E(v), DEEP + 14)),
      text("noise ε given x̂ₜ, its mean, and N(0, 1)", LEFT, CREST - 18, "start"));
    ink = `rgb(${rgb(el, "--ex-accent")})`;
    ring.refresh();
    paint();
  }

  function paint() {
    if (!board.width || !points) return;
    const { pen } = board, X = across(), M = near(), [from, to] = span(), Y = scale(0, tops, FLOOR, PEAK), count = landed(), counts = new Array(BINS).fill(0);
    pen.clearRect(0, 0, board.width, HEIGHT);
    let last = 0;
    points.forEach(({ to: end, wobble }, i) => {
      const born = (i / COUNT) * (LENGTH - FALL), t = film.clock === LENGTH ? 1 : (film.clock - born) / FALL;
      if (t >= 1) {
        const bin = Math.floor(BINS * (end - from) / (to - from));
        if (bin >= 0 && bin < BINS) counts[bin]++;
        last = end;
        return;
      }
      if (t <= 0) return;
      // Down like a stone, sideways as a bridge: from x_t to where the draw says, with a wobble that is 0 at both ends.
      const side = X(x) + (M(end) - X(x)) * t + wobble * Math.sin(Math.PI * t) * (X(0.5) - X(0)), y = TOP + (FLOOR - TOP) * t * t;
      disc(pen, [side, y], 2.2, ink, 0.75);
    });
    pen.globalAlpha = 0.4;
    pen.fillStyle = ink;
    const width = (board.width - 2 * LEFT) / BINS, unit = BINS / ((to - from) * COUNT);
    // Each landed dot is worth 1/COUNT: the bars grow into the area.
    counts.forEach((c, i) => {
      if (!c) return;
      const y = Math.max(PEAK - 14, Y(c * unit));
      pen.fillRect(LEFT + i * width + 0.5, y, width - 1, FLOOR - y);
    });
    board.el.setAttribute("data-share", (count / COUNT).toFixed(3));
    board.el.setAttribute("data-last", last.toFixed(3));
  }

  function words() {
    const ss = ratio * st, at = kernel(x, st, ss), cost = prices(x, st, ss);
    rows.forEach(({ cells }, i) => {
      cells[0].textContent = number(at.variances[i]);
      cells[1].textContent = cost[i] < 5e-7 ? "0" : number(cost[i]);
    });
    return verdict(x, st, ss);
  }

  function change() {
    const old = seed, given = (name) => clamp(Number(model.get(name)), LIMITS[name]);
    [x, st, ratio, seed, view] = [given("x"), given("st"), given("ratio"), model.get("seed"), model.get("view")];
    if (seed !== old) film.restart();
    points = draws(seed, COUNT, x, st, ratio * st);
    for (const [name, value] of Object.entries({ x, st: Math.log(st), ratio })) dials[name].set(value);
    look.set(view);
    const said = words();
    caption.textContent = said;
    board.svg.setAttribute("aria-label", `From the noisy value ${fixed(x)} at noise level ${fixed(st)} one step back to level `
      + `${fixed(ratio * st)}: the exact law, and three normal laws. ${said}`);
    layout();
    film.refresh();
    if (old !== undefined) voice.say(said);
  }
  return follow(model, defaults, { change, redraw: layout, parts: [film, board, voice] });
}

export default { render };
