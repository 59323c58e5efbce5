// The thread of the book: walks become a bell, and along the score of the blurred picture the noise becomes a picture.
import {
  animation, announcer, button, clamp, explorer, follow, hash, html, linspace, palette, setter, slider, specks, stage,
  trace, xorshift32,
} from "./common.mjs";

// Plain JSON: utils.explorers reads it too.
export const defaults = {"time": 1, "seed": 2};

export const SPREAD = 0.9; // of the bell, in each direction
const WALKERS = 560, STEPS = 160, LEVELS = 100, TOP = 60, LOW = 0.012, POINTS = 280;
const HEIGHT = 340, FLAT = 0.66, SECONDS = 13, TRACED = 3, BINS = 48, REACH = 3.1;
// The time line: walks until BELL, rest until BACK, then the way back.
const BELL = 0.42, BACK = 0.5;

/** `count` places in equal distances along a walk of ten steps and the bell it becomes: the book's emblem. */
export function picture(count = POINTS) {
  const rises = [0, 9, -9, 18, -9, 9, 9, -9, 18, 9], corners = [[6, 84]];
  for (const rise of rises) {
    const [x, y] = corners.at(-1);
    corners.push([x + 10, y], [x + 10, y - rise]);
  }
  const curves = [corners, Array.from({ length: 400 }, (_, i) => {
    const x = 96 + (i / 399) * 138;
    return [x, 84 - 70 * Math.exp(-(((x - 165) / 20) ** 2) / 2)];
  })];
  const lengths = curves.map((line) => line.slice(1).map(([x, y], i) => Math.hypot(x - line[i][0], y - line[i][1])));
  const total = lengths.flat().reduce((a, b) => a + b), places = [];
  let next = 0, gone = 0;
  curves.forEach((line, c) => lengths[c].forEach((length, i) => {
    for (; length && next <= gone + length; next += total / count) {
      const part = (next - gone) / length, [x, y] = line[i], [tx, ty] = line[i + 1];
      places.push((x + part * (tx - x) - 120) / 46, (50 - y - part * (ty - y)) / (46 * FLAT));
    }
    gone += length;
  }));
  return Float64Array.from(places);
}

/** Mean of the picture's points (x, y, x, y, ...) given their noisy version (x, y) at level sigma. */
export function denoise(points, x, y, sigma) {
  const scale = -1 / (2 * sigma * sigma);
  let nearest = Infinity, total = 0, mx = 0, my = 0;
  for (let i = 0; i < points.length; i += 2) nearest = Math.min(nearest, (x - points[i]) ** 2 + (y - points[i + 1]) ** 2);
  for (let i = 0; i < points.length; i += 2) {
    const weight = Math.exp(scale * ((x - points[i]) ** 2 + (y - points[i + 1]) ** 2 - nearest));
    total += weight;
    mx += weight * points[i];
    my += weight * points[i + 1];
  }
  return [mx / total, my / total];
}

/** Where all walkers stand after each step of length h in a random direction; after all steps the spread is SPREAD. */
export function walks(seed, walkers = WALKERS, steps = STEPS) {
  const uniform = xorshift32(hash(seed, 0)), h = SPREAD * Math.sqrt(2 / steps);
  const states = [new Float64Array(2 * walkers)];
  for (let n = 0; n < steps; n++) {
    states.push(states[n].map(() => 0));
    for (let i = 0; i < 2 * walkers; i += 2) {
      const angle = 2 * Math.PI * uniform();
      states[n + 1][i] = states[n][i] + h * Math.cos(angle);
      states[n + 1][i + 1] = states[n][i + 1] + h * Math.sin(angle);
    }
  }
  return states;
}

export const levels = Array.from({ length: LEVELS + 1 }, (_, i) => TOP * (LOW / TOP) ** (i / LEVELS));
/** On the screen noise keeps its size: x / sqrt(1 + sigma^2 / SPREAD^2) is the noise at high levels, the picture at low ones. */
const shrink = (sigma) => 1 / Math.hypot(1, sigma / SPREAD);

/** The way back, at its start: one state for each level, as seen on the screen. */
export const turn = (ends) => ({ states: [ends], x: ends.map((v) => v / shrink(TOP)) });

/** One more level of the way back, by Euler's method in sigma (DDIM) with the exact denoiser. */
export function descend(back, points) {
  const n = back.states.length - 1, keep = levels[n + 1] / levels[n], seen = shrink(levels[n + 1]), { x } = back;
  for (let i = 0; i < x.length; i += 2) {
    const [dx, dy] = denoise(points, x[i], x[i + 1], levels[n]);
    x[i] = dx + keep * (x[i] - dx);
    x[i + 1] = dy + keep * (x[i + 1] - dy);
  }
  back.states.push(x.map((v) => v * seen));
}

/** Which stretch of the story a time belongs to, and how far through it: ["walk" | "bell" | "back", 0 to 1]. */
export const act = (time) => (time < BELL ? ["walk", time / BELL] : time < BACK ? ["bell", 1] : ["back", (time - BACK) / (1 - BACK)]);

const WORDS = {
  walk: "A walk: everyone leaves the pub at once, step by random step.",
  bell: "A bell: where each one went is forgotten, only the Gaussian is left.",
  back: "And back: along the score, noise becomes a picture.",
};

function render({ model, el }) {
  let time, seed, there, back, playing = true, drawn = null;
  const points = picture();
  const put = setter(model);
  const dial = slider({ label: "time", min: 0, max: 1, step: 0.005, format: (v) => `${Math.round(100 * v)} %`,
    onInput: (v) => { playing = false; put({ time: v }); refresh(); } });
  const play = button({ icon: "Pause", class: "ex-button ex-play", onClick() {
    playing = !playing;
    if (playing && time >= 1) put({ time: begin() });
    refresh();
  } });
  const fresh = button({ icon: "New", text: "New walks", onClick() { playing = true; put({ seed: seed + 1, time: begin() }); refresh(); } });
  const board = stage({ height: HEIGHT, onResize: draw }), voice = announcer();
  board.svg.setAttribute("aria-label", "Points walk at random from one place until they form a bell, and flow back from it into a picture.");
  const words = html("p", { class: "ex-caption ex-words" });
  explorer(el, board.el, words,
    html("div", { class: "ex-controls" }, dial.el, html("div", { class: "ex-buttons" }, play.el, fresh.el)), voice.el);

  /** Where motion is unwelcome the story begins at its end. */
  const begin = () => (motion.still ? 1 : 0);

  function read() {
    const [t, s] = [model.get("time"), model.get("seed")];
    if (s !== seed) {
      seed = s;
      there = walks(seed);
      back = turn(there.at(-1));
    }
    time = clamp(t, [0, 1]);
    refresh();
  }

  /** The states until a time, and the points between the last two. */
  function until(kind, part) {
    const last = kind === "back" ? LEVELS : STEPS, i = Math.min(Math.floor(part * last), last - 1), f = part * last - i;
    while (kind === "back" && back.states.length < i + 2) descend(back, points);
    const states = kind === "back" ? back.states : there, [a, b] = [states[i], states[i + 1]];
    return [states.slice(0, i + 1), a.map((v, k) => v + f * (b[k] - v))];
  }

  function draw() {
    if (!board.width || !there) return;
    const { pen, width } = board, unit = Math.min(width / (2 * REACH), HEIGHT / 2.9);
    const px = (x) => width / 2 + unit * x, py = (y) => HEIGHT * 0.42 - FLAT * unit * y;
    const { text, second } = palette(el), accent = getComputedStyle(el).getPropertyValue("--ex-accent");
    const [kind, part] = act(time), [states, now] = until(kind, part);
    pen.clearRect(0, 0, width, HEIGHT);
    // Below, how the points are spread from left to right; beside it the bell of the walk.
    const bars = new Float64Array(BINS), floor = HEIGHT - 4, cell = (2 * REACH) / BINS;
    for (let i = 0; i < now.length; i += 2) bars[Math.floor((now[i] + REACH) / cell)]++;
    const spread = SPREAD * Math.sqrt(kind === "walk" ? part : 1), tall = HEIGHT * 0.16 * SPREAD * Math.sqrt(2 * Math.PI);
    const high = (density) => floor - Math.min(tall * density, 0.3 * HEIGHT);
    Object.assign(pen, { fillStyle: accent, globalAlpha: 0.3 });
    bars.forEach((n, i) => {
      const top = high(n / (now.length / 2) / cell);
      pen.fillRect(px(-REACH + i * cell) + 0.5, top, unit * cell - 1, floor - top);
    });
    if (spread > 0.1) {
      const bell = (x) => Math.exp(-((x / spread) ** 2) / 2) / (spread * Math.sqrt(2 * Math.PI));
      const line = linspace(-REACH, REACH, 121).map((x) => [px(x), high(bell(x))]);
      trace(pen, line, text, 1.5, kind === "back" ? 0.25 : 0.8);
    }
    // The way of a few, then everybody, then the few once more.
    for (let k = 0; k < TRACED; k++) {
      const past = states.map((s) => [px(s[2 * k]), py(s[2 * k + 1])]);
      trace(pen, [...past, [px(now[2 * k]), py(now[2 * k + 1])]], second, 1.25, 0.75);
    }
    specks(pen, now, px, py, 1.8, accent, 0.75);
    specks(pen, now.slice(0, 2 * TRACED), px, py, 4, second, 1);
    pen.globalAlpha = 1;
    board.el.dataset.share = time; // of the story that has been told
    if (kind !== drawn) {
      drawn = kind;
      words.textContent = WORDS[kind];
      voice.say(WORDS[kind]);
    }
  }

  const motion = animation(el, {
    frame(elapsed) {
      if (back.states.length <= LEVELS) descend(back, points); // a little ahead, so that no frame has to wait
      model.set("time", Math.min(1, time + elapsed / (1000 * SECONDS)));
      if (time >= 1) { playing = false; model.save_changes(); refresh(); }
    },
    onStill() { playing = false; },
  });
  function refresh() {
    dial.set(time);
    play.set(...(playing ? ["Pause"] : time >= 1 ? ["Replay", "Again"] : ["Play"]));
    if (playing) motion.play(); else motion.pause();
    draw();
  }
  model.set("time", begin());
  return follow(model, defaults, { change: read, redraw: draw, parts: [motion, board, voice] });
}

export default { render };
