// What explorers share: elements, controls, scales, one animation loop. Colours come from explorers.css.
const NS = "http://www.w3.org/2000/svg";

function build(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}
export const svg = (tag, attributes, ...children) => build(document.createElementNS(NS, tag), attributes, children);
export const html = (tag, attributes, ...children) => build(document.createElement(tag), attributes, children);

/** Makes `el` an explorer of these parts. */
export function explorer(el, ...parts) {
  el.classList.add("ex");
  el.append(...parts);
  // JupyterLab takes arrows and Enter for its own commands unless the focused element itself forbids it.
  for (const control of el.querySelectorAll("input, button, [tabindex]")) control.dataset.lmSuppressShortcuts = "true";
}

let serial = 0;
const uniqueId = () => `ex-${++serial}`;

/** Range input with its name on the left and its value on the right; `set` moves it without calling `onInput`. */
export function slider({ label, min, max, step, format = String, onInput }) {
  const id = uniqueId();
  const input = html("input", { type: "range", id, min, max, step, oninput: () => onInput(Number(input.value)) });
  const output = html("output", { for: id });
  const el = html("div", { class: "ex-slider" }, html("label", { for: id }, label), output, input);
  const set = (value) => {
    input.value = value;
    output.value = format(value);
    input.setAttribute("aria-valuetext", output.value);
    input.style.setProperty("--ex-done", `${(100 * (input.value - min)) / (max - min)}%`);
  };
  return { el, set };
}

/** Radio group drawn as one segmented control. */
export function segmented({ label, options, onChange }) {
  const name = uniqueId();
  const inputs = options.map((value) =>
    html("input", { type: "radio", name, value, onchange: () => onChange(value) }));
  const el = html("div", { class: "ex-segmented", role: "radiogroup", "aria-label": label },
    ...inputs.map((input) => html("label", {}, input, html("span", {}, input.value))));
  const set = (value) => inputs.forEach((input) => { input.checked = input.value === value; });
  return { el, set };
}

const ICONS = {
  Play: "M4 2l9 6-9 6z",
  Pause: "M3 2h4v12H3zM9 2h4v12H9z",
  Replay: "M8 3V0L3.5 4 8 8V5a4 4 0 1 1-4 4H2a6 6 0 1 0 6-6z",
  New: "M8 2v5h5v2H8v5H6V9H1V7h5V2z",
};

/** Button with an icon and a text; `set(icon, text)` changes both, the width is the stylesheet's and stays. */
export function button({ icon, text = icon, onClick, ...attributes }) {
  const el = html("button", { type: "button", class: "ex-button", onclick: onClick, ...attributes });
  const set = (newIcon, newText = newIcon) => {
    if (el.textContent === newText) return;
    const shape = svg("path", { d: ICONS[newIcon] });
    el.replaceChildren(svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, shape), newText);
  };
  set(icon, text);
  return { el, set };
}

/** An svg under a canvas of the same size in css pixels, so that text keeps its size on a phone. */
export function stage({ height, onResize }) {
  const picture = svg("svg", { role: "img", height });
  const canvas = html("canvas", { "aria-hidden": "true" });
  const el = html("div", { class: "ex-stage", style: `height:${height}px` }, picture, canvas);
  const pen = canvas.getContext("2d");
  const self = { el, svg: picture, canvas, pen, width: 0, height };
  const observer = new ResizeObserver(() => {
    const width = Math.round(el.clientWidth);
    if (!width || width === self.width) return;
    self.width = width;
    picture.setAttribute("width", width);
    const density = Math.min(devicePixelRatio || 1, 2);
    canvas.width = width * density;
    canvas.height = height * density;
    pen.scale(density, density);
    onResize();
  });
  observer.observe(el);
  self.dispose = () => observer.disconnect();
  return self;
}

export const line = (kind, x1, y1, x2, y2) => svg("line", { class: `ex-${kind}`, x1, y1, x2, y2 });
export const text = (content, x, y, anchor = "middle") =>
  svg("text", { x, y, dy: "0.32em", "text-anchor": anchor }, content);
export const curve = (points) => svg("polyline", { class: "ex-curve", points: points.join(" ") });

/** What lies between `points` and the height `ground`. */
export const area = (points, ground, kind = "hill") => svg("polygon", {
  class: `ex-${kind}`, points: [[points[0][0], ground], ...points, [points.at(-1)[0], ground]].join(" ") });

/** Grid lines and labels from `[value, label]` pairs: below an x axis at `y`, left of a y axis at `x`. */
export const xAxis = (marks, at, { top, bottom }) => marks.flatMap(([value, label]) =>
  [line("grid", at(value), top, at(value), bottom), text(label, at(value), bottom + 16)]);
export const yAxis = (marks, at, { left, right }) => marks.flatMap(([value, label]) =>
  [line("grid", left, at(value), right, at(value)), text(label, left - 8, at(value), "end")]);

/** A line through `points` on a canvas, and a disc. */
export function trace(pen, points, strokeStyle, lineWidth, globalAlpha) {
  Object.assign(pen, { strokeStyle, lineWidth, globalAlpha });
  pen.beginPath();
  for (const [x, y] of points) pen.lineTo(x, y);
  pen.stroke();
}
export function disc(pen, [x, y], radius, fillStyle, globalAlpha) {
  Object.assign(pen, { fillStyle, globalAlpha });
  pen.beginPath();
  pen.arc(x, y, radius, 0, 7);
  pen.fill();
}
/** Keeps a pen inside a rectangle until it is restored. */
export function clip(pen, ...box) {
  pen.save();
  pen.beginPath();
  pen.rect(...box);
  pen.clip();
}

/** Legend entry; `kind` is bar, line or dot. */
export const key = (kind, content = "") => html("span", { class: `ex-key ex-key-${kind}` }, content);

/** Pointer position over `el` in css pixels: hovering with a mouse, dragging with a finger. */
export function pointer(el, { onMove, onLeave }) {
  const move = (event) => {
    const box = el.getBoundingClientRect();
    onMove(event.clientX - box.left, event.clientY - box.top);
  };
  el.addEventListener("pointerdown", move);
  el.addEventListener("pointermove", move);
  // A finger that lifts has not stopped asking.
  el.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") onLeave(); });
}

/**
 * Lets mouse, finger and arrow keys pick one of several marks side by side, and says what it is.
 * `places()` lists their horizontal positions, null for a mark not drawn; `home()` is where the keyboard starts.
 */
export function picker({ label, places, home, describe, onPick }) {
  const output = html("output", { class: "ex-readout" });
  const el = html("div", {
    class: "ex-picker", role: "slider", tabindex: 0, "aria-label": label,
    onfocus: () => pick(self.picked ?? home()), onblur: () => pick(null), onkeydown,
  });
  const inside = () => [...places().keys()].filter((i) => places()[i] !== null);
  function onkeydown(event) {
    const marks = inside(), at = marks.indexOf(self.picked ?? home());
    const [next, back, end] = [at + 1, at - 1, marks.length - 1];
    const moves = { ArrowRight: next, ArrowUp: next, ArrowLeft: back, ArrowDown: back, Home: 0, End: end };
    if (!(event.key in moves)) return;
    event.preventDefault();
    pick(marks[clamp(moves[event.key], [0, end])]);
  }
  function pick(i) {
    const before = self.picked;
    self.picked = i;
    self.refresh();
    if (i !== before) onPick();
  }
  const self = {
    el, output, home, picked: null,
    refresh() {
      if (self.picked !== null && (places()[self.picked] ?? null) === null) self.picked = null;
      const marks = inside(), shown = self.picked ?? home(), text = describe(shown);
      output.value = self.picked === null ? "point at a bar" : text;
      output.classList.toggle("ex-idle", self.picked === null);
      const values = { min: 0, max: marks.length - 1, now: marks.indexOf(shown), text };
      for (const [name, value] of Object.entries(values)) el.setAttribute(`aria-value${name}`, value);
    },
  };
  const distance = (i, px) => Math.abs(places()[i] - px);
  pointer(el, {
    onMove: (px) => pick(inside().reduce((best, i) => (distance(i, px) < distance(best, px) ? i : best))),
    onLeave: () => { if (document.activeElement !== el) pick(null); },
  });
  return self;
}

/**
 * A point on a stage that mouse, finger and arrow keys drag. `at()` is where it is and `size()` how large the stage is, in css
 * pixels; `onMove(x, y)` says where the reader wants it. `kind` is ring or square; `refresh` puts it where it belongs.
 */
export function handle({ label, kind = "ring", at, size, onMove, describe }) {
  let grip = null;
  const el = html("div", {
    class: `ex-handle ex-handle-${kind}`, role: "slider", tabindex: 0, "aria-label": label, onkeydown,
    onpointerdown(event) {
      const box = el.parentElement.getBoundingClientRect(), [x, y] = at();
      grip = [event.clientX - box.left - x, event.clientY - box.top - y]; // it must not jump when it is taken
      el.setPointerCapture(event.pointerId);
    },
    onpointermove(event) {
      if (!grip) return;
      const box = el.parentElement.getBoundingClientRect();
      move(event.clientX - box.left - grip[0], event.clientY - box.top - grip[1]);
    },
    onpointerup() { grip = null; },
    onpointercancel() { grip = null; },
  });
  const move = (x, y) => onMove(...[x, y].map((v, i) => clamp(v, [6, size()[i] - 6])));
  function onkeydown(event) {
    const [x, y] = at(), step = event.shiftKey ? 1 : 8;
    const moves = {
      ArrowRight: [x + step, y], ArrowLeft: [x - step, y], ArrowUp: [x, y - step], ArrowDown: [x, y + step],
      Home: [0, y], End: [size()[0], y],
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    move(...moves[event.key]);
  }
  const refresh = () => {
    const [x, y] = at();
    el.style.transform = `translate(${x}px, ${y}px)`;
    const values = { min: 0, max: size()[0], now: Math.round(x), text: describe() };
    for (const [name, value] of Object.entries(values)) el.setAttribute(`aria-value${name}`, value);
  };
  return { el, refresh };
}

/**
 * Calls `frame(milliseconds)` on every display frame while it is wanted, `el` is in view and motion is welcome.
 * Where the reader's system asks for no motion, `onStill` shows the end of it instead.
 */
export function animation(el, { frame, onStill }) {
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let inView = false, wanted = false, handle = 0, last = null;
  const update = () => {
    const run = inView && wanted && !still.matches;
    el.dataset.animating = run;
    if (run && !handle) { last = null; handle = requestAnimationFrame(tick); }
    if (!run && handle) { cancelAnimationFrame(handle); handle = 0; }
  };
  const tick = (now) => {
    // A frame that comes late (a tab that slept) must not make the picture jump.
    const elapsed = last === null ? 0 : Math.min(now - last, 100);
    last = now;
    handle = requestAnimationFrame(tick);
    frame(elapsed);
  };
  const self = {
    play() { wanted = true; if (still.matches) onStill(); update(); },
    pause() { wanted = false; update(); },
    get still() { return still.matches; },
    dispose() { wanted = false; update(); observer.disconnect(); still.removeEventListener("change", changed); },
  };
  const changed = () => { if (still.matches) onStill(); update(); };
  const observer = new IntersectionObserver((entries) => { inView = entries.at(-1).isIntersecting; update(); });
  observer.observe(el);
  still.addEventListener("change", changed);
  update();
  return self;
}

/**
 * A film of `length` milliseconds that runs as an animation of `el`, and the button that plays, pauses and replays it. `paint`
 * draws it at `clock`; `redraw` is called instead where the film starts, stops or is refreshed, if more than a frame changes there.
 */
export function player(el, { length, paint, redraw = paint }) {
  const play = button({ icon: "Pause", class: "ex-button ex-play", onClick() {
    self.playing = self.clock === length || !self.playing;
    if (self.clock === length) self.clock = 0;
    self.refresh();
  } });
  const motion = animation(el, {
    frame(elapsed) {
      self.clock = Math.min(length, self.clock + elapsed);
      if (self.clock === length) self.refresh(); else paint();
    },
    onStill() { self.clock = length; self.refresh(); },
  });
  const self = {
    el: play.el, clock: 0, playing: true, dispose: motion.dispose,
    get running() { return self.playing && self.clock < length; },
    restart() { Object.assign(self, { clock: 0, playing: true }); },
    refresh() {
      const { running } = self;
      play.set(running ? "Pause" : self.clock < length ? "Play" : "Replay");
      redraw();
      if (running) motion.play(); else motion.pause();
    },
  };
  return self;
}

/** Colours of the stylesheet for a canvas, which cannot resolve variables itself. */
export function palette(el) {
  const style = getComputedStyle(el);
  return { text: style.color, second: style.getPropertyValue("--ex-second") };
}

/** Dragging with mouse or finger: `onStart` may refuse by returning false, `onDrag` gets css pixels over `el`. */
export function dragging(el, { onStart = () => true, onDrag }) {
  let held = false;
  const spot = (event) => {
    const box = el.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  el.addEventListener("pointerdown", (event) => {
    held = event.button === 0 && onStart(...spot(event)) !== false;
    if (!held) return;
    event.preventDefault();
    el.setPointerCapture(event.pointerId);
    onDrag(...spot(event));
  });
  el.addEventListener("pointermove", (event) => { if (held) onDrag(...spot(event)); });
  for (const end of ["pointerup", "pointercancel"]) el.addEventListener(end, () => { held = false; });
}

/** Red, green, blue (0 to 255) of a css colour that `el` may state as a variable. */
export function rgb(el, name) {
  const pen = html("canvas", { width: 1, height: 1 }).getContext("2d");
  pen.fillStyle = getComputedStyle(el).getPropertyValue(name).trim() || getComputedStyle(el).color;
  pen.fillRect(0, 0, 1, 1);
  return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
}

/**
 * A contour map as a canvas of `width` x `height` pixels: `level(i, j)` is the height at a pixel, in steps of the
 * contour lines; lines are drawn at whole numbers, `tint` fills what is high, more where the height is above `top`.
 */
export function contourMap({ width, height, level, top, line: ink, tint }) {
  const canvas = html("canvas", { width, height }), pen = canvas.getContext("2d");
  const image = pen.createImageData(width, height), row = width + 1;
  const u = new Float64Array(row * (height + 1));
  for (let j = 0; j <= height; j++) for (let i = 0; i <= width; i++) u[j * row + i] = level(i, j);
  for (let j = 0; j < height; j++) {
    for (let i = 0; i < width; i++) {
      const k = j * row + i, rise = Math.hypot(u[k + 1] - u[k], u[k + row] - u[k]) + 1e-12;
      // How many pixels away the next line is; where lines crowd they fade into a shade.
      const near = Math.max(0, 1.1 - Math.abs(u[k] - Math.round(u[k])) / rise) * Math.min(1, 0.35 / rise + 0.25);
      const fill = 0.42 * clamp((Math.floor(u[k]) + 0.5) / top, [0, 1]);
      const over = 0.45 * Math.min(1, near), alpha = over + fill * (1 - over), at = 4 * (j * width + i);
      for (let c = 0; c < 3; c++) {
        image.data[at + c] = alpha ? (ink[c] * over + tint[c] * fill * (1 - over)) / alpha : 0;
      }
      image.data[at + 3] = 255 * alpha;
    }
  }
  pen.putImageData(image, 0, 0);
  return canvas;
}

/** A canvas of `width` x `height` pixels in one colour, as opaque as `value(i, j)` (0 to 1) says; drawn larger it is smooth. */
export function heatMap({ width, height, value, tint }) {
  const canvas = html("canvas", { width, height }), pen = canvas.getContext("2d"), image = pen.createImageData(width, height);
  for (let j = 0, at = 0; j < height; j++) {
    for (let i = 0; i < width; i++, at += 4) {
      [image.data[at], image.data[at + 1], image.data[at + 2]] = tint;
      image.data[at + 3] = 255 * value(i, j);
    }
  }
  pen.putImageData(image, 0, 0);
  return canvas;
}

/** Many small discs of one colour; `points` is x, y, x, y, ... in the units of `px` and `py`. */
export function specks(pen, points, px, py, radius, fillStyle, globalAlpha = 0.9) {
  Object.assign(pen, { fillStyle, globalAlpha });
  pen.beginPath();
  for (let i = 0; i < points.length; i += 2) {
    const x = px(points[i]), y = py(points[i + 1]);
    pen.moveTo(x + radius, y);
    pen.arc(x, y, radius, 0, 7);
  }
  pen.fill();
}

/** An arrow on a canvas. */
export function arrow(pen, [x, y], [tx, ty], strokeStyle, lineWidth = 2) {
  const angle = Math.atan2(ty - y, tx - x), head = 4 + 2.5 * lineWidth;
  const length = Math.hypot(tx - x, ty - y);
  if (length < 1) return;
  Object.assign(pen, { strokeStyle, fillStyle: strokeStyle, lineWidth, globalAlpha: 1 });
  pen.beginPath();
  pen.moveTo(x, y);
  pen.lineTo(tx - Math.min(length, head) * 0.8 * Math.cos(angle), ty - Math.min(length, head) * 0.8 * Math.sin(angle));
  pen.stroke();
  pen.beginPath();
  pen.moveTo(tx, ty);
  for (const turn of [2.7, -2.7]) pen.lineTo(tx + head * Math.cos(angle + turn), ty + head * Math.sin(angle + turn));
  pen.fill();
}

/** Sets several values of the model at once: `setter(model)({ n: 3, seed: 2 })`. */
export const setter = (model) => (changes) => {
  for (const [name, value] of Object.entries(changes)) model.set(name, value);
  model.save_changes();
};

/**
 * Runs `change` now and when a value of `defaults` changes in the model, whoever changed it, and `redraw` when the site or
 * JupyterLab switches between light and dark; returns the undo, which disposes of the `parts` as well.
 */
export function follow(model, defaults, { change, redraw, parts }) {
  const events = Object.keys(defaults).map((name) => `change:${name}`), theme = new MutationObserver(redraw);
  change();
  events.forEach((event) => model.on(event, change));
  theme.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  theme.observe(document.body, { attributeFilter: ["data-jp-theme-light", "data-vscode-theme-kind"] });
  return () => {
    events.forEach((event) => model.off(event, change));
    theme.disconnect();
    parts.forEach((part) => part.dispose());
  };
}

/** Hidden text for screen readers, spoken once the reader has come to rest. */
export function announcer() {
  const el = html("p", { class: "ex-hidden", "aria-live": "polite" });
  let timer = 0;
  const say = (text) => { clearTimeout(timer); timer = setTimeout(() => { el.textContent = text; }, 800); };
  return { el, say, dispose: () => clearTimeout(timer) };
}

export const clamp = (value, [low, high]) => Math.max(low, Math.min(high, value));
export const scale = (from, to, start, end) => (value) => start + ((value - from) / (to - from)) * (end - start);

/** `count` numbers at equal distances, both ends among them. */
export const linspace = (from, to, count) => Array.from({ length: count }, (_, i) => from + (i / (count - 1)) * (to - from));

/** About `count` round numbers in [from, to]. */
export function ticks(from, to, count, smallest = 0) {
  const rough = (to - from) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(smallest, [1, 2, 5, 10].map((c) => c * power).find((s) => s >= rough));
  const first = Math.ceil(from / step - 1e-9), last = Math.floor(to / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

const raise = (digit) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(digit)];
export const power = (exponent) => `10${String(exponent).replace(/./g, raise)}`;

/** `digits` digits after the point, a true minus sign. */
export const fixed = (value, digits = 2) => value.toFixed(digits).replace("-", "−");

/** Three significant digits, powers of ten for what is small, a true minus sign. */
export function number(value) {
  if (value !== 0 && Math.abs(value) < 1e-4) {
    const [digits, exponent] = value.toExponential(2).split("e");
    return `${digits.replace("-", "−")} × ${power(Number(exponent))}`;
  }
  return Number(value).toPrecision(3).replace("-", "−");
}

/** Well-spread 32 bits from a seed and a counter, never 0, so that each walker has its own stream. */
export function hash(seed, counter) {
  let h = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) + Math.imul(counter + 1, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0 || 1;
}

/** Marsaglia's xorshift32 with shifts 13, 17, 5: uniform numbers in (0, 1). */
export function xorshift32(seed) {
  // In a typed cell the state stays an integer: four times faster than a captured variable.
  const cell = new Int32Array([seed]);
  return () => {
    let state = cell[0];
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    cell[0] = state;
    return (state >>> 0) / 4294967296;
  };
}

/** Standard normal numbers made of uniform ones (Box and Muller): two at a time, the second is kept for the next call. */
export function gaussian(uniform) {
  let spare = null;
  return () => {
    if (spare !== null) { const z = spare; spare = null; return z; }
    const radius = Math.sqrt(-2 * Math.log(uniform())), angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}
