// Blur, score, walk: a mixture under noise, the arrows of its score, and particles that walk along them.
import {
  animation, announcer, button, clamp, explorer, fixed, follow, gaussian, handle, hash, heatMap, html, rgb, setter, slider,
  specks, stage, svg, xorshift32,
} from "./common.mjs";

// Plain JSON: utils.explorers reads it too.
export const defaults = {"sigma": 0.05, "a": 0.3, "centres": [[-1.1, 0.5], [1.2, 0.9], [0.5, -1.2]], "seed": 1};

export const WEIGHTS = [0.5, 0.3, 0.2], WIDTH = 0.25;
export const NAMES = ["A", "B", "C"];

/** Modes `{w, m, C}` blurred by sigma: what evaluation needs of each, as one flat array (log-weight, mean, inverse). */
export function blur(modes, sigma) {
  return modes.flatMap(({ w, m, C }) => {
    const a = C[0][0] + sigma * sigma, b = C[0][1], c = C[1][1] + sigma * sigma, det = a * c - b * b;
    return [Math.log(w / (2 * Math.PI * Math.sqrt(det))), m[0], m[1], c / det, -b / det, a / det];
  });
}

/** Writes log p, score and responsibilities at (x, y) into `out` (3 + number of modes). */
export function evaluate(flat, x, y, out) {
  const count = flat.length / 6;
  let top = -Infinity, total = 0, sx = 0, sy = 0;
  for (let k = 0; k < count; k++) {
    const i = 6 * k, u = x - flat[i + 1], v = y - flat[i + 2];
    out[3 + k] = flat[i] - (flat[i + 3] * u * u + 2 * flat[i + 4] * u * v + flat[i + 5] * v * v) / 2;
    if (out[3 + k] > top) top = out[3 + k];
  }
  for (let k = 0; k < count; k++) total += out[3 + k] = Math.exp(out[3 + k] - top);
  for (let k = 0; k < count; k++) {
    const i = 6 * k, u = x - flat[i + 1], v = y - flat[i + 2], r = (out[3 + k] /= total);
    sx -= r * (flat[i + 3] * u + flat[i + 4] * v);
    sy -= r * (flat[i + 4] * u + flat[i + 5] * v);
  }
  out[0] = top + Math.log(total);
  out[1] = sx;
  out[2] = sy;
  return out;
}

/** log p_sigma, score, denoised value and responsibilities at one point, by name. */
export function field(modes, x, y, sigma) {
  const [logp, sx, sy, ...r] = evaluate(blur(modes, sigma), x, y, new Array(3 + modes.length));
  return { logp, score: [sx, sy], denoised: [x + sigma * sigma * sx, y + sigma * sigma * sy], r };
}

/** The three round modes of the explorer. */
export const trio = (centres) =>
  centres.map((m, k) => ({ w: WEIGHTS[k], m, C: [[WIDTH * WIDTH, 0], [0, WIDTH * WIDTH]] }));

/** Standard normal numbers of a seed, endlessly. */
export const normals = (seed) => gaussian(xorshift32(hash(seed, 0)));

/** One Langevin step of size `step` for all particles (x, y, x, y, ...), in place. */
export function walk(points, flat, step, normal) {
  const out = new Array(3 + flat.length / 6), root = Math.sqrt(step);
  for (let i = 0; i < points.length; i += 2) {
    evaluate(flat, points[i], points[i + 1], out);
    points[i] += step / 2 * out[1] + root * normal();
    points[i + 1] += step / 2 * out[2] + root * normal();
  }
  return points;
}

/** Share of the particles nearest to each centre. */
export function shares(points, centres) {
  const counts = centres.map(() => 0);
  for (let i = 0; i < points.length; i += 2) {
    const far = centres.map(([x, y]) => (points[i] - x) ** 2 + (points[i + 1] - y) ** 2);
    counts[far.indexOf(Math.min(...far))]++;
  }
  return counts.map((n) => n / (points.length / 2));
}

const COUNT = 200, TOP = 2.5, BOTTOM = 0.05, FALL = 8000, TICK = 1000 / 40, HEIGHT = 400, REACH = 2.3, EDGE = 1.9, CELL = 6, MESH = 34;
/** Noise level at a time between 0 and 1 of the anneal. */
export const ladder = (t) => TOP * (BOTTOM / TOP) ** t;

function render({ model, el }) {
  let sigma, a, centres, seed, modes, flat, points, normal, shown, ground = null, drawn = null, paper;
  let time = 0, falling = true, late = 0, playing = true; // the opening is an anneal
  const put = setter(model);
  const stay = () => { [time, falling] = [1, false]; };
  const dials = {
    sigma: slider({ label: "noise σ", min: 0, max: 3, step: 0.01, format: fixed,
      onInput: (v) => { stay(); put({ sigma: v }); } }),
    a: slider({ label: "step a", min: 0.02, max: 2, step: 0.02, format: fixed, onInput: (v) => put({ a: v }) }),
  };
  const play = button({ icon: "Pause", class: "ex-button ex-play", onClick() { playing = !playing; refresh(); } });
  const scatter = button({ icon: "New", text: "Scatter", onClick() { stay(); playing = true; put({ seed: seed + 1 }); refresh(); } });
  const anneal = button({ icon: "Replay", text: "Anneal", onClick() {
    [time, falling, playing] = [0, true, true];
    put({ sigma: BOTTOM, seed: seed + 1 });
    refresh();
  } });
  const board = stage({ height: HEIGHT, onResize: layout });
  const size = () => [board.width, HEIGHT];
  const unit = () => Math.min(board.width, HEIGHT) / (2 * REACH);
  const px = (x) => board.width / 2 + unit() * x, py = (y) => HEIGHT / 2 - unit() * y;
  const hands = NAMES.map((name, k) => handle({
    label: `Mode ${name}`, size, at: () => [px(centres[k][0]), py(centres[k][1])],
    describe: () => `mode ${name}, weight ${WEIGHTS[k]}, at ${fixed(centres[k][0])}, ${fixed(centres[k][1])}`,
    onMove(x, y) {
      const place = [(x - board.width / 2) / unit(), (HEIGHT / 2 - y) / unit()].map((v) => Math.round(100 * clamp(v, [-EDGE, EDGE])) / 100);
      put({ centres: centres.map((m, j) => (j === k ? place : m)) });
    },
  }));
  board.el.append(...hands.map((hand) => hand.el));
  const meters = NAMES.map((name, k) => {
    const bar = html("span", { class: "ex-share-bar" }), value = html("output", {});
    const truth = html("span", { class: "ex-share-true", style: `left:${100 * WEIGHTS[k]}%` });
    return { bar, value, el: html("div", { class: "ex-share" }, html("span", {}, `${name} ${100 * WEIGHTS[k]} %`),
      html("span", { class: "ex-share-track" }, bar, truth), value) };
  });
  const caption = html("p", { class: "ex-caption ex-words" }), voice = announcer();
  explorer(
    el, html("div", { class: "ex-controls" }, dials.sigma.el, dials.a.el,
      html("div", { class: "ex-buttons" }, play.el, scatter.el, anneal.el)),
    board.el, html("div", { class: "ex-shares" }, ...meters.map((m) => m.el)), caption, voice.el);

  const level = () => (time < 1 ? shown : sigma);
  const stride = () => a * (level() ** 2 + WIDTH ** 2);

  function begin() {
    const uniform = xorshift32(hash(seed, 1));
    normal = normals(seed);
    points = Float64Array.from({ length: 2 * COUNT }, () => 2 * REACH * (uniform() - 0.5));
  }

  // What changes with the law alone: density and arrows, kept as one picture.
  function prepare() {
    flat = blur(modes, level());
    if (!board.width) return;
    paper = `rgb(${rgb(el, "--ex-paper").join()})`;
    const out = new Array(6), style = getComputedStyle(el), density = board.canvas.width / board.width, wide = level() + WIDTH;
    const columns = Math.ceil(board.width / CELL), rows = Math.ceil(HEIGHT / CELL), world = unit();
    const at = (i, j) => evaluate(flat, (i * CELL - board.width / 2) / world, (HEIGHT / 2 - j * CELL) / world, out)[0];
    const peak = Math.max(...centres.map(([x, y]) => evaluate(flat, x, y, out)[0]));
    const heat = heatMap({ width: columns + 1, height: rows + 1, tint: rgb(el, "--ex-accent"),
      value: (i, j) => 0.8 * Math.exp(0.6 * (at(i, j) - peak)) });
    ground ??= html("canvas", {});
    Object.assign(ground, { width: board.canvas.width, height: board.canvas.height });
    const pen = ground.getContext("2d");
    pen.scale(density, density);
    pen.drawImage(heat, -CELL / 2, -CELL / 2, (columns + 1) * CELL, (rows + 1) * CELL);
    Object.assign(pen, { strokeStyle: style.color, lineWidth: 1.1, globalAlpha: 0.55 });
    pen.beginPath();
    const [nx, ny] = [Math.floor(board.width / MESH), Math.floor(HEIGHT / MESH)];
    for (let i = 0; i < nx; i++) {
      for (let j = 0; j < ny; j++) {
        const x = (i + 0.5) * board.width / nx, y = (j + 0.5) * HEIGHT / ny;
        evaluate(flat, (x - board.width / 2) / world, (HEIGHT / 2 - y) / world, out);
        const slope = Math.hypot(out[1], out[2]), turn = Math.atan2(-out[2], out[1]);
        const length = 0.72 * MESH * slope * wide / (2 + slope * wide), cx = Math.cos(turn) * length, cy = Math.sin(turn) * length;
        pen.moveTo(x - cx / 2, y - cy / 2);
        pen.lineTo(x + cx / 2, y + cy / 2);
        for (const bend of [2.6, -2.6]) {
          pen.moveTo(x + cx / 2, y + cy / 2);
          pen.lineTo(x + cx / 2 + 0.3 * length * Math.cos(turn + bend), y + cy / 2 + 0.3 * length * Math.sin(turn + bend));
        }
      }
    }
    pen.stroke();
  }

  function layout() {
    if (!board.width) return;
    board.svg.replaceChildren(
      svg("rect", { class: "ex-frame", x: 0.5, y: 0.5, width: board.width - 1, height: HEIGHT - 1, rx: 8 }));
    hands.forEach((hand) => hand.refresh());
    prepare();
    paint();
  }

  function paint() {
    if (!board.width || !points) return;
    const { pen } = board, found = shares(points, centres), style = getComputedStyle(el);
    pen.clearRect(0, 0, board.width, HEIGHT);
    pen.globalAlpha = 1;
    if (ground) pen.drawImage(ground, 0, 0, board.width, HEIGHT);
    specks(pen, points, px, py, 2.4, style.getPropertyValue("--ex-second"));
    Object.assign(pen, { font: `600 14px ${style.fontFamily}`, textAlign: "center", textBaseline: "middle", lineWidth: 4 });
    Object.assign(pen, { lineJoin: "round", strokeStyle: paper, fillStyle: style.color, globalAlpha: 1 });
    NAMES.forEach((name, k) => {
      const spot = [px(centres[k][0]) + 18, py(centres[k][1]) - 14];
      pen.strokeText(name, ...spot);
      pen.fillText(name, ...spot);
    });
    meters.forEach(({ bar, value, el: row }, k) => {
      bar.style.width = `${100 * found[k]}%`;
      value.textContent = `${Math.round(100 * found[k])} %`;
      row.dataset.share = found[k];
    });
  }

  function say() {
    const off = Math.max(...shares(points, centres).map((share, k) => Math.abs(share - WEIGHTS[k])));
    caption.textContent = level() > 1.2 ? "Much noise: one hill, one basin. The particles move between the modes as they please."
      : level() > 0.35 ? "Some noise: the valleys are filled, and particles still cross from mode to mode."
        : `Little noise: each basin keeps what it has. ${off < 0.08 ? "The shares are those of the weights."
          : "The shares are those of the start, not of the weights: try Anneal."}`;
    return `noise ${fixed(level())}. ${caption.textContent}`;
  }

  // Where motion is unwelcome: the end of a walk, or of an anneal, at once.
  function settle() {
    begin();
    for (let i = 0; i < 320; i++) {
      time = falling ? i / 320 : 1;
      shown = ladder(time);
      flat = blur(modes, level());
      walk(points, flat, stride(), normal);
    }
    time = 1;
    prepare();
    paint();
  }

  const motion = animation(board.el, {
    frame(elapsed) {
      late += elapsed;
      if (time < 1) {
        time = Math.min(1, time + elapsed / FALL);
        shown = ladder(time);
        dials.sigma.set(level());
        prepare();
        if (time === 1) say();
      }
      for (let n = 0; late >= TICK && n < 4; n++, late -= TICK) walk(points, flat, stride(), normal);
      paint();
      if (caption.textContent && Math.abs(level() - drawn) > 0.1) { drawn = level(); say(); }
    },
    onStill() { settle(); },
  });

  function refresh() {
    play.set(playing ? "Pause" : "Play");
    if (playing) motion.play(); else motion.pause();
  }

  function change() {
    const first = seed === undefined, before = seed;
    [sigma, a, centres, seed] = ["sigma", "a", "centres", "seed"].map((name) => model.get(name));
    modes = trio(centres);
    if (time < 1) shown = ladder(time);
    if (seed !== before) begin();
    if (motion.still) settle();
    dials.sigma.set(level());
    dials.a.set(a);
    layout();
    const said = say();
    drawn = level();
    board.svg.setAttribute("aria-label", `Blurred density of three modes with weights ${WEIGHTS.join(", ")}, arrows of its score, and `
      + `${COUNT} walking particles. ${said}`);
    if (!first) voice.say(said);
    refresh();
  }
  return follow(model, defaults, { change, redraw: layout, parts: [motion, board, voice] });
}

export default { render };
