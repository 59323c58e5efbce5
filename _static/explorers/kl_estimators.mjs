// KL estimator lab: four running means of estimates of KL(q || p), q = N(0, 1), p = N(m, s^2), with their exact bias and spread.
import {
  announcer, area, button, clamp, clip, curve, disc, explorer, fixed, follow, gaussian, handle, hash, html, key, line,
  linspace, number, player, scale, setter, slider, stage, svg, text, ticks, trace, xAxis, xorshift32, yAxis,
} from "./common.mjs";

// Plain JSON: utils.explorers reads it too.
export const defaults = {"m": 0.8, "s": 1, "n": 1000, "lam": 0.5, "seed": 1};

export const NAMES = ["k₁", "k₂", "k₃", "kλ"];
const COLOURS = ["--ex-second", "--ex-arm", "--ex-accent", "--ex-fourth"], MOST = 10000;
const LIMITS = { m: [-3, 3], s: [0.4, 2], n: [10, MOST], lam: [0, 3] };

/** KL(N(mq, sq^2) || N(mp, sp^2)) in nats. */
export function gaussianKl(mq, sq, mp, sp) {
  const t = sq / sp;
  return (t * t - 1) / 2 - Math.log(t) + ((mq - mp) / sp) ** 2 / 2;
}

/** Exact bias of k2 and variances of one sample; chi2 and var3 are infinite from s^2 = 2 on. */
export function moments(m, s) {
  const kl = gaussianKl(0, 1, m, s), klForward = gaussianKl(m, s, 0, 1), both = kl + klForward, gap = 2 - s * s;
  const a = (1 - s ** -2) / 2, b = m / (s * s); // log r = a x^2 + b x + c
  const kappa2 = 2 * a * a + b * b, kappa3 = 8 * a ** 3 + 6 * a * b * b, kappa4 = 48 * a ** 4 + 48 * a * a * b * b;
  const chi2 = gap > 0 ? Math.expm1((m * m) / gap - Math.log(s) - Math.log(gap) / 2) : Infinity;
  const lam = chi2 === 0 ? 1 : both / chi2;
  return {
    kl, klForward, chi2, lam, bias2: (kl * kl + kappa2) / 2 - kl, var1: kappa2,
    var2: (kappa4 - 4 * kl * kappa3 + 2 * kappa2 ** 2 + 4 * kl * kl * kappa2) / 4,
    var3: Math.max(0, chi2 + kappa2 - 2 * both), varLam: Math.max(0, kappa2 - lam * both),
  };
}

/** Bias and standard deviation of one sample of k1, k2, k3, k_lambda, in units of KL. */
export function quality(m, s, lam) {
  const { kl, klForward, chi2, bias2, var1, var2, var3 } = moments(m, s);
  const varLambda = lam === 0 ? var1 : var1 - 2 * lam * (kl + klForward) + lam * lam * chi2;
  return [[0, var1], [bias2, var2], [0, var3], [0, Math.max(0, varLambda)]]
    .map(([bias, variance]) => ({ bias: bias / kl, sd: Math.sqrt(variance) / kl }));
}

/** Which of k1, k2, k3 has the least root mean square error over n samples: 0, 1 or 2. */
export function winner(m, s, n) {
  const errors = quality(m, s, 1).slice(0, 3).map(({ bias, sd }) => Math.hypot(bias, sd / Math.sqrt(n)));
  return errors.indexOf(Math.min(...errors));
}

/** exp(x) - 1 - x without cancellation. */
export function remainder(x) {
  if (Math.abs(x) >= 0.3) return Math.expm1(x) - x;
  let series = 1;
  for (let n = 15; n > 2; n--) series = 1 + (x / n) * series;
  return (x * x / 2) * series;
}

/** The four estimates from one log r. */
export function estimates(logr, lam) {
  const k3 = remainder(logr);
  return [-logr, logr * logr / 2, k3, lam * k3 - (1 - lam) * logr];
}

/** Standard normal numbers of a seed. */
export const normals = (seed, count) => Float64Array.from({ length: count }, gaussian(xorshift32(hash(seed, 0))));

/** Running means of the four estimates, in nats, after each sample. */
export function race(x, m, s, lam) {
  const sums = [0, 0, 0, 0], runs = sums.map(() => new Float64Array(x.length));
  for (let i = 0; i < x.length; i++) {
    const logr = x[i] * x[i] / 2 - ((x[i] - m) / s) ** 2 / 2 - Math.log(s);
    estimates(logr, lam).forEach((value, j) => { runs[j][i] = (sums[j] += value) / (i + 1); });
  }
  return runs;
}

const density = (x, m, s) => Math.exp(-(((x - m) / s) ** 2) / 2) / (s * Math.sqrt(2 * Math.PI));
const LENGTH = 9000, REACH = 5.4;
// Css pixels: the densities above, the race below, exact intervals in a gutter at its right.
const HILL = 26, GROUND = 156, TOP = 204, FLOOR = 420, HEIGHT = 464, LEFT = 36, GUTTER = 84, LOW = 0, HIGH = 2;

function render({ model, el }) {
  let m, s, n, lam, seed, x, runs, exact, truth, places;
  const put = setter(model);
  const dial = (label, name, step, format) => slider({
    label, min: LIMITS[name][0], max: LIMITS[name][1], step, format, onInput: (value) => put({ [name]: value }) });
  const dials = {
    m: dial("mean m of p", "m", 0.01, fixed), s: dial("width s of p", "s", 0.01, fixed),
    n: slider({ label: "samples n", min: 1, max: 4, step: 0.05, format: (v) => Math.round(10 ** v),
      onInput: (v) => put({ n: Math.round(10 ** v) }) }),
    lam: dial("coefficient λ", "lam", 0.01, fixed),
  };
  const fresh = button({ icon: "New", text: "New samples", onClick: () => put({ seed: seed + 1 }) });
  const board = stage({ height: HEIGHT, onResize: layout });
  const film = player(board.el, { length: LENGTH, paint });
  const size = () => [board.width, GROUND];
  const across = () => scale(-REACH, REACH, 6, board.width - 6);
  const value = (px) => -REACH + ((px - 6) / (board.width - 12)) * 2 * REACH;
  const hill = () => scale(0, 1.08 * Math.max(density(0, 0, 1), density(0, 0, s)), GROUND, HILL);
  const round = (v) => Math.round(100 * v) / 100;
  const mean = handle({
    label: "Mean of p", at: () => [across()(m), hill()(density(m, m, s))], size, describe: () => `mean ${fixed(m)}`,
    onMove: (px) => put({ m: clamp(round(value(px)), LIMITS.m) }),
  });
  const flank = handle({
    label: "Flank of p", kind: "square", at: () => [across()(m + s), hill()(density(s, 0, s))], size,
    describe: () => `width ${fixed(s)}`, onMove: (px) => put({ s: clamp(round(value(px) - m), LIMITS.s) }),
  });
  board.el.append(mean.el, flank.el);
  const rows = NAMES.map((name, i) => {
    const cells = [1, 2, 3].map(() => html("td", {})), mark = key("dot", name);
    if (i) mark.style.setProperty("--ex-second", `var(${COLOURS[i]})`);
    return { cells, el: html("tr", {}, html("th", { scope: "row" }, mark), ...cells) };
  });
  const heads = ["", "bias / KL", "sd / KL", "now / KL"].map((head) => html("th", { scope: "col" }, head));
  const table = html("table", { class: "ex-estimators" }, html("thead", {}, html("tr", {}, ...heads)),
    html("tbody", {}, ...rows.map((row) => row.el)));
  const badge = html("span", { class: "ex-badge" }), why = html("span", {}), voice = announcer();
  const caption = html("p", { class: "ex-caption ex-words" });
  explorer(
    el, html("div", { class: "ex-controls ex-controls-pairs" }, ...Object.values(dials).map((d) => d.el)), board.el,
    html("div", { class: "ex-lab" }, table, html("div", { class: "ex-buttons" }, film.el, fresh.el)),
    html("div", { class: "ex-verdict" }, badge, why), caption, voice.el);

  const shown = () => clamp(Math.floor(n ** (0.3 + 0.7 * film.clock / LENGTH) + 1e-9), [1, n]);
  const right = () => board.width - GUTTER;
  const height = scale(LOW, HIGH, FLOOR, TOP), inside = (v) => clamp(v, [LOW, HIGH]);
  const time = () => scale(0, Math.log(n), LEFT, right());

  function layout() {
    if (!board.width) return;
    const X = across(), Y = hill(), T = time(), gutter = (i) => right() + 16 + 16 * i;
    const hillOf = (mean, width) => linspace(-REACH, REACH, 161).map((v) => [X(v), Y(density(v, mean, width))]);
    const box = { left: LEFT, right: right(), top: TOP, bottom: FLOOR };
    const decades = [1, 10, 100, 1000, 10000].filter((v) => v <= n * 1.001);
    const intervals = exact.flatMap(({ bias, sd }, i) => {
      const at = gutter(i), half = sd / Math.sqrt(n), style = `stroke:var(${COLOURS[i]})`;
      const bar = (from, to, kind) => {
        const mark = line(kind, at, height(inside(from)), at, height(inside(to)));
        mark.setAttribute("style", style);
        return mark;
      };
      if (!Number.isFinite(half)) return [bar(LOW, HIGH - 0.2, "spread ex-endless"), text("∞", at, height(HIGH) + 8)];
      if (1 + bias - half > HIGH) return [text("↑", at, height(HIGH) + 8)];
      const dot = svg("circle", { class: "ex-exact", cx: at, cy: height(inside(1 + bias)), r: 4, style: `fill:var(${COLOURS[i]})` });
      return [bar(1 + bias - half, 1 + bias + half, "spread"), dot];
    });
    places = truth > 1e-12 ? NAMES.map((_, i) => svg("circle", {
      class: "ex-leader", r: 4.5, style: `fill:var(${COLOURS[i]})`, "data-name": NAMES[i] })) : [];
    board.svg.replaceChildren(
      area(hillOf(0, 1), GROUND), curve(hillOf(m, s)),
      line("axis", 6, GROUND, board.width - 6, GROUND), ...ticks(-REACH, REACH, 6, 1).map((v) => text(fixed(v, 0), X(v), GROUND + 15)),
      text("q", X(-1.25), Y(density(1.25, 0, 1)) - 9, "end"), text("p", X(m), Y(density(0, 0, s)) - 17),
      ...xAxis(decades.map((v) => [v, v]), (v) => T(Math.log(v)), box), text("samples", (LEFT + right()) / 2, FLOOR + 36),
      ...yAxis([0, 0.5, 1, 1.5, 2].map((v) => [v, v]), height, box), text("running mean / KL", 0, TOP - 16, "start"),
      text("exact ± sd", board.width, TOP - 16, "end"), line("zero", LEFT, height(1), board.width, height(1)),
      ...intervals, ...places, line("axis", LEFT, FLOOR, right(), FLOOR));
    mean.refresh();
    flank.refresh();
    paint();
  }

  function paint() {
    if (!board.width || !runs) return;
    const { pen } = board, style = getComputedStyle(el), count = shown(), X = across(), T = time();
    pen.clearRect(0, 0, board.width, HEIGHT);
    for (let i = Math.max(0, count - 400); i < count; i++) {
      const px = X(clamp(x[i], [-REACH, REACH]));
      trace(pen, [[px, GROUND], [px, GROUND - 7]], style.color, 1, i === count - 1 ? 1 : 0.16);
    }
    if (count < n) disc(pen, [X(x[count - 1]), GROUND - 7], 3.5, style.color, 1);
    rows.forEach(({ cells }, i) => { cells[2].textContent = truth > 1e-12 ? fixed(runs[i][count - 1] / truth) : "–"; });
    if (truth <= 1e-12) return;
    clip(pen, LEFT, TOP, right() - LEFT + 6, FLOOR - TOP);
    const points = 3 * (right() - LEFT), seen = new Set([0, count - 1]);
    for (let j = 0; j <= points; j++) {
      const i = Math.round(n ** (j / points)) - 1;
      if (i < count) seen.add(i);
    }
    const order = [...seen].sort((a, b) => a - b);
    [3, 1, 0, 2].forEach((i) => trace(pen, order.map((k) => [T(Math.log(k + 1)), height(clamp(runs[i][k] / truth, [-9, 9]))]),
      style.getPropertyValue(COLOURS[i]), i === 3 ? 1.25 : 2, i === 3 ? 0.85 : 1));
    pen.restore();
    places.forEach((place, i) => {
      const now = runs[i][count - 1] / truth;
      place.setAttribute("cx", T(Math.log(count)));
      place.setAttribute("cy", height(inside(now)));
      place.setAttribute("data-share", now);
    });
  }

  function words() {
    const at = moments(m, s), plain = (v) => (v === 0 ? "0" : Number.isFinite(v) ? number(v) : "∞");
    rows.forEach(({ cells }, i) => {
      const none = truth <= 1e-12;
      cells[0].textContent = none ? "–" : plain(exact[i].bias);
      cells[1].textContent = none ? "–" : plain(exact[i].sd);
      cells[1].classList.toggle("ex-endless", exact[i].sd === Infinity);
    });
    if (truth <= 1e-12) {
      badge.textContent = "q = p";
      why.textContent = "There is nothing to estimate.";
      caption.textContent = "Pull p away from q.";
      return "q equals p.";
    }
    const best = winner(m, s, n), endless = at.var3 === Infinity, tie = Math.abs(at.lam - 0.5) < 0.01;
    badge.textContent = tie && best !== 1 ? "k₁ and k₃ tie" : `${NAMES[best]} wins`;
    badge.classList.toggle("ex-alarm", endless);
    why.textContent = `least error over ${n} samples. KL = ${number(truth)}, best λ = ${at.lam === 0 ? "0" : number(at.lam)}`;
    caption.textContent = endless
      ? "p is more than √2 times as wide as q: the variance of k₃ is infinite. Its mean can stay low for long, until a rare sample lifts it."
      : tie ? "The best λ is ½: k₁ and k₃ are equally noisy."
        : at.lam > 0.5 ? "χ² < 2 (KL + KL of the other direction): k₃ is quieter than k₁."
          + (exact[1].bias > 0.1 || exact[1].bias < -0.1 ? " k₂ settles beside the truth." : "")
          : "χ² > 2 (KL + KL of the other direction): k₁ is quieter than k₃, and a small λ is best.";
    return `m = ${fixed(m)}, s = ${fixed(s)}. ${badge.textContent}, ${why.textContent}. ${caption.textContent}`;
  }

  function change() {
    const old = seed, given = (name) => clamp(Number(model.get(name)), LIMITS[name]);
    [m, s, n, lam, seed] = [given("m"), given("s"), Math.round(given("n")), given("lam"), model.get("seed")];
    if (seed !== old) {
      film.restart();
      x = normals(seed, MOST);
    }
    truth = moments(m, s).kl;
    exact = quality(m, s, lam);
    runs = race(x, m, s, lam);
    for (const [name, value] of Object.entries({ m, s, n: Math.log10(n), lam })) dials[name].set(value);
    const said = words();
    board.svg.setAttribute("aria-label", `The densities of q and p, and running means of four estimators over ${n} samples, in `
      + `units of the true divergence ${number(truth)}. ${said}`);
    layout();
    film.refresh();
    if (old !== undefined) voice.say(said);
  }
  return follow(model, defaults, { change, redraw: layout, parts: [film, board, voice] });
}

export default { render };
