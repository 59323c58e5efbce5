// One forward process, many ways back: reverse paths for any amount c of noise, and whether their cloud is the right one.
import {
  announcer, button, clamp, clip, curve, explorer, fixed, follow, gaussian, handle, hash, heatMap, html, key, line,
  linspace, number, player, pointer, rgb, scale, segmented, setter, slider, specks, stage, svg, text, ticks, trace, xAxis,
  xorshift32,
} from "./common.mjs";

// Plain JSON: utils.explorers reads it too.
export const defaults = {"c": 1, "n": 100, "t": 0.05, "w": 0.3, "m1": -1, "m2": 1, "process": "VP", "seed": 1};

const LIMITS = { c: [0, 2], n: [5, 400], t: [0, 1], w: [0.05, 0.95], m1: [-2, 2], m2: [-2, 2] };
const VAR = 0.04, PARTICLES = 600, SHOWN = 32, RATE = Math.log(50 / 0.01);
const integral = (t) => 0.1 * t + 9.95 * t * t, beta = (t) => 0.1 + 19.9 * t;

/** Scale, level, drift and squared diffusion coefficient of the three processes. */
export const PROCESSES = {
  VP: (t) => {
    const B = integral(t);
    return { s: Math.exp(-B / 2), sigma: Math.sqrt(Math.expm1(B)), f: -beta(t) / 2, g2: beta(t) };
  },
  "sub-VP": (t) => {
    const B = integral(t);
    return { s: Math.exp(-B / 2), sigma: 2 * Math.sinh(B / 2), f: -beta(t) / 2, g2: -beta(t) * Math.expm1(-2 * B) };
  },
  VE: (t) => {
    const sigma = 0.01 * Math.exp(RATE * t);
    return { s: 1, sigma, f: 0, g2: 2 * RATE * sigma * sigma };
  },
};

/** Log-density and score of x_t for the data w N(m1, 0.04) + (1 - w) N(m2, 0.04). */
export function density(process, x, t, w, m1, m2) {
  const { s, sigma } = PROCESSES[process](t), v = s * s * (VAR + sigma * sigma);
  const a = x - s * m1, b = x - s * m2, la = Math.log(w) - (a * a) / (2 * v), lb = Math.log1p(-w) - (b * b) / (2 * v);
  const top = Math.max(la, lb), r = 1 / (1 + Math.exp(lb - la));
  return {
    logp: top + Math.log(Math.exp(la - top) + Math.exp(lb - top)) - Math.log(2 * Math.PI * v) / 2,
    score: -(r * a + (1 - r) * b) / v,
  };
}

/** One Euler-Maruyama step from t back to t - h. */
export function step(process, x, t, h, c, z, w, m1, m2) {
  const { f, g2 } = PROCESSES[process](t), { score } = density(process, x, t, w, m1, m2);
  return x - h * (f * x - ((1 + c * c) / 2) * g2 * score) + c * Math.sqrt(g2 * h) * z;
}

/** Standard normal numbers of a seed. */
export const normals = (seed, count) => Float32Array.from({ length: count }, gaussian(xorshift32(hash(seed, 0))));

/** The unit in which the cloud is drawn: the standard deviation of x_t for data of variance 1 behind the same noise. */
export const unit = ({ s, sigma }) => s * Math.sqrt(1 + sigma * sigma);

/** All particles at all times, in that unit: row i is at time 1 - i / n. They start from the exact law at t = 1. */
export function walkBack(process, n, c, w, m1, m2, z, count) {
  const y = new Float32Array((n + 1) * count), end = PROCESSES[process](1), h = 1 / n;
  const x = new Float64Array(count);
  for (let k = 0; k < count; k++) {
    const mean = end.s * ((k + 0.5) / count < w ? m1 : m2);
    x[k] = mean + end.s * Math.sqrt(VAR + end.sigma * end.sigma) * z[k];
    y[k] = x[k] / unit(end);
  }
  for (let i = 1; i <= n; i++) {
    // As `step`, with what depends on time alone taken out of the loop.
    const t = 1 - (i - 1) * h, { s, sigma, f, g2 } = PROCESSES[process](t), v = s * s * (VAR + sigma * sigma);
    const grow = 1 - h * f, pull = (h * (1 + c * c) * g2) / 2 / v, shake = c * Math.sqrt(g2 * h);
    const a = s * m1, b = s * m2, slope = (b - a) / v, offset = Math.log((1 - w) / w) - (b * b - a * a) / (2 * v);
    const per = 1 / unit(PROCESSES[process](Math.max(0, 1 - i * h)));
    for (let k = 0; k < count; k++) {
      const r = 1 / (1 + Math.exp(offset + slope * x[k]));
      x[k] = grow * x[k] - pull * (x[k] - b + r * (b - a)) + shake * z[i * count + k];
      y[i * count + k] = x[k] * per;
    }
  }
  return y;
}

/** Distribution function of the standard normal law (Abramowitz and Stegun 7.1.26, good to 1e-7). */
export function normalCdf(z) {
  const u = 1 / (1 + (0.3275911 * Math.abs(z)) / Math.SQRT2);
  const tail = 0.5 * Math.exp((-z * z) / 2)
    * u * (0.254829592 + u * (-0.284496736 + u * (1.421413741 + u * (-1.453152027 + u * 1.061405429))));
  return z > 0 ? 1 - tail : tail;
}

/** W1 distance of points to the law at time t, in the unit of the picture, and its mean for as many exact draws. */
export function distance(process, points, t, w, m1, m2) {
  const at = PROCESSES[process](t), sorted = Float64Array.from(points).sort(), n = points.length;
  const size = Math.sqrt(1 + at.sigma * at.sigma), sd = Math.sqrt(VAR + at.sigma * at.sigma) / size, dy = 0.02;
  let W1 = 0, floor = 0, below = 0;
  for (let y = -5; y <= 5; y += dy) {
    while (below < n && sorted[below] <= y) below++;
    const F = w * normalCdf((y - m1 / size) / sd) + (1 - w) * normalCdf((y - m2 / size) / sd);
    W1 += Math.abs(below / n - F) * dy;
    floor += Math.sqrt((2 * Math.max(0, F * (1 - F))) / (Math.PI * n)) * dy;
  }
  for (const y of sorted) W1 += Math.max(0, Math.abs(y) - 5) / n;
  return { W1, floor };
}

/** Correlation of the places at two times, of the particles. */
export function correlation(a, b) {
  const n = a.length, mean = (row) => row.reduce((sum, v) => sum + v, 0) / n, [A, B] = [mean(a), mean(b)];
  let both = 0, first = 0, second = 0;
  for (let i = 0; i < n; i++) {
    both += (a[i] - A) * (b[i] - B);
    first += (a[i] - A) ** 2;
    second += (b[i] - B) ** 2;
  }
  return both / Math.sqrt(first * second);
}

/** The same of the forward process, exactly: x_u = (s_u / s_t) x_t and independent noise. */
export function forwardCorrelation(process, t, u, w, m1, m2) {
  const early = PROCESSES[process](t), late = PROCESSES[process](u), spread = VAR + w * (1 - w) * (m2 - m1) ** 2;
  return Math.sqrt((spread + early.sigma ** 2) / (spread + late.sigma ** 2));
}

const EDGE = 3, BINS = 60, LENGTH = 7000;
// Css pixels: the cloud above, time falling from 1 to 0; the histogram at the time of the line below.
const TOP = 12, FLOOR = 300, CEILING = 338, GROUND = 428, HEIGHT = 464, LEFT = 30, RIGHT = 10;

function render({ model, el }) {
  let c, n, t, w, m1, m2, process, seed, z, paths, picture, hover = null, spoken = 0;
  const put = setter(model);
  const dial = (label, name, step, format = fixed) => slider({
    label, min: LIMITS[name][0], max: LIMITS[name][1], step, format, onInput: (value) => put({ [name]: value }) });
  const dials = {
    c: dial("noise c", "c", 0.05), t: dial("look at time t", "t", 0.01),
    n: slider({ label: "steps N", min: Math.log10(5), max: Math.log10(400), step: Math.log10(80) / 190, format: (v) => Math.round(10 ** v),
      onInput: (v) => put({ n: Math.round(10 ** v) }) }),
    w: dial("weight of first hump", "w", 0.01),
  };
  const pick = segmented({ label: "Process", options: Object.keys(PROCESSES), onChange: (value) => put({ process: value }) });
  const fresh = button({ icon: "New", text: "New noise", onClick: () => put({ seed: seed + 1 }) });
  const board = stage({ height: HEIGHT, onResize: layout });
  const film = player(board.el, { length: LENGTH, paint });
  const across = () => scale(-EDGE, EDGE, LEFT, board.width - RIGHT);
  const down = scale(1, 0, TOP, FLOOR), size = () => [board.width, FLOOR];
  const value = (px) => -EDGE + ((px - LEFT) / (board.width - LEFT - RIGHT)) * 2 * EDGE;
  const hump = (label, name, kind) => handle({
    label, kind, at: () => [across()(name === "m1" ? m1 : m2), FLOOR], size, describe: () => fixed(name === "m1" ? m1 : m2),
    onMove: (px) => put({ [name]: clamp(Math.round(100 * value(px)) / 100, LIMITS[name]) }),
  });
  const humps = [hump("First hump", "m1", "ring"), hump("Second hump", "m2", "square")];
  const area = html("div", { class: "ex-look" });
  pointer(area, {
    onMove: (_, py) => { hover = clamp(1 - py / (FLOOR - TOP), [0, 1]); paint(); },
    onLeave: () => { hover = null; paint(); },
  });
  board.el.append(area, ...humps.map((h) => h.el));
  const badge = html("span", { class: "ex-badge" }), why = html("span", {}), voice = announcer();
  const coefficients = html("p", { class: "ex-coefficients" });
  const caption = html("p", { class: "ex-caption" });
  const left = key("bar", "started left"), right = key("bar", "started right");
  left.style.setProperty("--ex-accent", "var(--ex-second)");
  explorer(
    el, html("div", { class: "ex-controls ex-controls-pairs" }, pick.el, ...Object.values(dials).map((d) => d.el)), board.el,
    html("div", { class: "ex-lab" }, html("div", { class: "ex-legend" }, left, right, key("line", "exact density")),
      html("div", { class: "ex-buttons" }, film.el, fresh.el)),
    html("div", { class: "ex-verdict ex-ways" }, badge, why), coefficients, caption, voice.el);

  /** Positions at a time between two steps. */
  function snapshot(time) {
    const place = Math.min(n, (1 - time) * n), i = Math.min(n - 1, Math.floor(place)), part = place - i;
    const y = new Float64Array(PARTICLES);
    for (let k = 0; k < PARTICLES; k++) {
      y[k] = (1 - part) * paths[i * PARTICLES + k] + part * paths[(i + 1) * PARTICLES + k];
    }
    return y;
  }

  function layout() {
    if (!board.width || !paths) return;
    const X = across(), box = { left: LEFT, right: board.width - RIGHT, top: TOP, bottom: GROUND };
    area.style.cssText = `left:${LEFT}px;right:${RIGHT}px;top:${TOP}px;height:${FLOOR - TOP - 22}px`;
    const wide = Math.ceil((board.width - LEFT - RIGHT) / 2), high = (FLOOR - TOP) / 2, rows = [];
    for (let j = 0; j < high; j++) {
      const { sigma } = PROCESSES[process](1 - (j + 0.5) / high), grow = Math.sqrt(1 + sigma * sigma);
      const sd = Math.sqrt(VAR + sigma * sigma) / grow;
      rows.push([m1 / grow, m2 / grow, 0.5 / (sd * sd), 1 / (sd * Math.sqrt(2 * Math.PI))]);
    }
    picture = heatMap({ width: wide, height: high, tint: rgb(el, "color"), value(i, j) {
      const y = -EDGE + (2 * EDGE * (i + 0.5)) / wide, [a, b, k, top] = rows[j];
      const p = top * (w * Math.exp(-k * (y - a) ** 2) + (1 - w) * Math.exp(-k * (y - b) ** 2));
      return 0.34 * Math.min(1, Math.sqrt(p));
    } });
    look.replaceChildren();
    board.svg.replaceChildren(
      ...[0, 0.5, 1].map((v) => text(["0", "½", "1"][2 * v], LEFT - 9, down(v), "end")),
      text("t", LEFT - 9, down(0.75), "end"), line("zero", LEFT, TOP, board.width - RIGHT, TOP),
      line("axis", LEFT, FLOOR, board.width - RIGHT, FLOOR),
      ...xAxis(ticks(-EDGE, EDGE, 6, 1).map((v) => [v, fixed(v, 0)]), X, { ...box, top: CEILING }),
      text(process === "VP" ? "x" : "x, in units of VP", board.width - RIGHT, CEILING - 12, "end"), look);
    humps.forEach((h) => h.refresh());
    paint();
  }
  const look = svg("g", {});

  function paint() {
    if (!board.width || !paths || !picture) return;
    const { pen } = board, style = getComputedStyle(el), X = across(), front = 1 - film.clock / LENGTH;
    const colours = [style.getPropertyValue("--ex-second"), style.getPropertyValue("--ex-accent")];
    const time = hover ?? Math.max(t, front), y = snapshot(time), now = PROCESSES[process](time);
    pen.clearRect(0, 0, board.width, HEIGHT);
    Object.assign(pen, { globalAlpha: 1, imageSmoothingEnabled: true });
    pen.drawImage(picture, LEFT, TOP, board.width - LEFT - RIGHT, FLOOR - TOP);
    clip(pen, LEFT, TOP, board.width - LEFT - RIGHT, FLOOR - TOP);
    const last = (1 - front) * n, stride = Math.max(1, Math.floor(n / 160)), heads = [[], []], here = snapshot(front);
    for (let shown = 0; shown < SHOWN; shown++) {
      const k = Math.floor(((shown + 0.5) * PARTICLES) / SHOWN), side = paths[k] > 0 ? 1 : 0, points = [];
      for (let i = 0; i < last; i += stride) points.push([X(paths[i * PARTICLES + k]), down(1 - i / n)]);
      points.push([X(here[k]), down(front)]);
      trace(pen, points, colours[side], 1.1, 0.72);
      heads[side].push(here[k], front);
    }
    if (front > 0) heads.forEach((points, side) => specks(pen, points, X, down, 2.6, colours[side], 1));
    pen.restore();
    // The histogram, in the colours of the start, and the exact density.
    const counts = [new Float64Array(BINS), new Float64Array(BINS)];
    for (let k = 0; k < PARTICLES; k++) {
      const bin = Math.floor(((y[k] + EDGE) / (2 * EDGE)) * BINS);
      if (bin >= 0 && bin < BINS) counts[paths[k] > 0 ? 1 : 0][bin] += 1;
    }
    const grow = Math.sqrt(1 + now.sigma ** 2), sd = Math.sqrt(VAR + now.sigma ** 2) / grow;
    const bell = (v, m) => Math.exp(-(((v - m / grow) / sd) ** 2) / 2) / (sd * Math.sqrt(2 * Math.PI));
    const p = (v) => w * bell(v, m1) + (1 - w) * bell(v, m2);
    const tops = linspace(-EDGE, EDGE, 241).map((v) => [v, p(v)]);
    const rise = scale(0, 1.12 * Math.max(...tops.map(([, q]) => q)), GROUND, CEILING);
    const per = BINS / (PARTICLES * 2 * EDGE), wide = X(2 * EDGE / BINS) - X(0);
    clip(pen, LEFT, CEILING - 8, board.width - LEFT - RIGHT, GROUND - CEILING + 8);
    for (let i = 0; i < BINS; i++) {
      const left = X(-EDGE + (2 * EDGE * i) / BINS), low = rise(counts[0][i] * per), high = rise((counts[0][i] + counts[1][i]) * per);
      Object.assign(pen, { fillStyle: colours[0], globalAlpha: 0.6 });
      pen.fillRect(left + 0.5, low, wide - 1, GROUND - low);
      pen.fillStyle = colours[1];
      pen.fillRect(left + 0.5, high, wide - 1, low - high);
    }
    pen.restore();
    const mark = line("cross", LEFT, down(time), board.width - RIGHT, down(time));
    look.replaceChildren(mark, curve(tops.map(([v, q]) => [X(v), rise(q)])), line("axis", LEFT, GROUND, board.width - RIGHT, GROUND),
      text(`t = ${fixed(time)}`, LEFT + 4, CEILING - 12, "start"));
    // Numbers that change with every frame cannot be read.
    const moving = film.running && hover === null, clockNow = performance.now();
    if (moving && clockNow - spoken < 250) return;
    spoken = clockNow;
    mark.setAttribute("data-share", words(time, y, now));
  }

  function words(time, y, now) {
    const { W1, floor } = distance(process, y, time, w, m1, m2), off = W1 > 3 * floor, later = Math.min(1, time + 0.2);
    const memory = correlation(y, snapshot(later)), forward = forwardCorrelation(process, time, later, w, m1, m2);
    badge.textContent = c === 0 ? "c = 0: the ODE" : c === 1 ? "c = 1: the time reversal" : `c = ${fixed(c)}`;
    badge.classList.toggle("ex-alarm", off);
    why.textContent = `distance to pₜ ${fixed(W1, 3)} (exact draws: ${fixed(floor, 3)}); `
      + `correlation with the place at t = ${fixed(later)}: ${fixed(memory)} (forward: ${fixed(forward)})`;
    coefficients.textContent = `t = ${fixed(time)}: f = ${number(now.f)}, g² = ${number(now.g2)}, s = ${number(now.s)}, σ = ${number(now.sigma)}`;
    caption.textContent = off ? "Too few steps: the histogram misses the curve. With more noise it takes more of them."
      : c === 0 ? "No fresh noise. Paths never cross, the colours stay sorted, and each place in the noise has its own place in the data."
        : c === 1 ? "The film of the forward process, run backwards: the right cloud at every time, and the right correlation of any two times."
          : c < 1 ? "Same cloud, smoother paths than those of the forward process; they remember too well where they came from."
            : "Same cloud, rougher paths than those of the forward process; they forget too quickly where they came from.";
    return W1;
  }

  function change() {
    const old = seed, given = (name) => clamp(Number(model.get(name)), LIMITS[name]);
    [c, t, w, m1, m2] = ["c", "t", "w", "m1", "m2"].map(given);
    [n, seed] = [Math.round(given("n")), model.get("seed")];
    process = model.get("process") in PROCESSES ? model.get("process") : defaults.process;
    if (seed !== old) {
      film.restart();
      z = normals(seed, (LIMITS.n[1] + 1) * PARTICLES);
    }
    paths = walkBack(process, n, c, w, m1, m2, z, PARTICLES);
    for (const [name, v] of Object.entries({ c, t, w, n: Math.log10(n) })) dials[name].set(v);
    pick.set(process);
    layout();
    film.refresh();
    words(t, snapshot(t), PROCESSES[process](t));
    const said = `${badge.textContent}, ${process}, ${n} steps: ${why.textContent}. ${caption.textContent}`;
    board.svg.setAttribute("aria-label", `The density of the noising process over time, ${SHOWN} reverse paths across it, and a histogram `
      + `of ${PARTICLES} particles at one time. ${said}`);
    if (old !== undefined) voice.say(said);
  }
  return follow(model, defaults, { change, redraw: layout, parts: [film, board, voice] });
}

export default { render };
