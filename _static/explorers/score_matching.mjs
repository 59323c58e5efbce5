// What denoising score matching sees: noisy targets on one line for each data point, and the regression that finds the score.
import {
  announcer, area, button, clamp, clip, curve, explorer, fixed, follow, handle, hash, html, key, line, linspace, number,
  player, scale, setter, slider, stage, svg, text, ticks, trace, xAxis, xorshift32, yAxis,
} from "./common.mjs";

// Plain JSON: utils.explorers reads it too.
export const defaults = {"sigma": 0.3, "n": 3000, "points": [-1, -0.8, 0.9, 1.1], "seed": 1};

const COLOURS = ["--ex-accent", "--ex-second", "--ex-arm", "--ex-fourth"], MOST = 10000, REACH = 2.6;
const LIMITS = { sigma: [0.1, 1.2], n: [32, MOST] };

/** Probability that the noisy point x came from each data point. */
export function responsibilities(x, points, sigma) {
  const logs = points.map((m) => -(((x - m) / sigma) ** 2) / 2), top = Math.max(...logs);
  const weights = logs.map((l) => Math.exp(l - top)), sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((w) => w / sum);
}

/** Score of the blurred data: the mean of the targets at x. */
export function score(x, points, sigma) {
  const r = responsibilities(x, points, sigma);
  return points.reduce((mean, m, i) => mean + r[i] * (m - x), 0) / (sigma * sigma);
}

/** Density of the blurred data. */
export function density(x, points, sigma) {
  const bumps = points.map((m) => Math.exp(-(((x - m) / sigma) ** 2) / 2));
  return bumps.reduce((a, b) => a + b, 0) / (points.length * sigma * Math.sqrt(2 * Math.PI));
}

/** Which data point, and what noise: standard normal numbers (Box and Muller) of a seed. */
export function noise(seed, count, size) {
  const uniform = xorshift32(hash(seed, 0)), which = [], eps = [];
  for (let i = 0; i < count; i++) {
    which.push(Math.floor(size * uniform()));
    eps.push(Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()));
  }
  return { which, eps };
}

/** Width of the regression's bins. */
export const binWidth = (sigma) => sigma / 4;

/** Mean target in each bin over the first `count` draws; null where there are none. Bin k is [k h, k h + h). */
export function regression({ which, eps }, points, sigma, count) {
  const h = binWidth(sigma), first = Math.floor((Math.min(...points) - 5 * sigma) / h);
  const size = Math.ceil((Math.max(...points) + 5 * sigma) / h) - first;
  const sums = new Float64Array(size), counts = new Float64Array(size);
  for (let i = 0; i < count; i++) {
    const k = Math.floor((points[which[i]] + sigma * eps[i]) / h) - first;
    if (k < 0 || k >= size) continue;
    sums[k] -= eps[i] / sigma;
    counts[k]++;
  }
  return { first, h, means: Array.from(sums, (sum, k) => (counts[k] ? sum / counts[k] : null)) };
}

/** The regression at x: means joined by lines from the middle of one bin to the next, 0 where nothing was seen. */
export function predict({ first, h, means }, x) {
  const at = x / h - 0.5 - first, k = Math.floor(at), t = at - k, [a, b] = [means[k] ?? null, means[k + 1] ?? null];
  if (a !== null && b !== null) return (1 - t) * a + t * b;
  return (t < 0.5 ? a : b) ?? 0;
}

/** Mean loss of the regression, split: what training can still remove, and half the mean conditional variance of the target. */
export function split(fit, points, sigma) {
  let excess = 0, fisher = 0;
  const { first, h, means } = fit, inner = 4, dx = h / inner;
  for (let k = 0; k < means.length; k++) {
    for (let j = 0; j < inner; j++) {
      const x = (first + k) * h + (j + 0.5) * dx, s = score(x, points, sigma), mass = density(x, points, sigma) * dx;
      excess += (mass * (predict(fit, x) - s) ** 2) / 2;
      fisher += mass * s * s;
    }
  }
  return { excess, irreducible: (sigma ** -2 - fisher) / 2 };
}

const LENGTH = 7000;
// Css pixels: the density and its handles above, targets below, the loss as a bar at the foot.
const HILL = 14, GROUND = 118, TOP = 176, FLOOR = 420, BAR = 466, HEIGHT = 496, LEFT = 36;

function render({ model, el }) {
  let points, sigma, n, seed, draws, bars = [];
  const put = setter(model);
  const dials = {
    sigma: slider({ label: "noise level σ", min: LIMITS.sigma[0], max: LIMITS.sigma[1], step: 0.01, format: fixed,
      onInput: (value) => put({ sigma: value }) }),
    n: slider({ label: "noise draws n", min: 1.5, max: Math.log10(MOST), step: 0.01,
      format: (v) => String(Math.round(10 ** v)), onInput: (value) => put({ n: Math.round(10 ** value) }) }),
  };
  const fresh = button({ icon: "New", text: "New draws", onClick: () => put({ seed: seed + 1 }) });
  const board = stage({ height: HEIGHT, onResize() { layout(); words(); } });
  const film = player(board.el, { length: LENGTH, paint, redraw: words });
  const across = () => scale(-REACH, REACH, LEFT, board.width - 6);
  const value = (px) => -REACH + ((px - LEFT) / (board.width - 6 - LEFT)) * 2 * REACH;
  const grips = defaults.points.map((_, i) => {
    const grip = handle({
      label: `Point ${i + 1}`, at: () => [across()(points[i]), GROUND], size: () => [board.width, GROUND + 20],
      describe: () => fixed(points[i]),
      onMove: (px) => put({ points: points.map((m, j) => (j === i ? clamp(Math.round(100 * value(px)) / 100, [-2.2, 2.2]) : m)) }),
    });
    grip.el.style.color = `var(${COLOURS[i]})`;
    return grip;
  });
  board.el.append(...grips.map((grip) => grip.el));
  const verdict = html("p", { class: "ex-verdict ex-loss" }), voice = announcer();
  const caption = html("p", { class: "ex-caption ex-words" });
  explorer(
    el, html("div", { class: "ex-controls" }, dials.sigma.el, dials.n.el, html("div", { class: "ex-buttons" }, film.el, fresh.el)),
    board.el,
    html("div", { class: "ex-legend" }, key("dot", "training pair, in the colour of its data point"),
      key("line", "regression"), key("line ex-absent", "exact score")),
    verdict, caption, voice.el);

  const shown = () => clamp(Math.round(n * (film.clock / LENGTH) ** 2), [1, n]);
  const limit = () => 3.4 / sigma;
  const height = () => scale(-limit(), limit(), FLOOR, TOP);

  function layout() {
    if (!board.width) return;
    const X = across(), Y = height(), top = limit(), at = linspace(-REACH, REACH, 261);
    const peak = Math.max(...at.map((x) => density(x, points, sigma))), hill = scale(0, peak, GROUND, HILL);
    const box = { left: LEFT, right: board.width - 6, top: TOP, bottom: FLOOR };
    const marks = ticks(-REACH, REACH, 6, 1).map((v) => [v, fixed(v, 0)]);
    const lines = points.map((m, i) => {
      const mark = line("target", X(m - top * sigma ** 2), Y(top), X(m + top * sigma ** 2), Y(-top));
      mark.setAttribute("style", `stroke:var(${COLOURS[i]})`);
      return mark;
    });
    bars = ["excess", "rest"].map((kind) => svg("rect", { class: `ex-part ex-part-${kind}`, y: BAR - 12, height: 24 }));
    const frame = svg("clipPath", { id: `${box.right}-${seed}-targets` },
      svg("rect", { x: LEFT, y: TOP, width: box.right - LEFT, height: FLOOR - TOP }));
    const group = svg("g", { "clip-path": `url(#${box.right}-${seed}-targets)` }, ...lines);
    const dashed = curve(at.map((x) => [X(x), Y(clamp(score(x, points, sigma), [-2 * top, 2 * top]))]));
    dashed.classList.add("ex-dashed");
    group.append(dashed);
    board.svg.replaceChildren(
      frame, area(at.map((x) => [X(x), hill(density(x, points, sigma))]), GROUND),
      line("axis", LEFT, GROUND, box.right, GROUND), ...xAxis(marks, X, box),
      ...yAxis(ticks(-top, top, 4).map((v) => [v, fixed(v, 0)]), Y, box), text("target −ε/σ", 0, TOP - 16, "start"),
      text("noisy point", box.right, TOP - 16, "end"), line("zero", LEFT, Y(0), box.right, Y(0)), group,
      text("loss", 0, BAR, "start"), ...bars);
    grips.forEach((grip) => grip.refresh());
    paint();
  }

  function paint() {
    if (!board.width || !draws) return;
    const { pen } = board, style = getComputedStyle(el), count = shown(), X = across(), Y = height();
    pen.clearRect(0, 0, board.width, HEIGHT);
    clip(pen, LEFT, TOP, board.width - 6 - LEFT, FLOOR - TOP);
    pen.globalAlpha = count > 2000 ? 0.4 : 0.6;
    points.forEach((m, i) => {
      pen.fillStyle = style.getPropertyValue(COLOURS[i]);
      for (let k = 0; k < count; k++) {
        if (draws.which[k] === i) pen.fillRect(X(m + sigma * draws.eps[k]) - 1.75, Y(-draws.eps[k] / sigma) - 1.75, 3.5, 3.5);
      }
    });
    const fit = regression(draws, points, sigma, count);
    let run = [];
    const flush = () => { if (run.length) trace(pen, run, style.color, 2, 1); run = []; };
    fit.means.forEach((mean, k) => {
      if (mean === null) flush(); else run.push([X((fit.first + k + 0.5) * fit.h), Y(mean)]);
    });
    flush();
    pen.restore();
    const { excess, irreducible } = split(fit, points, sigma), loss = excess + irreducible, share = excess / loss;
    const full = board.width - 6 - LEFT, cut = full * share;
    [[LEFT, cut], [LEFT + cut, full - cut]].forEach(([x, width], i) => {
      bars[i].setAttribute("x", x);
      bars[i].setAttribute("width", Math.max(0, width));
      bars[i].setAttribute("data-share", i ? 1 - share : share);
    });
    verdict.textContent = `loss ${number(loss)} = excess ${number(excess)} + irreducible ${number(irreducible)}`;
    return { count, loss, excess, irreducible, share };
  }

  function words() {
    const { excess, irreducible, share } = paint() ?? {};
    if (share === undefined) return "";
    const weighted = number(sigma ** 2 * irreducible);
    caption.textContent = sigma ** 2 * irreducible < 0.05
      ? "Almost every noisy point gives away the place it came from, and with it its noise: hardly any of the loss is irreducible. What is left is the error of the bins."
      : share > 0.25 ? "The regression is still far from the score: there are too few draws for the noise of the targets."
      : sigma < 0.25 ? `Little blur, noisy targets: nearly all of the loss is irreducible and says nothing about the fit. Times σ² it is ${weighted}.`
        : sigma > 0.7 ? `Much blur: the score is almost a straight line and easy to learn, but it has forgotten the data. Times σ² the irreducible part is ${weighted}.`
          : `Between the lines the score passes from one data point to the next. Times σ² the irreducible part is ${weighted}, at most ½.`;
    return `σ = ${fixed(sigma)}, ${n} draws. Loss ${number(excess + irreducible)}, of which ${number(irreducible)} irreducible. ${caption.textContent}`;
  }

  function change() {
    const old = seed;
    sigma = clamp(Number(model.get("sigma")), LIMITS.sigma);
    n = Math.round(clamp(Number(model.get("n")), LIMITS.n));
    [points, seed] = [model.get("points").map(Number), model.get("seed")];
    if (seed !== old) {
      film.restart();
      draws = noise(seed, MOST, points.length);
    }
    dials.sigma.set(sigma);
    dials.n.set(Math.log10(n));
    layout();
    film.refresh();
    const said = words();
    board.svg.setAttribute("aria-label", "The density of four blurred data points; below it training targets on one falling line for "
      + `each data point, the exact score and a binned regression; a bar that splits the loss. ${said}`);
    if (old !== undefined) voice.say(said);
  }
  return follow(model, defaults, { change, redraw: layout, parts: [film, board, voice] });
}

export default { render };
