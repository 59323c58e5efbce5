// Bowl designer: a quadratic function of two variables shaped by hand, and three ways down.
import {
  announcer, clamp, clip, disc, explorer, fixed, follow, handle, html, key, line, linspace, number, palette, player, power,
  scale, segmented, setter, slider, stage, svg, text, trace, xAxis, yAxis,
} from "./common.mjs";

// Plain JSON: utils.explorers reads it too.
export const defaults = {"lambda1": 2, "lambda2": 0.6, "angle": 30, "tilt": 0, "eta": 0.3, "beta": 0.4, "x": -3, "y": 1};

const dot = (a, b) => a[0] * b[0] + a[1] * b[1];
const plus = (a, s, b) => [a[0] + s * b[0], a[1] + s * b[1]];
const times = (A, x) => [dot(A[0], x), dot(A[1], x)];
const ZERO = 1e-12; // relative size of what counts as nothing

/** A = λ₁v₁v₁ᵀ + λ₂v₂v₂ᵀ with v₁ at `degrees` to the x axis, and b = tilt · v₂. */
export function build(lambda1, lambda2, degrees, tilt = 0) {
  const c = Math.cos((degrees * Math.PI) / 180), s = Math.sin((degrees * Math.PI) / 180);
  const off = (lambda1 - lambda2) * c * s;
  const A = [[lambda1 * c * c + lambda2 * s * s, off], [off, lambda1 * s * s + lambda2 * c * c]];
  return { A, b: [-s * tilt, c * tilt] };
}

/** Eigenvalues of a symmetric matrix, smallest first, with unit eigenvectors. */
export function eigen([[a, off], [, d]]) {
  const mean = (a + d) / 2, spread = Math.hypot((a - d) / 2, off), turn = Math.atan2(off, (a - d) / 2) / 2;
  const large = [Math.cos(turn), Math.sin(turn)];
  return { values: [mean - spread, mean + spread], vectors: [[-large[1], large[0]], large] };
}
export const eigenvalues = (A) => eigen(A).values;

function flat(values) {
  const size = Math.max(...values.map(Math.abs));
  return values.map((v) => Math.abs(v) <= ZERO * size);
}

/** Shortest x with 2Ax + b = 0, null where there is none. */
export function stationary(A, b) {
  const { values, vectors } = eigen(A), none = flat(values);
  let x = [0, 0];
  for (const i of [0, 1]) {
    const part = dot(vectors[i], b);
    if (!none[i]) x = plus(x, -part / (2 * values[i]), vectors[i]);
    else if (Math.abs(part) > ZERO * Math.hypot(...b)) return null;
  }
  return x;
}

/** What the graph looks like, in the words of utils.quadratic. */
export function classify(A, b) {
  const values = eigenvalues(A), none = flat(values), level = none.some(Boolean);
  const [up, down] = [1, -1].map((sign) => values.some((v, i) => !none[i] && sign * v > 0));
  if (stationary(A, b) === null) return "slope";
  if (up && down) return "saddle";
  if (up) return level ? "valley" : "minimum";
  if (down) return level ? "ridge" : "maximum";
  return "constant";
}

export const value = (A, b, x) => dot(x, times(A, x)) + dot(b, x);
const gradient = (A, b, x) => plus(b, 2, times(A, x));

/** Iterates x₀ … x_n; momentum β = 0 is gradient descent. */
export function heavyBall(A, b, start, eta, beta, n) {
  const path = [start];
  for (let k = 0, before = start; k < n; k++) {
    const x = path[k];
    path.push(plus(plus(x, -eta, gradient(A, b, x)), beta, plus(x, -1, before)));
    before = x;
  }
  return path;
}

/** Iterates of conjugate gradients, at most n steps; it stops where the curvature is not positive. */
export function conjugateGradient(A, b, start, n = 2) {
  const path = [start];
  let r = gradient(A, b, start).map((g) => -g), p = r, rr = dot(r, r);
  for (let k = 0; k < n && rr > 1e-24; k++) {
    const Hp = times(A, p).map((v) => 2 * v), curvature = dot(p, Hp);
    if (!(curvature > ZERO * dot(p, p))) break;
    path.push(plus(path[k], rr / curvature, p));
    r = plus(r, -rr / curvature, Hp);
    const old = rr;
    rr = dot(r, r);
    p = plus(r, rr / old, p);
  }
  return path;
}

/** Largest |z| over the roots of z² − (1+β−2ηλ) z + β for these eigenvalues of A; β = 0: max |1−2ηλ|. */
export function spectralRadius(values, eta, beta = 0) {
  return Math.max(...values.map((lambda) => {
    const half = (1 + beta - 2 * eta * lambda) / 2, square = half * half - beta;
    return square < 0 ? Math.sqrt(beta) : Math.abs(half) + Math.sqrt(square);
  }));
}

/** Level lines of λ₁u² + λ₂v² + tv within `reach` of the origin, exact: ellipses as half-axes, others as polylines in (u, v). */
export function levelLines(lambda1, lambda2, t, reach, gap = 0.4) {
  const steep = Math.max(Math.abs(lambda1), Math.abs(lambda2)), lines = [];
  const along = linspace(-reach, reach, 81);
  if (lambda2 === 0 && t !== 0) { // parabolas, or lines
    for (const sign of [1, -1]) {
      const bent = sign * lambda1 > 0 ? Math.abs(lambda1) : 0; // far out on that side the levels lie closer
      for (let k = sign > 0 ? 0 : 1; k <= 45; k++) {
        const E = sign * (gap * Math.abs(t) * k + bent * (0.7 * gap * k) ** 2);
        lines.push({ points: along.map((u) => [u, (E - lambda1 * u * u) / t]), sign: E < 0 ? -1 : 1 });
      }
    }
    return lines;
  }
  if (steep === 0) return lines;
  const centre = lambda2 === 0 ? 0 : -t / (2 * lambda2), far = reach + Math.abs(centre);
  const count = Math.min(70, Math.ceil((far / gap) * Math.SQRT2));
  for (let k = 1; k <= count; k++) {
    for (const sign of [1, -1]) {
      const E = sign * steep * (gap * k) ** 2, [a2, b2] = [E / lambda1, E / lambda2];
      const [a, b] = [Math.sqrt(Math.abs(a2)), Math.sqrt(Math.abs(b2))];
      if (lambda1 === 0 || lambda2 === 0) { // a pair of lines
        const offset = lambda1 === 0 ? b2 : a2;
        if (offset <= 0) continue;
        for (const side of [1, -1]) {
          const at = side * Math.sqrt(offset);
          lines.push({ points: along.map((s) => (lambda1 === 0 ? [s, centre + at] : [at, s + centre])), sign });
        }
      } else if (a2 > 0 && b2 > 0) lines.push({ rx: a, ry: b, centre, sign });
      else if (a2 > 0 || b2 > 0) { // a hyperbola, two branches
        const end = Math.asinh((2 * far) / (a2 > 0 ? b : a));
        for (const side of [1, -1]) {
          lines.push({ sign, points: linspace(-end, end, 41).map((s) => {
            const [c, h] = [side * Math.cosh(s), Math.sinh(s)];
            return a2 > 0 ? [a * c, centre + b * h] : [a * h, centre + b * c];
          }) });
        }
      }
    }
  }
  return lines;
}

export const SHAPES = {
  bowl: { lambda1: 2, lambda2: 0.6, angle: 30, tilt: 0, eta: 0.3, beta: 0.4 },
  ravine: { lambda1: 2.5, lambda2: 0.1, angle: 75, tilt: 0, eta: 0.18, beta: 0.7 },
  valley: { lambda1: 1.6, lambda2: 0, angle: 30, tilt: 0, eta: 0.2, beta: 0.5 },
  slope: { lambda1: 1.6, lambda2: 0, angle: 30, tilt: 1, eta: 0.2, beta: 0.5 },
  saddle: { lambda1: 1.2, lambda2: -0.5, angle: 30, tilt: 0, eta: 0.1, beta: 0.3 },
};
const WORDS = {
  minimum: "A minimum, the only one: both directions curve up.",
  maximum: "A maximum, the only one: both directions curve down, and f has no lower bound.",
  saddle: "A saddle: one direction curves up, one down. f has no bound on either side.",
  valley: "A valley: a whole line of minima, since one direction is flat and not tilted.",
  ridge: "A ridge: a whole line of maxima, and no lower bound.",
  slope: "No stationary point: a flat direction is tilted, and f falls along it for ever.",
  constant: "A plain: f is the same everywhere.",
};

// Css pixels: the bowl, and below it a strip in which the gradient shrinks, or does not.
const BOWL = 400, TOP = 436, FLOOR = 530, HEIGHT = 580, LEFT = 44, RIGHT = 12;
const ARM = 63, STEPS = 60, PACE = 110, LENGTH = STEPS * PACE, LIMIT = 3, DECADES = [-8, 2];

function render({ model, el }) {
  let q = {}, g, paths, lengths;
  const put = setter(model);
  const shapes = segmented({ label: "Shape", options: Object.keys(SHAPES), onChange(shape) {
    film.restart();
    put(SHAPES[shape]);
  } });
  const dial = (name, label, min, max, step, format) =>
    [name, slider({ label, min, max, step, format, onInput: (v) => put({ [name]: v }) })];
  const degrees = (v) => `${Math.round(v)}°`.replace("-", "−");
  const dials = Object.fromEntries([
    dial("lambda1", "curvature λ₁", -LIMIT, LIMIT, 0.05, fixed), dial("lambda2", "curvature λ₂", -LIMIT, LIMIT, 0.05, fixed),
    dial("angle", "angle", -180, 180, 1, degrees), dial("tilt", "tilt along arm 2", -2, 2, 0.1, fixed),
    dial("eta", "step η", 0.01, 0.6, 0.01, fixed), dial("beta", "momentum β", 0, 0.99, 0.01, fixed),
  ]);
  const board = stage({ height: HEIGHT, onResize: layout });
  const film = player(board.el, { length: LENGTH, paint });
  const world = (px, py) => [(px - g.cx) / g.unit, (g.cy - py) / g.unit];
  const pixel = ([x, y]) => [g.cx + x * g.unit, g.cy - y * g.unit];
  const axis = (i) => {
    const phi = (q.angle * Math.PI) / 180 + (i === 2 ? Math.PI / 2 : 0);
    return [Math.cos(phi), Math.sin(phi)];
  };
  const armEnd = (i) => {
    const [c, s] = axis(i), r = ARM * q[`lambda${i}`];
    return g && [g.cx + r * c, g.cy - r * s];
  };

  /** The arm follows the hand; through the centre it changes sign rather than direction. */
  function pull(i, px, py) {
    const [dx, dy] = [px - g.cx, g.cy - py], r = Math.hypot(dx, dy) / ARM;
    if (r < 0.08) return put({ [`lambda${i}`]: 0 });
    let turn = (Math.atan2(dy, dx) * 180) / Math.PI - (i === 2 ? 90 : 0), sign = 1;
    const off = ((turn - q.angle + 540) % 360 + 360) % 360 - 180;
    turn = q.angle + off;
    if (Math.abs(off) > 90) { sign = -1; turn -= 180 * Math.sign(off); }
    // Close to the centre the direction of the hand means little: there only the length follows.
    const near = q[`lambda${i}`] === 0 || r < 0.25, projected = dot([dx, dy], axis(i)) / ARM;
    let lambda = near ? projected : sign * r;
    if (Math.abs(lambda) < 0.05) lambda = 0;
    const changes = { [`lambda${i}`]: clamp(Math.round(lambda * 100) / 100, [-LIMIT, LIMIT]) };
    if (!near) changes.angle = Math.round(10 * (((turn + 540) % 360 + 360) % 360 - 180)) / 10;
    return put(changes);
  }
  const arms = [1, 2].map((i) => handle({
    label: `Arm ${i}`, kind: "square", at: () => armEnd(i), onMove: (px, py) => pull(i, px, py), size: () => [board.width, BOWL],
    describe: () => `curvature ${fixed(q[`lambda${i}`])}, angle ${q.angle.toFixed(1)}°`,
  }));
  const origin = handle({
    label: "Start", kind: "ring", at: () => g && pixel([q.x, q.y]), size: () => [board.width, BOWL],
    onMove: (px, py) => { const [x, y] = world(px, py); put({ x: Math.round(x * 100) / 100, y: Math.round(y * 100) / 100 }); },
    describe: () => `x = ${fixed(q.x)}, y = ${fixed(q.y)}`,
  });
  board.svg.addEventListener("click", (event) => {
    const box = board.el.getBoundingClientRect(), [x, y] = world(event.clientX - box.left, event.clientY - box.top);
    if (event.clientY - box.top > BOWL) return;
    put({ x: Math.round(x * 100) / 100, y: Math.round(y * 100) / 100 });
  });
  board.el.append(...[...arms, origin].map((h) => h.el));

  const row = (name, colour) => {
    const output = html("output", {}), mark = key("dot", name);
    if (colour) mark.style.setProperty("--ex-second", colour);
    return { el: html("div", { class: "ex-method" }, mark, output), output };
  };
  const rows = [row("gradient descent", ""), row("heavy ball", "var(--ex-accent)"),
    row("conjugate gradients", "currentColor")];
  const caption = html("p", { class: "ex-caption ex-caption-fixed" }), voice = announcer();
  explorer(
    el, html("div", { class: "ex-controls ex-controls-pairs" }, shapes.el, ...Object.values(dials).map((d) => d.el)),
    board.el, html("div", { class: "ex-methods" }, ...rows.map((r) => r.el), html("div", { class: "ex-buttons" }, film.el)),
    caption, voice.el);

  function layout() {
    if (!board.width || q.A === undefined) return;
    const unit = Math.min(board.width / 7, BOWL / 6), right = board.width - RIGHT;
    g = { unit, cx: board.width / 2, cy: BOWL / 2, k: scale(0, STEPS, LEFT, right), size: scale(...DECADES, FLOOR, TOP) };
    const reach = Math.hypot(board.width, BOWL) / 2 / unit;
    const shape = svg("g", {
      class: "ex-levels", transform: `translate(${g.cx} ${g.cy}) scale(${unit} ${-unit}) rotate(${q.angle})`,
    });
    for (const one of levelLines(q.lambda1, q.lambda2, q.tilt, reach)) {
      const kind = { class: one.sign > 0 ? "ex-level" : "ex-level ex-level-below" };
      shape.append(one.points ? svg("polyline", { ...kind, points: one.points.join(" ") })
        : svg("ellipse", { ...kind, cx: 0, cy: one.centre, rx: one.rx, ry: one.ry }));
    }
    const marks = [], found = stationary(q.A, q.b);
    if (["valley", "ridge"].includes(q.kind)) {
      const along = axis(q.lambda1 === 0 ? 1 : 2);
      marks.push(line("floor", ...pixel(plus(found, 2 * reach, along)), ...pixel(plus(found, -2 * reach, along))));
    } else if (found && q.kind !== "constant") {
      const [x, y] = pixel(found);
      marks.push(line("cross", x - 7, y, x + 7, y), line("cross", x, y - 7, x, y + 7));
    }
    for (const i of [1, 2]) {
      const [x, y] = armEnd(i), [c, s] = axis(i), out = q[`lambda${i}`] < 0 ? -22 : 22;
      marks.push(line("arm", g.cx, g.cy, x, y),
        text(i === 1 ? "λ₁" : "λ₂", clamp(x + out * c, [12, board.width - 12]), clamp(y - out * s, [10, BOWL - 10])));
    }
    const box = { left: LEFT, right, top: TOP, bottom: FLOOR };
    board.svg.replaceChildren(
      svg("svg", { width: board.width, height: BOWL }, shape, ...marks),
      ...xAxis([0, 20, 40, 60].map((k) => [k, k]), g.k, box), text("step", (LEFT + right) / 2, FLOOR + 38),
      ...yAxis([[0, "1"], [-4, power(-4)], [-8, power(-8)]], g.size, box),
      text("length of the gradient, relative to the start (log)", 0, TOP - 16, "start"));
    [...arms, origin].forEach((h) => h.refresh());
    paint();
  }

  function paint() {
    if (!g) return;
    const { pen } = board, style = palette(el), accent = getComputedStyle(el).getPropertyValue("--ex-accent");
    const head = Math.min(STEPS, film.clock / PACE), whole = Math.floor(head);
    pen.clearRect(0, 0, board.width, HEIGHT);
    const colours = [style.second, accent, style.text];
    lengths.forEach((all, i) => {
      const points = all.slice(0, whole + 1).map((size, k) => [g.k(k), g.size(clamp(Math.log10(size), DECADES))]);
      trace(pen, points, colours[i], 2, 0.95);
      disc(pen, points.at(-1), 3.5, colours[i], 1);
    });
    clip(pen, 0, 0, board.width, BOWL);
    paths.forEach((path, i) => {
      const seen = path.slice(0, whole + 1), rest = head - whole;
      if (rest > 0 && path[whole + 1]) seen.push(plus(path[whole], rest, plus(path[whole + 1], -1, path[whole])));
      // Far outside the picture a canvas loses its way: a path that flies off is cut there.
      const cut = seen.findIndex((x) => !(Math.hypot(...x) < 1e3)), points = (cut < 0 ? seen : seen.slice(0, cut + 1))
        .map((x) => pixel(Math.hypot(...x) < 1e3 ? x : [1e3 * Math.sign(x[0]), 1e3 * Math.sign(x[1])]));
      trace(pen, points, colours[i], [1.75, 1.75, 2.25][i], 0.95);
      points.slice(0, seen.length - (rest > 0 && path[whole + 1] ? 1 : 0)).forEach((at) => disc(pen, at, 2.6, colours[i], 0.95));
      disc(pen, points.at(-1), 4.5, colours[i], 1);
    });
    pen.restore();
    rows[0].output.setAttribute("data-share", head / STEPS);
  }

  function change() {
    const first = q.A === undefined;
    for (const name of Object.keys(defaults)) q[name] = Number(model.get(name));
    Object.assign(q, build(q.lambda1, q.lambda2, q.angle, q.tilt));
    q.kind = classify(q.A, q.b);
    const start = [q.x, q.y];
    paths = [heavyBall(q.A, q.b, start, q.eta, 0, STEPS), heavyBall(q.A, q.b, start, q.eta, q.beta, STEPS),
      conjugateGradient(q.A, q.b, start)];
    const size = (x) => Math.hypot(...gradient(q.A, q.b, x)) / Math.max(1e-300, Math.hypot(...gradient(q.A, q.b, start)));
    lengths = paths.map((path) => path.map(size));
    Object.entries(dials).forEach(([name, d]) => d.set(q[name]));
    shapes.set(Object.keys(SHAPES).find((s) => Object.entries(SHAPES[s]).every(([k, v]) => q[k] === v)));
    const curved = [q.lambda1, q.lambda2].filter((v) => v !== 0);
    const verdict = (rho) => (rho > 1 + 1e-9 ? "grows" : rho > 1 - 1e-9 ? "stays" : "shrinks");
    [0, q.beta].forEach((beta, i) => {
      const rho = curved.length ? spectralRadius(curved, q.eta, beta) : 1;
      rows[i].output.value = `radius ${rho.toFixed(3)}, ${verdict(rho)}`;
    });
    const taken = paths[2].length - 1, short = Math.hypot(...gradient(q.A, q.b, paths[2].at(-1))) > 1e-9;
    rows[2].output.value = short ? "stops: curvature ≤ 0" : `done in ${taken} step${taken === 1 ? "" : "s"}`;
    const [low, high] = eigenvalues(q.A), limit = 1 / high;
    caption.textContent = WORDS[q.kind] + (q.kind === "minimum"
      ? ` κ = ${number(high / low)}, and gradient descent needs a step below 2/L = ${limit.toFixed(2)}.` : "");
    board.svg.setAttribute("aria-label", `Level lines of a quadratic function with curvatures ${fixed(q.lambda1)} and `
      + `${fixed(q.lambda2)}. ${caption.textContent} Gradient descent: ${rows[0].output.value}. Heavy ball: `
      + `${rows[1].output.value}. Conjugate gradients: ${rows[2].output.value}.`);
    layout();
    film.refresh();
    if (!first) voice.say(caption.textContent);
  }
  return follow(model, defaults, { change, redraw: paint, parts: [film, board, voice] });
}

export default { render };
