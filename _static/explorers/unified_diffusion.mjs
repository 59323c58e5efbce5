// Design-space console: one law on a line, any process, grid and solver; what changes is the left panel, what stays is the right one.
import {
  announcer, clamp, curve, disc, explorer, fixed, follow, handle, hash, html, line, number, player, power, scale, segmented,
  setter, slider, stage, svg, text, trace, xorshift32,
} from "./common.mjs";

// Plain JSON: utils.explorers reads it too.
export const defaults = {"process": "VP", "grid": "ρ = 7", "solver": "Euler", "n": 10, "z": 0.35};

const WEIGHTS = [0.3, 0.7], MEANS = [-1, 1], VARIANCE = 0.04;
export const HIGH = 80, LOW = 0.002, COUNT = 25, MOST = 40;
const B = (t) => t * (0.1 + 9.95 * t), RATE = Math.log(HIGH / LOW);

/** Scale, level, their logarithmic derivatives and the inverse of the level, for each process. */
export const PROCESSES = {
  VP: {
    s: (t) => Math.exp(-B(t) / 2), sigma: (t) => Math.sqrt(Math.expm1(B(t))), f: (t) => -(0.1 + 19.9 * t) / 2,
    growth: (t) => ((0.1 + 19.9 * t) * Math.exp(B(t))) / (2 * Math.expm1(B(t))),
    inverse: (v) => (2 * Math.log1p(v * v)) / (0.1 + Math.sqrt(0.01 + 39.8 * Math.log1p(v * v))),
  },
  VE: {
    s: () => 1, sigma: (t) => LOW * Math.exp(RATE * t), f: () => 0, growth: () => RATE,
    inverse: (v) => Math.log(Math.max(v, LOW / 4) / LOW) / RATE,
  },
  heat: { s: () => 1, sigma: Math.sqrt, f: () => 0, growth: (t) => 1 / (2 * t), inverse: (v) => v * v },
  EDM: { s: () => 1, sigma: (t) => t, f: () => 0, growth: (t) => 1 / t, inverse: (v) => v },
  flow: {
    s: (t) => 1 - t, sigma: (t) => t / (1 - t), f: (t) => -1 / (1 - t), growth: (t) => 1 / (t * (1 - t)), inverse: (v) => v / (1 + v),
  },
};
export const GRIDS = ["ρ = 7", "geometric", "uniform t"], SOLVERS = ["Euler", "Heun", "2M", "ancestral"];

/** n levels from HIGH to LOW, and 0. */
export function levels(grid, process, n) {
  const { sigma, inverse } = PROCESSES[process], ramp = (a, b, i) => a + (i / (n - 1)) * (b - a);
  const at = {
    "ρ = 7": (i) => ramp(HIGH ** (1 / 7), LOW ** (1 / 7), i) ** 7,
    geometric: (i) => Math.exp(ramp(Math.log(HIGH), Math.log(LOW), i)),
    "uniform t": (i) => sigma(ramp(inverse(HIGH), inverse(LOW), i)),
  }[grid];
  return [...Array.from({ length: n }, (_, i) => (i === 0 ? HIGH : i === n - 1 ? LOW : at(i))), 0];
}

/** Exact denoiser of the mixture. */
export function denoise(x, sigma) {
  const v = VARIANCE + sigma * sigma, shrink = VARIANCE / v;
  // The other mode's share, from the difference of the two exponents.
  const share = 1 / (1 + (WEIGHTS[0] / WEIGHTS[1]) * Math.exp((((x - 1) ** 2 - (x + 1) ** 2) / 2) / v));
  return share * (1 + shrink * (x - 1)) + (1 - share) * (-1 + shrink * (x + 1));
}

/** What a process says at each level: time, scale, and the two coefficients of its velocity. */
function plan(process, sigmas) {
  const { s, f, growth, inverse } = PROCESSES[process];
  return sigmas.map((sigma) => {
    const t = inverse(sigma), scale = s(t), pull = growth(t);
    return { sigma, t, scale, pull: pull * scale, linear: pull + f(t) };
  });
}

/** States (unscaled) at all levels; `noise` is what the ancestral sampler adds. */
export function solve(solver, process, sigmas, x, noise = [], at = plan(process, sigmas)) {
  const path = [x], straight = process === "EDM" || process === "flow";
  let old = null;
  for (let i = 0; i + 1 < sigmas.length; i++) {
    const a = sigmas[i], b = sigmas[i + 1], D = denoise(x, a);
    if (b === 0 && (process === "VE" || solver === "2M" || solver === "ancestral")) x = D; // the clock of VE never reaches 0
    else if (solver === "2M") {
      const target = old === null ? D : D + (Math.log(a / b) / Math.log(sigmas[i - 1] / a) / 2) * (D - old);
      x = target + (b / a) * (x - target);
    } else if (solver === "ancestral") {
      x = D + (b / a) ** 2 * (x - D) + b * Math.sqrt(1 - (b / a) ** 2) * (noise[i] ?? 0);
    } else if (solver === "Euler" && straight) x = D + (b / a) * (x - D); // the same number
    else {
      const p = at[i], q = at[i + 1], y = p.scale * x, v = p.linear * y - p.pull * D;
      let next = y + (q.t - p.t) * v;
      if (solver === "Heun" && b > 0) next = y + ((q.t - p.t) / 2) * (v + q.linear * next - q.pull * denoise(next / q.scale, b));
      x = next / q.scale;
    }
    old = D;
    path.push(x);
  }
  return path;
}

/** Evaluations of the denoiser for n levels and a final 0. */
export const price = (solver, n) => (solver === "Heun" ? 2 * n - 1 : n);

/** Distribution function of N(0, 1), by series or continued fraction. */
export function normal(x) {
  const a = Math.abs(x), density = Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
  if (a < 4) {
    let term = a, sum = a;
    for (let k = 1; term > 1e-17 * sum; k++) sum += (term *= (a * a) / (2 * k + 1));
    return 0.5 + Math.sign(x) * density * sum;
  }
  let tail = a;
  for (let k = 60; k > 0; k--) tail = a + k / tail;
  return x < 0 ? density / tail : 1 - density / tail;
}

export const quantile = (x, sigma) => MEANS.reduce((sum, m, k) => sum + WEIGHTS[k] * normal((x - m) / Math.sqrt(VARIANCE + sigma * sigma)), 0);

/** Where the exact map takes x from level a to level b: to the same quantile. */
export function carry(x, a, b) {
  const u = quantile(x, a), reach = 1 + 6 * Math.sqrt(VARIANCE + b * b);
  let [low, high] = [-reach, reach];
  for (let i = 0; i < 100 && high - low > 1e-14 * reach; i++) {
    const middle = (low + high) / 2;
    if (quantile(middle, b) < u) low = middle; else high = middle;
  }
  return (low + high) / 2;
}

/** Point below which a share u of N(0, 1) lies. */
function probit(u) {
  let [low, high] = [-8, 8];
  for (let i = 0; i < 60; i++) { const middle = (low + high) / 2; if (normal(middle) < u) low = middle; else high = middle; }
  return (low + high) / 2;
}

/** Standard normal numbers of a seed (Box and Muller). */
function normals(seed, count) {
  const uniform = xorshift32(hash(seed, 3));
  return Array.from({ length: count }, () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()));
}

const LATENTS = Array.from({ length: COUNT }, (_, i) => HIGH * probit((i + 0.5) / COUNT));
const NOISE = LATENTS.map((_, j) => normals(j + 1, MOST + 1));
const FINE = Array.from({ length: 49 }, (_, i) => HIGH * (LOW / HIGH) ** (i / 48));
const ENDS = LATENTS.map((x) => carry(x, HIGH, 0));
let exactCurves = null; // computed when the first explorer is drawn
const exact = () => (exactCurves ??= LATENTS.map((x) => FINE.map((level) => (level === HIGH ? x : carry(x, HIGH, level)))));

/** Root mean square error of the 25 endpoints. */
export function error(solver, process, grid, n) {
  const sigmas = levels(grid, process, n), at = plan(process, sigmas);
  const squares = LATENTS.map((x, j) => (solve(solver, process, sigmas, x, NOISE[j], at).at(-1) - ENDS[j]) ** 2);
  return Math.sqrt(squares.reduce((a, b) => a + b) / COUNT);
}

const TRIED = [2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 20, 24, 28, 32, 36, 40], known = new Map();
function errors({ solver, process, grid }) {
  const name = `${solver} ${process} ${grid}`;
  if (!known.has(name)) known.set(name, TRIED.map((n) => [price(solver, n), error(solver, process, grid, n)]));
  return known.get(name);
}

const WORDS = {
  VP: "VP: the scale shrinks, so that the state keeps its size.", VE: "VE: no scale, levels in geometric progression.",
  heat: "Heat, σ = √t: all the turning happens in the last instant of its time, yet the errors arise at high levels.",
  EDM: "EDM: time is the noise level; frozen denoisers give straight lines.", flow: "Flow matching: from 1 to 0 on straight lines.",
};
const HEIGHT = 500, TOP = 26, MIDDLE = 262, LOWER = 318, BASE = 464, GAP = 46, LEFT = 38, RIGHT = 10, DURATION = 3200, REACH = 2.6;

function render({ model, el }) {
  let process, grid, solver, n, z, paths, own, ownExact, sigmas, mine, marks, past = [];
  const put = setter(model);
  const choose = (label, name, options) => segmented({ label, options, onChange: (value) => put({ [name]: value }) });
  const dials = {
    process: choose("process", "process", Object.keys(PROCESSES)), grid: choose("grid", "grid", GRIDS),
    solver: choose("solver", "solver", SOLVERS),
    n: slider({ label: "steps N", min: 2, max: MOST, step: 1, format: String, onInput: (value) => put({ n: value }) }),
  };
  const board = stage({ height: HEIGHT, onResize: layout });
  const film = player(board.el, { length: DURATION, paint });
  const half = () => (board.width - LEFT - RIGHT - GAP) / 2;
  const box = (i) => { const from = LEFT + i * (half() + GAP); return [from, from + half()]; };
  const flat = (v) => scale(-REACH, REACH, MIDDLE, TOP)(clamp(v, [-REACH, REACH]));
  const logs = () => scale(Math.log(HIGH), Math.log(LOW / 3), ...box(1));
  const depth = (sigma) => logs()(Math.log(Math.max(sigma, LOW / 3)));
  const latent = handle({
    label: "Latent", at: () => [depth(HIGH), flat(z)], size: () => [board.width, MIDDLE + 6], describe: () => `latent ${number(z)}`,
    onMove: (px, py) => put({ z: Math.round(1000 * clamp(REACH * (1 - (2 * (py - TOP)) / (MIDDLE - TOP)), [-2.2, 2.2])) / 1000 }),
  });
  // Left and right have no meaning here: they serve those who expect a slider to obey them.
  latent.el.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 0.05, ArrowLeft: -0.05, Home: -9, End: 9 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    put({ z: Math.round(1000 * clamp(z + by, [-2.2, 2.2])) / 1000 });
  }, true);
  board.el.append(latent.el);
  const verdict = html("p", { class: "ex-verdict" }), caption = html("p", { class: "ex-caption ex-words" }), voice = announcer();
  explorer(
    el, html("div", { class: "ex-controls ex-console" }, dials.process.el, dials.grid.el, dials.solver.el, dials.n.el,
      html("div", { class: "ex-buttons" }, film.el)), board.el, verdict, caption, voice.el);

  const share = () => Math.min(1, film.clock / DURATION);
  const time = (sigma) => (sigma === 0 && process === "VE" ? PROCESSES.VE.inverse(0) : PROCESSES[process].inverse(sigma));
  const size = (x, sigma) => PROCESSES[process].s(time(sigma)) * x;
  const width = () => (["VP", "flow"].includes(process) ? 2.4 : 190);
  const clockAxis = () => scale(time(HIGH), Math.min(0, time(0)), ...box(0));
  const tall = (v) => scale(-width(), width(), MIDDLE, TOP)(clamp(v, [-width(), width()]));
  const spotLeft = (x, sigma) => [clockAxis()(time(sigma)), tall(size(x, sigma))];
  const spotRight = (x, sigma) => [depth(sigma), flat(x / Math.sqrt(1 + sigma * sigma))];
  const hue = (end) => (end > 0 ? "--ex-accent" : "--ex-second");
  const across = () => scale(-2.2, 2.2, ...box(0)), up = scale(-1.9, 1.9, BASE, LOWER);
  const budget = () => scale(Math.log(2), Math.log(2 * MOST), ...box(1));
  const off = (v) => scale(-3.6, 1, BASE, LOWER)(clamp(Math.log10(v), [-3.6, 1]));

  function layout() {
    if (!board.width) return;
    const [a, b] = box(0), [c, d] = box(1), end = PROCESSES[process], first = time(HIGH);
    const frame = (x1, x2, top, bottom) => [line("axis", x1, bottom, x2, bottom), line("grid", x1, top, x1, bottom)];
    const rule = ["VP", "flow"].includes(process) ? [-2, 0, 2] : [-100, 0, 100];
    const ends = first > 1.01 ? number(first).replace(/\.0+$/, "") : first > 0.99 ? "1" : number(first);
    const ghosts = exact().flatMap((path) => [spotLeft, spotRight].map((spot) => {
      const ghost = curve(path.map((x, i) => spot(x, FINE[i])));
      ghost.setAttribute("class", "ex-curve ex-ghost");
      return ghost;
    }));
    const map = curve(LATENTS.map((x, j) => [across()(x / HIGH), up(ENDS[j])]));
    map.setAttribute("class", "ex-curve ex-ghost");
    const wanders = solver === "ancestral"; // it has no map from latents to data, and so no error
    const runs = [...past, { process, grid, solver }].map((run, i, all) => {
      const drawn = curve(run.solver === "ancestral" ? [] : errors(run).map(([paid, size]) => [budget()(Math.log(paid)), off(size)]));
      drawn.setAttribute("class", i === all.length - 1 ? "ex-curve ex-run" : "ex-curve ex-past");
      return drawn;
    });
    const size = error(solver, process, grid, n), now = [budget()(Math.log(price(solver, n))), off(size)];
    marks = LATENTS.map((x, j) => svg("circle", { class: "ex-leader", r: 3.5, cx: across()(x / HIGH), cy: up(clamp(paths[j].at(-1), [-1.9, 1.9])),
      style: `fill:var(${hue(paths[j].at(-1))})` }));
    mine = svg("circle", { class: "ex-leader", r: 6, cx: across()(z), cy: up(clamp(own.at(-1), [-1.9, 1.9])),
      style: "fill:currentColor", "data-share": own.at(-1) });
    board.svg.replaceChildren(
      text("state xₜ, in its time", a, TOP - 14, "start"), text(board.width < 560 ? "x̂ against log σ" : "x̂ / √(1 + σ²) against log σ", c, TOP - 14, "start"),
      ...frame(a, b, TOP, MIDDLE), ...frame(c, d, TOP, MIDDLE), ...rule.map((v) => text(fixed(v, 0), a - 6, tall(v), "end")),
      ...[-2, 0, 2].map((v) => text(fixed(v, 0), c - 6, flat(v), "end")),
      text(ends, a, MIDDLE + 15, "start"), text("t", (a + b) / 2, MIDDLE + 15), text("0", b, MIDDLE + 15, "end"),
      ...[80, 1, 0.01].map((v) => text(v, depth(v), MIDDLE + 15, v === 80 ? "start" : "middle")), text("0", d, MIDDLE + 15, "end"),
      ...ghosts, ...sigmas.map((v) => line("axis", depth(v), MIDDLE - 5, depth(v), MIDDLE)),
      ...sigmas.map((v) => line("axis", clockAxis()(time(v)), MIDDLE - 5, clockAxis()(time(v)), MIDDLE)),
      text(board.width < 560 ? "end against latent" : "endpoint against latent", a, LOWER - 16, "start"), ...frame(a, b, LOWER, BASE),
      ...[-1, 1].map((v) => text(fixed(v, 0), a - 6, up(v), "end")), ...[-2, 0, 2].map((v) => text(fixed(v, 0), across()(v), BASE + 15)),
      map, ...marks, mine,
      text(board.width < 560 ? "error, evaluations" : "error against evaluations", c, LOWER - 16, "start"), ...frame(c, d, LOWER, BASE),
      ...[0, -1, -2, -3].map((v) => text(v === 0 ? "1" : power(v), c - 6, off(10 ** v), "end")),
      ...[2, 5, 10, 20, 40, 80].map((v) => text(v, budget()(Math.log(v)), BASE + 15)), ...runs,
      ...(wanders ? [text("no error without a map", (c + d) / 2, (LOWER + BASE) / 2)]
        : [svg("circle", { class: "ex-leader", r: 5, cx: now[0], cy: now[1], style: "fill:currentColor", "data-error": size })]));
    latent.refresh();
    paint();
  }

  function paint() {
    if (!board.width || !paths) return;
    const { pen } = board, style = getComputedStyle(el), steps = sigmas.length - 1, done = share() * steps;
    pen.clearRect(0, 0, board.width, HEIGHT);
    const draw = (path, colour, thick, alpha) => {
      for (const spot of [spotLeft, spotRight]) {
        const points = [];
        for (let i = 0; i <= Math.floor(done); i++) points.push(spot(path[i], sigmas[i]));
        const i = Math.floor(done), rest = done - i;
        if (rest > 0) {
          const [p, q] = [spot(path[i], sigmas[i]), spot(path[i + 1], sigmas[i + 1])];
          points.push([p[0] + rest * (q[0] - p[0]), p[1] + rest * (q[1] - p[1])]);
        }
        trace(pen, points, colour, thick, alpha);
        disc(pen, points.at(-1), thick + 0.9, colour, 1);
      }
    };
    paths.forEach((path) => draw(path, style.getPropertyValue(hue(path.at(-1))), 1.1, 0.85));
    draw(own, style.color, 2.4, 1);
    [...marks, mine].forEach((mark) => { mark.style.opacity = share() === 1 ? 1 : 0.12; });
  }

  function change() {
    const old = process && { process, grid, solver }, given = (name, among) => (among.includes(model.get(name)) ? model.get(name) : defaults[name]);
    const before = process && `${process} ${grid} ${solver} ${n}`;
    process = given("process", Object.keys(PROCESSES));
    [grid, solver] = [given("grid", GRIDS), given("solver", SOLVERS)];
    n = clamp(Math.round(Number(model.get("n"))), [2, MOST]);
    z = clamp(Number(model.get("z")), [-2.2, 2.2]);
    if (old && (old.process !== process || old.grid !== grid || old.solver !== solver)) past = [...past, old].slice(-3);
    if (before !== undefined && before !== `${process} ${grid} ${solver} ${n}` && film.playing) film.restart();
    sigmas = levels(grid, process, n);
    paths = LATENTS.map((x, j) => solve(solver, process, sigmas, x, NOISE[j]));
    own = solve(solver, process, sigmas, HIGH * z, NOISE[0]);
    ownExact = carry(HIGH * z, HIGH, 0);
    for (const name of ["process", "grid", "solver", "n"]) dials[name].set({ process, grid, solver, n }[name]);
    const size = error(solver, process, grid, n);
    const told = size < 1000 ? number(size) : fixed(size, 0);
    verdict.textContent = solver === "ancestral"
      ? `${price(solver, n)} evaluations. With this noise your latent ends at ${fixed(own.at(-1), 3)}.`
      : `${price(solver, n)} evaluations, error ${told}. Your latent ends at ${fixed(own.at(-1), 3)}, exactly at ${fixed(ownExact, 3)}.`;
    const free = { "2M": " 2M never uses the time of the process: the right panel depends on the grid alone.",
      ancestral: " Fresh noise at each step: no map from latents to data, but, up to discretisation, the same distribution.", Heun: "",
      Euler: ["EDM", "flow"].includes(process) ? " Euler here is DDIM." : " Euler in this time is not DDIM." }[solver];
    caption.textContent = WORDS[process] + free;
    board.svg.setAttribute("aria-label", `Trajectories of 25 latents under ${process}, grid ${grid}, ${solver}, ${n} steps. ${verdict.textContent}`);
    layout();
    film.refresh();
    if (before !== undefined) voice.say(`${verdict.textContent} ${caption.textContent}`);
  }
  return follow(model, defaults, { change, redraw: layout, parts: [film, board, voice] });
}

export default { render };
