// A ward in which births arrive live: thinned by a slider, counted row by row, held against the Poisson law.
import {
  announcer, button, clamp, disc, explorer, follow, hash, html, key, line, number, palette, picker, player, scale,
  segmented, slider, stage, svg, text, ticks, xAxis, xorshift32, yAxis,
} from "./common.mjs";

// Plain JSON: utils.explorers reads it too.
export const defaults = {"rate": 6, "hours": 1, "keep": 0.5, "arrivals": "by chance", "seed": 1};

/** P(N = n), N ~ Poisson(mu): the logarithm by recurrence, so that nothing underflows on the way. */
export function pmf(mu, n) {
  if (mu === 0) return n === 0 ? 1 : 0;
  let log = -mu;
  for (let k = 1; k <= n; k++) log += Math.log(mu / k);
  return Math.exp(log);
}

/** P(N(t) = n) of the events kept with probability `keep` from a process of rate `rate`. */
export const keptPmf = (rate, hours, keep, n) => pmf(rate * hours * keep, n);

/** P(from < T < to) for a gap T of a process of rate `rate`. */
export const gapBetween = (rate, from, to) => Math.exp(-rate * from) - Math.exp(-rate * to);

const SIZE = 3, WIDTH = 0.2; // children of a mother on average; hours within which they are born
const JITTER = 0.15; // of an even gap

/** Index of dispersion of the number kept, if that of all events is `whole`. */
export const thinned = (keep, whole) => 1 + keep * (whole - 1);

/** The same of a stream in groups, for windows no shorter than WIDTH, and of a Poisson process. */
export const index = (hours, keep, arrivals) =>
  (arrivals === "in groups" ? thinned(keep, 1 + SIZE * (1 - WIDTH / (3 * hours))) : 1);

const exponential = (uniform) => -Math.log(1 - uniform());
function draw(mu, uniform) {
  let n = -1;
  for (let sum = 0; sum <= mu; n++) sum += exponential(uniform);
  return n;
}

const STREAMS = {
  "by chance": (rate, hours, uniform, put) => {
    for (let t = exponential(uniform) / rate; t < hours; t += exponential(uniform) / rate) put(t);
  },
  "in groups": (rate, hours, uniform, put) => {
    const gap = () => (exponential(uniform) * SIZE) / rate;
    for (let t = gap() - WIDTH; t < hours; t += gap()) {
      for (let left = draw(SIZE, uniform); left > 0; left--) put(t + WIDTH * uniform());
    }
  },
  "evenly spaced": (rate, hours, uniform, put) => {
    for (let k = -uniform(); k < rate * hours + 1; k++) put((k + JITTER * (2 * uniform() - 1)) / rate);
  },
};

/** Row number i: its arrivals, each with the mark that decides whether it is kept, in order of time. */
export function row(seed, i, rate, hours, arrivals = "by chance") {
  // Two streams, so that the slider for keeping moves no event and changes no other mark.
  const uniform = xorshift32(hash(seed, 2 * i)), mark = xorshift32(hash(seed, 2 * i + 1)), events = [];
  STREAMS[arrivals](rate, hours, uniform, (t) => events.push([t, mark()]));
  return events.filter(([t]) => t > 0 && t <= hours).sort((a, b) => a[0] - b[0]);
}

/** Number kept in row i. */
export const keptCount = (seed, i, rate, hours, keep, arrivals) =>
  row(seed, i, rate, hours, arrivals).filter(([, mark]) => mark < keep).length;

const WORDS = {
  "by chance": "Every event is kept or lost by its own coin. What is kept is a Poisson process again, of rate πλ, "
    + "wherever the sliders stand.",
  "in groups": "Same rate, in groups of three on average: more empty windows, more crowded ones. Keep fewer, and "
    + "variance/mean falls towards 1.",
  "evenly spaced": "Same rate, but births keep their distance: the count hardly varies. Keep fewer, and "
    + "variance/mean rises towards 1 as π falls.",
};

// The clock: rows come slowly at first and faster and faster, TOTAL of them in all; SHOWN are watched one by one.
const TOTAL = 2000, PREVIEW = 300, SHOWN = 40, ROWS = 9, START = 3, GROWTH = 2300, FALL = 500;
const rowsAt = (clock) => Math.min(TOTAL, START * Math.expm1(clock / GROWTH));
const clockAt = (rows) => GROWTH * Math.log1p(rows / START);
const LENGTH = clockAt(TOTAL) + FALL;

// Css pixels.
const LEFT = 44, RIGHT = 12, TOP = 16, ROW = 24, SHELF = TOP + ROW * ROWS, CEILING = 312, FLOOR = 456, HEIGHT = 500;

function render({ model, el }) {
  let state = {}, law, g, bars = [], dots = [], rows = [], counted = -1, seen;
  const put = (name) => (value) => { model.set(name, value); model.save_changes(); };
  const kind = segmented({ label: "Births come", options: Object.keys(STREAMS), onChange: put("arrivals") });
  const rate = slider({
    label: "rate λ per hour", min: 0.2, max: 10, step: 0.1, format: (v) => v.toFixed(1), onInput: put("rate") });
  const hours = slider({
    label: "window t in hours", min: 0.2, max: 4, step: 0.1, format: (v) => v.toFixed(1), onInput: put("hours") });
  const keep = slider({
    label: "chance π to be kept", min: 0, max: 1, step: 0.01, format: (v) => v.toFixed(2), onInput: put("keep") });
  keep.el.style.gridColumn = "1 / -1";
  const fresh = button({ icon: "New", text: "New births", onClick: () => put("seed")(state.seed + 1) });
  const board = stage({ height: HEIGHT, onResize: layout });
  const film = player(board.el, { length: LENGTH, paint });
  const bar = picker({
    label: "Bar", describe, home: () => law.P.indexOf(Math.max(...law.P)),
    places: () => law.k.map((k) => (g ? g.x(k) : null)),
    onPick() { bars.forEach((b, i) => b.classList.toggle("ex-picked", i === bar.picked)); paint(); },
  });
  const keptKey = key("dot", "kept"), rowsKey = key("dot"), voice = announcer(), caption = html("p", { class: "ex-caption" });
  const buttons = html("div", { class: "ex-buttons" }, film.el, fresh.el);
  keptKey.style.flexBasis = "auto";
  rowsKey.style.flexBasis = "100%"; // its numbers change, and move nothing on a line of their own
  board.el.append(bar.el, bar.output);
  bar.output.style.top = `${CEILING - 34}px`;
  bar.el.style.height = `${HEIGHT - CEILING + 20}px`;
  explorer(
    el, html("div", { class: "ex-controls" }, kind.el, rate.el, hours.el, buttons, keep.el), board.el,
    html("div", { class: "ex-legend" }, keptKey, key("ring", "lost"), key("bar", "Poisson law"), rowsKey),
    caption, voice.el);

  function describe(i) {
    return `n = ${law.k[i]}: law ${number(law.P[i])}, seen ${number(seen?.share[i] ?? 0)}`;
  }

  function layout() {
    if (!board.width) return;
    const right = board.width - RIGHT, top = law.k.at(-1);
    const x = scale(-0.6, top + 0.6, LEFT, right), y = scale(0, 1.12 * law.peak, FLOOR, CEILING);
    g = { right, x, y, time: scale(0, state.hours, LEFT, right - 30) };
    const width = Math.min(40, 0.75 * (x(1) - x(0)));
    bars = law.k.map((k, i) => svg("rect", {
      class: "ex-bar", "data-k": k, "data-p": law.P[i], x: x(k) - width / 2, width, y: y(law.P[i]),
      height: FLOOR - y(law.P[i]), rx: Math.min(2, width / 4),
    }));
    const radius = Math.min(4, Math.max(2, width / 3));
    dots = law.k.map((k) => svg("circle", { class: "ex-dot", cx: x(k), r: radius, "data-k": k }));
    const box = { left: LEFT, right, top: CEILING, bottom: FLOOR }, hoursBox = { ...box, top: TOP, bottom: SHELF };
    board.svg.replaceChildren(
      ...xAxis(ticks(0, state.hours, 4).map((t) => [t, t]), g.time, hoursBox), text("hours", LEFT - 8, SHELF + 16, "end"),
      text("kept", right, 6, "end"),
      ...xAxis(ticks(0, top, Math.min(12, board.width / 45), 1).map((k) => [k, k]), x, box),
      text(`kept births in ${state.hours.toFixed(1)} h`, (LEFT + right) / 2, FLOOR + 36),
      ...yAxis(ticks(0, 1.12 * law.peak, 3).slice(1).map((v) => [v, v]), y, box),
      text("probability", 0, CEILING - 24, "start"), ...bars, ...dots, line("axis", LEFT, FLOOR, right, FLOOR));
    counted = -1;
    paint();
    bar.refresh();
  }

  /** Rows are simulated when they are first needed. */
  function fill(count) {
    const { seed, rate, hours, arrivals } = state;
    while (rows.length < Math.max(count, SHOWN)) rows.push(row(seed, rows.length, rate, hours, arrivals));
  }

  function kept(events) {
    let n = 0;
    for (const [, mark] of events) if (mark < state.keep) n++;
    return n;
  }

  /** Frequencies of the first `count` rows. */
  function tally(count) {
    counted = count;
    const { rate: λ, hours: t, keep: π, arrivals } = state;
    fill(count);
    const share = new Float64Array(law.k.length);
    let sum = 0, squares = 0, all = 0, allSquares = 0;
    for (let i = 0; i < count; i++) {
      const n = kept(rows[i]);
      if (n < share.length) share[n]++;
      sum += n; squares += n * n;
      all += rows[i].length; allSquares += rows[i].length ** 2;
    }
    const overMean = (s, q) => (s ? q / s - s / count : 0), ratio = overMean(sum, squares);
    // What is evenly spaced has no simple index before thinning: it is measured in the same rows.
    const due = arrivals === "evenly spaced" ? thinned(π, overMean(all, allSquares)) : index(t, π, arrivals);
    seen = { share: share.map((c) => c / Math.max(1, count)), ratio };
    dots.forEach((dot, i) => {
      dot.setAttribute("cy", seen.share[i] ? Math.max(CEILING - 8, g.y(seen.share[i])) : 2 * HEIGHT);
      dot.setAttribute("data-share", seen.share[i]);
    });
    const total = String(count).replace(/(\d)(\d{3})$/, "$1 $2");
    rowsKey.textContent = `${total} windows, variance/mean ${
      count > 9 ? `${ratio.toFixed(2)}, due ${due.toFixed(2)}` : "…"}`;
    board.svg.setAttribute("aria-label", `Births ${arrivals} at rate ${λ.toFixed(1)} in windows of ${t.toFixed(1)} hours, `
      + `each kept with probability ${π.toFixed(2)}: the Poisson law of mean ${law.mu.toFixed(2)} as bars, and `
      + `frequencies in ${total} windows with variance over mean ${ratio.toFixed(2)}. Most likely ${describe(bar.home())}.`);
    bar.refresh();
  }

  function paint() {
    if (!g) return;
    const now = rowsAt(film.clock), whole = Math.floor(now + 1e-9);
    if (whole !== counted) tally(whole);
    const { pen } = board, colour = palette(el), head = Math.min(now, SHOWN), current = Math.min(SHOWN - 1, Math.floor(head));
    // A new row pushes the others up within the first fifth of its time.
    const lift = current < ROWS ? 0 : Math.min(1, (head - current) * 5) - 1;
    pen.clearRect(0, 0, board.width, HEIGHT);
    Object.assign(pen, { font: `600 13px ${getComputedStyle(el).fontFamily}`, textAlign: "right", textBaseline: "middle" });
    for (let i = Math.max(0, current - ROWS); i <= current; i++) {
      const slot = current < ROWS ? i : ROWS - 1 - current + i - lift, y = TOP + ROW * (slot + 0.5);
      const until = i < head - 1 || whole >= SHOWN ? 1 : head - i, fade = clamp(1 + 2 * slot, [0, 1]);
      const picked = bar.picked !== null, n = kept(rows[i]);
      const strength = fade * (picked && law.k[bar.picked] !== n ? 0.25 : 1);
      Object.assign(pen, { globalAlpha: 0.3 * fade, strokeStyle: colour.text, lineWidth: 1 });
      pen.beginPath(); pen.moveTo(LEFT, y); pen.lineTo(g.time(until * state.hours), y); pen.stroke();
      for (const [t, mark] of rows[i]) {
        if (t > until * state.hours) break;
        const at = [g.time(t), y], born = (until * state.hours - t) / state.hours;
        const pop = until < 1 ? 1 + 1.4 * Math.max(0, 1 - born * 14) : 1;
        if (mark < state.keep) disc(pen, at, 4.2 * pop, colour.second, strength);
        else {
          Object.assign(pen, { globalAlpha: 0.75 * strength, lineWidth: 1.3 });
          pen.beginPath(); pen.arc(at[0], at[1], 3.4 * pop, 0, 7); pen.stroke();
        }
      }
      if (until === 1) {
        Object.assign(pen, { globalAlpha: strength, fillStyle: colour.text });
        pen.fillText(n, g.right, y);
      }
      // The finished row's count falls into the histogram.
      const age = (film.clock - clockAt(i + 1)) / FALL;
      if (age > 0 && age < 1 && n <= law.k.at(-1)) {
        const to = [g.x(n), Math.max(CEILING, g.y(seen.share[n]))];
        disc(pen, [g.right - 4 + age * (to[0] - g.right + 4), y + age ** 2 * (to[1] - y)], 4, colour.second, 0.9);
      }
    }
  }

  function change() {
    const old = state, between = (name, ...limits) => clamp(Number(model.get(name)), limits);
    state = {
      rate: between("rate", 0.2, 10), hours: between("hours", 0.2, 4), keep: between("keep", 0, 1),
      arrivals: model.get("arrivals") in STREAMS ? model.get("arrivals") : defaults.arrivals, seed: model.get("seed"),
    };
    if (old.seed !== state.seed) film.restart();
    if (["seed", "rate", "hours", "arrivals"].some((name) => old[name] !== state[name])) rows = [];
    const mu = state.rate * state.hours * state.keep, sd = Math.sqrt(mu);
    const k = Array.from({ length: Math.max(5, Math.ceil(mu + 3.5 * sd + 2)) }, (_, i) => i);
    const P = k.map((n) => pmf(mu, n));
    fill(PREVIEW);
    const preview = new Float64Array(k.length);
    for (const events of rows.slice(0, PREVIEW)) preview[kept(events)] += 1 / PREVIEW;
    law = { mu, k, P, peak: Math.max(...P, ...(state.arrivals === "by chance" ? [] : preview)) };
    kind.set(state.arrivals); rate.set(state.rate); hours.set(state.hours); keep.set(state.keep);
    caption.textContent = WORDS[state.arrivals];
    layout();
    film.refresh();
    if (old.rate !== undefined) {
      voice.say(`Births ${state.arrivals}, mean ${mu.toFixed(2)}, variance over mean ${seen?.ratio.toFixed(2) ?? 1}.`);
    }
  }
  return follow(model, defaults, { change, redraw: paint, parts: [film, board, voice] });
}

export default { render };
