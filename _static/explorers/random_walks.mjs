// Galton board with memory: four laws of the simple random walk, exact, in the limit and simulated.
import {
  animation, announcer, button, clamp, curve, disc, explorer, follow, hash, html, key, line, linspace, number, palette,
  picker, power, scale, segmented, slider, stage, svg, text, ticks, trace, xAxis, xorshift32, yAxis,
} from "./common.mjs";

// Plain JSON: utils.explorers reads it too.
export const defaults = {"n": 50, "p": 0.5, "view": "position", "seed": 1};

const STIRLING = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156];

/** ln Γ(x), x > 0: Stirling's series, after x has been lifted above 10 where its terms fall below 1e-16. */
export function lgamma(x) {
  let lift = 1;
  while (x < 10) lift *= x++;
  const tail = STIRLING.reduceRight((sum, c) => sum / (x * x) + c, 0) / x;
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + tail - Math.log(lift);
}

const logPmf = (n, k, p) => {
  const up = (n + k) / 2, down = n - up;
  return lgamma(n + 1) - lgamma(up + 1) - lgamma(down + 1) + up * Math.log(p) + down * Math.log1p(-p);
};

/** P(S_n = k), 0 < p < 1. */
export const pmf = (n, k, p = 0.5) => ((n + k) % 2 || Math.abs(k) > n ? 0 : Math.exp(logPmf(n, k, p)));

/** P(M_n >= r) by reflection; a path reflected at r trades up-steps for down-steps, hence the weights (q/p)^(k-r). */
export function maxTail(n, r, p = 0.5) {
  if (r <= 0) return 1;
  const tilt = Math.log1p(-p) - Math.log(p);
  let sum = 0;
  for (let k = n; k >= r; k -= 2) {
    const log = logPmf(n, k, p);
    sum += Math.exp(log) + (k > r ? Math.exp(log + (k - r) * tilt) : 0);
  }
  return sum;
}

/** P(M_n = r), r = 0..n: read backwards, the maximum is a walk held at zero (Lindley's recursion); no cancellation. */
export function maxPmf(n, p = 0.5) {
  let law = new Float64Array(n + 2);
  law[0] = 1;
  for (let m = 0; m < n; m++) {
    law = law.map((_, r) => (r ? p * law[r - 1] : (1 - p) * law[0]) + (1 - p) * (law[r + 1] ?? 0));
  }
  return law.slice(0, n + 1);
}

/** P(first return at time 2m), m = 0..floor(n/2), from f_2m = u_2m / (2m - 1). */
export const firstReturnPmf = (n, p = 0.5) =>
  Array.from({ length: (n >> 1) + 1 }, (_, m) => (m ? pmf(2 * m, 0, p) / (2 * m - 1) : 0));

/** P(no return by time 2m), m = 0..floor(n/2). */
export function noReturn(n, p = 0.5) {
  let left = 1;
  return firstReturnPmf(n, p).map((f) => (left -= f));
}

/** P(L_n = 2m), m = 0..floor(n/2): be at zero at time 2m, then stay away. */
export function lastZeroPmf(n, p = 0.5) {
  const away = noReturn(n, p);
  return away.map((_, m) => pmf(2 * m, 0, p) * away[away.length - 1 - m]);
}

const range = (from, to, by = 1) => Array.from({ length: Math.floor((to - from) / by) + 1 }, (_, i) => from + i * by);
const gauss = (x) => Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
const isFair = (p) => Math.abs(p - 0.5) < 1e-9;

/** Per quantity: its values k, their probabilities P, the limit as a function of k where it holds, and words. */
export const LAWS = {
  position(n, p) {
    const k = range(-n, n, 2), mean = n * (2 * p - 1), sd = Math.sqrt(4 * n * p * (1 - p));
    return {
      k, P: k.map((x) => pmf(n, x, p)), axis: `position after ${n} steps`,
      limit: (x) => 2 * gauss((x - mean) / sd) / sd, limitName: "2 × Gaussian",
      text: "Where the walk ends. The Gaussian counts twice, because only every second site can be reached.",
    };
  },
  maximum(n, p) {
    return {
      k: range(0, n), P: [...maxPmf(n, p)], axis: `highest point within ${n} steps`,
      limit: isFair(p) && ((x) => 2 * gauss(x / Math.sqrt(n)) / Math.sqrt(n)), limitName: "half-normal",
      text: "How far up the walk ever got. " + (isFair(p)
        ? "Reflection folds the Gaussian over at zero: the limit is half-normal."
        : "The bars remain exact; the half-normal limit rests on symmetry and holds at p = 0.50 only."),
    };
  },
  "last zero"(n, p) {
    return {
      k: range(0, n, 2), P: lastZeroPmf(n, p), inTime: true, axis: `time of the last zero within ${n} steps`,
      limit: isFair(p) && ((x) => 2 / (Math.PI * Math.sqrt(x * (n - x)))), limitName: "arcsine",
      text: "When the walk was last at zero. " + (isFair(p)
        ? "Luck does not even out: the middle is the least likely."
        : "The bars remain exact; the arcsine limit holds at p = 0.50 only, a drift leaves zero early."),
    };
  },
  "first return"(n, p) {
    const pull = Math.log(4 * p * (1 - p)) / 2;
    return {
      k: [...range(2, n, 2), Infinity], P: [...firstReturnPmf(n, p).slice(1), noReturn(n, p).at(-1)],
      inTime: true, log: true, axis: "time k of the first return to zero",
      limit: (x) => Math.sqrt(2 / Math.PI) * x ** -1.5 * Math.exp(pull * x),
      limitName: isFair(p) ? "k^(−3/2) tail" : "tilted k^(−3/2) tail",
      text: "When the walk is first back at zero. " + (isFair(p)
        ? "It surely returns, but the tail √(2/π) k^(−3/2) is so heavy that the mean is infinite."
        : "The tail is damped by (4pq)^(k/2); with probability "
          + `|p − q| = ${Math.abs(2 * p - 1).toFixed(2)} it never returns.`),
    };
  },
};

/** Walk number i: S_0..S_n and each quantity's value. Its randomness is its own, so n and p move the same walk. */
export function walk(seed, i, n, p) {
  const uniform = xorshift32(hash(seed, i)), S = new Int16Array(n + 1);
  let maximum = 0, last = 0, first = Infinity;
  for (let t = 1; t <= n; t++) {
    S[t] = S[t - 1] + (uniform() < p ? 1 : -1);
    if (S[t] > maximum) maximum = S[t];
    if (S[t] === 0) { last = t; if (first > n) first = t; }
  }
  return { S, position: S[n], maximum, "last zero": last, "first return": first };
}

/** For each time t, the moment that decides the quantity as far as it is known at t. */
function deciding({ S }, view) {
  let best = 0;
  const news = {
    position: () => true,
    maximum: (s) => s > S[best],
    "last zero": (s) => s === 0,
    "first return": (s, t) => best === 0 || S[best] !== 0,
  }[view];
  return S.map((s, t) => (news(s, t) ? (best = t) : best));
}

// Each wave throws twice as many walkers as the one before, shows SHOWN of them, then lets what they found fall.
const SHOWN = 40, WAVES = 6, FALL = 450, TURN = 450;
const thrown = (wave) => SHOWN * (2 ** wave - 1);
const growth = (wave) => Math.max(650, 2400 * 0.72 ** wave);
const LENGTH = range(0, WAVES - 1).reduce((sum, wave) => sum + growth(wave) + FALL, 0);
function phase(clock) {
  let wave = 0;
  while (wave < WAVES - 1 && clock >= growth(wave) + FALL) clock -= growth(wave++) + FALL;
  const fall = clamp((clock - growth(wave)) / FALL, [0, 1]);
  return { wave, grow: Math.min(1, clock / growth(wave)), fall };
}

// Css pixels: walks (TOP to SHELF) and bars (CEILING to FLOOR) share the horizontal axis, so that finds fall straight.
const LEFT = 44, RIGHT = 12, TOP = 24, SHELF = 264, CEILING = 300, FLOOR = 456, HEIGHT = 500, DECADES = 4;

/** Scales for this width. Walks run down where the quantity is a place, rightwards where it is a time. */
function geometry(law, n, p, width) {
  const mean = n * (2 * p - 1), sd = Math.sqrt(4 * n * p * (1 - p)), right = width - RIGHT;
  // How far against the drift and with it: the parabola that `sds` standard deviations draw around the mean path.
  const reach = (sds) => {
    const drift = Math.abs(mean), spread = sds * sd;
    const back = drift > spread / 2 ? spread ** 2 / (4 * drift) : spread - drift;
    const [down, up] = mean < 0 ? [drift + spread, back] : [back, drift + spread];
    return [-Math.ceil(Math.min(n, down)) - 1, Math.ceil(Math.min(n, up)) + 1];
  };
  const [low, high] = reach(3.7), [bottom, top] = reach(2.7), peak = 1.06 * Math.max(...law.P);
  const place = scale(low, high, LEFT, right), time = scale(0, n, LEFT + 8, law.log ? right - 60 : right - 8);
  const linear = scale(0, peak, FLOOR, CEILING), decades = scale(-DECADES, 0, FLOOR, CEILING);
  return {
    right, low, high, bottom, top,
    down: [place, scale(0, n, TOP, SHELF)], across: [time, scale(bottom, top, SHELF, TOP)],
    x: (k) => (k === Infinity ? right - 16 : law.inTime ? time(k) : place(k)),
    y: law.log ? (v) => decades(Math.max(-DECADES, Math.log10(v))) : linear,
    yTicks: law.log ? range(-DECADES, 0, 2).map((e) => [10 ** e, e ? power(e) : "1"])
      : ticks(0, peak, 3).slice(1).map((v) => [v, v]),
    fits: (k) => (law.inTime ? k >= 0 && k <= n : k > low && k < high) || k === Infinity,
    // The limit is drawn where it is a height of this picture: arcsine and k^(-3/2) have none at their ends.
    shows: (v) => v <= (law.log ? 1 : peak) && v > (law.log ? 10 ** -DECADES : 0),
  };
}

function render({ model, el }) {
  let n, p, view, seed, law, g, bars = [], dots = [], walks = [], wave, found, clock = 0, playing = true, turn;
  const put = (name) => (value) => { model.set(name, value); model.save_changes(); };
  const quantity = segmented({ label: "Quantity", options: Object.keys(LAWS), onChange: put("view") });
  const nSlider = slider({ label: "steps n", min: 1, max: 200, step: 1, onInput: put("n") });
  const pSlider = slider({
    label: "up-step chance p", min: 0.05, max: 0.95, step: 0.01, format: (v) => v.toFixed(2), onInput: put("p"),
  });
  const play = button({ icon: "Pause", class: "ex-button ex-play", onClick() {
    playing = clock === LENGTH || !playing;
    if (clock === LENGTH) clock = 0;
    refresh();
  } });
  const fresh = button({ icon: "New", text: "New walks", onClick: () => put("seed")(seed + 1) });
  const board = stage({ height: HEIGHT, onResize: layout });
  const bar = picker({
    label: "Bar", describe, home: () => law.P.indexOf(Math.max(...law.P)),
    places: () => law.k.map((k) => (g?.fits(k) ? g.x(k) : null)),
    onPick() { bars.forEach((b, i) => b?.classList.toggle("ex-picked", i === bar.picked)); paint(); },
  });
  const limitKey = key("line"), walksKey = key("dot"), voice = announcer();
  const caption = html("p", { class: "ex-caption" }), buttons = html("div", { class: "ex-buttons" }, play.el, fresh.el);
  board.el.append(bar.el, bar.output);
  bar.output.style.top = `${CEILING - 25}px`;
  explorer(
    el, html("div", { class: "ex-controls" }, quantity.el, nSlider.el, pSlider.el, buttons), board.el,
    html("div", { class: "ex-legend" }, key("bar", "exact"), limitKey, walksKey), caption, voice.el);

  const goal = () => (law.inTime ? 1 : 0);
  const name = (k) => (k === Infinity ? `> ${n}` : String(k).replace("-", "−"));
  function describe(i) {
    const value = `k ${law.k[i] === Infinity ? "" : "= "}${name(law.k[i])}`;
    return `${value}: exact ${number(law.P[i])}, seen ${number(found?.now?.[i] ?? 0)}`;
  }

  function layout() {
    if (!board.width) return;
    g = geometry(law, n, p, board.width);
    const { x, y, right, low, high } = g, [px, py] = law.inTime ? g.across : g.down;
    const gap = law.k.length > 1 ? x(law.k[1]) - x(law.k[0]) : 40, width = Math.min(40, gap - Math.min(3, gap / 4));
    bars = law.k.map((k, i) => (g.fits(k) ? svg("rect", {
      class: "ex-bar", "data-k": k, "data-p": law.P[i], x: x(k) - width / 2, width,
      y: y(law.P[i]), height: FLOOR - y(law.P[i]), rx: Math.min(2, width / 4),
    }) : null));
    const radius = Math.min(3.5, Math.max(2, gap / 3));
    dots = law.k.map((k, i) => bars[i] && svg("circle", { class: "ex-dot", cx: x(k), r: radius, "data-k": k }));
    const [from, to] = law.inTime ? [0, n] : [view === "maximum" ? 0 : Math.max(low, -n), Math.min(high, n)];
    const limit = (law.limit ? linspace(from, to, 401) : []).filter((k) => g.shows(law.limit(k)));
    const along = ticks(...(law.inTime ? [0, n] : [low + 1, high - 1]), board.width / 100, 1);
    const beside = law.inTime ? ticks(g.bottom, g.top, 4, 1).map((k) => [k, name(k)]) : [[0, 0], [n / 2, "time"], [n, n]];
    const box = { left: LEFT, right, top: TOP, bottom: FLOOR };
    board.svg.replaceChildren(
      ...xAxis([...along, ...(law.log ? [Infinity] : [])].map((k) => [k, name(k)]), x, box),
      text(law.axis, (LEFT + right) / 2, FLOOR + 38),
      ...yAxis(g.yTicks, y, box), text(law.log ? "probability (log)" : "probability", 0, CEILING - 14, "start"),
      ...beside.map(([at, label]) => text(label, LEFT - 8, py(at), "end")),
      ...(law.inTime ? [text("position", 0, 8, "start"), line("zero", px(0), py(0), px(n), py(0))]
        : [line("zero", px(0), TOP, px(0), SHELF)]),
      ...bars.filter(Boolean), curve(limit.map((k) => [x(k), y(law.limit(k))])), ...dots.filter(Boolean),
      line("axis", LEFT, FLOOR, right, FLOOR));
    wave = null;
    paint();
    bar.refresh();
  }

  /** Frequencies before and after a wave has landed, and what its walkers in view have found at each time. */
  function throwWave(now) {
    wave = now;
    while (walks.length < thrown(wave + 1)) walks.push(walk(seed, walks.length, n, p));
    const index = new Map(law.k.map((k, i) => [k, i]));
    const shares = (count) => {
      const tally = new Float64Array(law.k.length);
      for (let i = 0; i < count; i++) tally[index.get(walks[i][view])]++;
      return tally.map((c) => c / Math.max(1, count));
    };
    const seen = walks.slice(thrown(wave), thrown(wave) + SHOWN)
      .map((one) => ({ S: one.S, moment: deciding(one, view), target: index.get(one[view]) }));
    const gone = wave ? walks.slice(thrown(wave - 1), thrown(wave - 1) + SHOWN) : [];
    found = { before: shares(thrown(wave)), after: shares(thrown(wave + 1)), seen, gone };
  }

  function paintCounts(fall) {
    found.fall = fall;
    found.now = found.after.map((after, i) => found.before[i] + fall ** 2 * (after - found.before[i]));
    dots.forEach((dot, i) => {
      dot?.setAttribute("cy", found.now[i] ? Math.max(SHELF + 6, g.y(found.now[i])) : 2 * HEIGHT);
      dot?.setAttribute("data-share", found.now[i]);
    });
    const total = String(thrown(fall === 1 ? wave + 1 : wave)).replace(/(\d)(\d{3})$/, "$1 $2");
    walksKey.textContent = `${total} simulated walks`;
    board.svg.setAttribute("aria-label", `${SHOWN} random walks of ${n} steps with p = ${p.toFixed(2)}, above the probabilities of `
      + `the ${view}: exact bars, ${law.limit ? `the limit (${law.limitName})` : "no limit"}, and frequencies in `
      + `${total} simulated walks. Most likely ${describe(bar.home())}.`);
    bar.refresh();
  }

  function paint() {
    if (!g) return;
    const now = phase(clock), { pen } = board, colour = palette(el), head = n * now.grow, whole = Math.floor(head);
    if (now.wave !== wave) throwWave(now.wave);
    if (now.fall !== found.fall) paintCounts(now.fall);
    const mix = turn * turn * (3 - 2 * turn), [[dx, dy], [ax, ay]] = [g.down, g.across];
    const spot = (t, s) => [dx(s) + mix * (ax(t) - dx(s)), dy(t) + mix * (ay(s) - dy(t))];
    // A constant offset per walker, less than a site, keeps bundles of equal paths apart.
    const offset = (i) => 0.5 * ((i * 0.618) % 1) - 0.25;
    pen.clearRect(0, 0, board.width, HEIGHT);
    if (now.grow < 1) {
      found.gone.forEach(({ S }, i) => {
        trace(pen, Array.from(S, (s, t) => spot(t, s + offset(i))), colour.text, 1, 0.15 * (1 - now.grow));
      });
    }
    found.seen.forEach(({ S, moment, target }, i) => {
      // 0: another bar is picked, 1: none is, 2: this walk's is.
      const rank = bar.picked === null ? 1 : bar.picked === target ? 2 : 0;
      const shift = offset(i), decided = moment[whole];
      const points = Array.from({ length: whole + 1 }, (_, t) => spot(t, S[t] + shift));
      if (whole < n) points.push(spot(head, S[whole] + (head - whole) * (S[whole + 1] - S[whole]) + shift));
      const cut = decided === whole ? points.length - 1 : decided, tip = points[cut];
      trace(pen, points.slice(cut), colour.text, 1, [0.06, 0.22, 0.4][rank]);
      trace(pen, points.slice(0, cut + 1), view === "position" ? colour.text : colour.second,
        [1, 1.25, 2.5][rank], [0.08, 0.4, 1][rank]);
      disc(pen, tip, rank === 2 ? 4 : 2.6, colour.second, rank ? 0.9 : 0.15);
      if (now.fall === 0 || now.fall === 1) return;
      const [tx, ty] = [g.x(law.k[target]), g.y(found.after[target])];
      disc(pen, [tip[0] + now.fall * (tx - tip[0]), tip[1] + now.fall ** 2 * (ty - tip[1])], 2.6, colour.second, 0.9);
    });
  }

  const motion = animation(board.el, {
    frame(elapsed) {
      turn += Math.sign(goal() - turn) * Math.min(elapsed / TURN, Math.abs(goal() - turn));
      if (playing) clock = Math.min(LENGTH, clock + elapsed);
      if (turn === goal() && (!playing || clock === LENGTH)) refresh(); else paint();
    },
    onStill() { [clock, turn] = [LENGTH, goal()]; refresh(); },
  });

  function refresh() {
    const busy = playing && clock < LENGTH;
    play.set(busy ? "Pause" : clock < LENGTH ? "Play" : "Replay");
    paint();
    if (busy || turn !== goal()) motion.play(); else motion.pause();
  }

  function change() {
    const old = seed;
    n = clamp(Math.round(model.get("n")), [1, 200]);
    p = clamp(model.get("p"), [0.05, 0.95]);
    [view, seed] = [model.get("view") in LAWS ? model.get("view") : defaults.view, model.get("seed")];
    if (seed !== old) [clock, playing] = [0, true];
    law = LAWS[view](n, p);
    turn ??= goal();
    walks = [];
    quantity.set(view); nSlider.set(n); pSlider.set(p);
    caption.textContent = law.text;
    limitKey.textContent = law.limit ? `limit: ${law.limitName}` : "limit: p = 0.50 only";
    limitKey.classList.toggle("ex-absent", !law.limit);
    layout();
    refresh();
    if (old !== undefined) voice.say(`${n} steps, p = ${p.toFixed(2)}, ${view}. Most likely ${describe(bar.home())}.`);
  }
  return follow(model, defaults, { change, redraw: paint, parts: [motion, board, voice] });
}

export default { render };
