// Turn the arrow: slopes in every direction, measured, against what the gradient promises; then other rulers.
import {
  announcer, arrow, clamp, clip, contourMap, disc, dragging, explorer, fixed, follow, html, key, line, number, palette,
  player, rgb, scale, segmented, setter, slider, stage, svg, text, ticks, trace, xAxis, yAxis,
} from "./common.mjs";

// Plain JSON: utils.explorers reads it too.
export const defaults = {"surface": "bowl", "view": "slopes", "x": 1, "y": 2, "theta": 53};

const square = (a) => a * a;
const at0 = (x, y, value) => (x === 0 && y === 0 ? 0 : value);

/** Per surface: f and its partial derivatives, height in contour steps, where to start, and words. */
export const SURFACES = {
  bowl: {
    f: (x, y) => x * x + y * y, gradient: (x, y) => [2 * x, 2 * y],
    level: (v) => v, top: 14, start: [1, 2, 53], name: "x² + y²",
    text: "The post’s example at (1, 2): 4.4 along (3, 4), 2 along (1, 0). Every rose is two circles.",
  },
  valley: {
    f: (x, y) => square(1 - x) + 100 * square(y - x * x),
    gradient: (x, y) => [-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)],
    level: (v) => 2.2 * Math.log10(1 + v), top: 7.5, start: [-1.2, 1, 0], name: "Rosenbrock’s valley",
    text: "Steep walls, a flat floor along the parabola. The slopes change wildly, and still the gradient knows them all.",
  },
  kink: {
    f: (x, y) => at0(x, y, x ** 3 / (x * x + y * y)),
    gradient: (x, y) => {
      const r = square(x * x + y * y);
      return r ? [(x ** 4 + 3 * x * x * y * y) / r, (-2 * x ** 3 * y) / r] : [1, 0];
    },
    level: (v) => 4 * (v + 2), top: 16, start: [0, 0, 45], name: "x³/(x² + y²)",
    text: "At the origin slopes exist in all directions, c³ where the gradient promises c: no tangent plane. Drag away: all is well.",
  },
  cliff: {
    f: (x, y) => at0(x, y, (x * x * y) / (x ** 4 + y * y)),
    gradient: (x, y) => {
      const r = square(x ** 4 + y * y);
      return r ? [(2 * x * y * (y * y - x ** 4)) / r, (x * x * (x ** 4 - y * y)) / r] : [0, 0];
    },
    level: (v) => 10 * (v + 0.5), top: 10, start: [0, 0, 17], name: "x²y/(x⁴ + y²)", ridge: (x) => x * x,
    text: "At the origin all slopes exist, yet on the parabola y = x² the height stays ½ until the very end: not even continuous.",
  },
};

/** Slope at (x, y) in direction theta (radians) from a difference quotient; the gradient is not asked. */
export function slope(surface, x, y, theta, t = 1e-6) {
  const { f } = SURFACES[surface], c = Math.cos(theta), s = Math.sin(theta);
  // At a kink a ray is all there is; elsewhere the central quotient is exact to ten digits.
  if (x === 0 && y === 0) return (f(t * c, t * s) - f(0, 0)) / t;
  const h = 1e-5 * Math.min(1, Math.hypot(x, y));
  return (f(x + h * c, y + h * s) - f(x - h * c, y - h * s)) / (2 * h);
}
export const gradient = (surface, x, y) => SURFACES[surface].gradient(x, y);

/** Slope that the gradient promises. */
export function promise(surface, x, y, theta) {
  const [gx, gy] = gradient(surface, x, y);
  return gx * Math.cos(theta) + gy * Math.sin(theta);
}

const LENGTH_IN = {
  "ℓ1": (a, b) => Math.abs(a) + Math.abs(b),
  "ℓ2": Math.hypot,
  "ℓ∞": (a, b) => Math.max(Math.abs(a), Math.abs(b)),
};
export const NORMS = Object.keys(LENGTH_IN);

/** Steepest direction of length 1 in a norm and the slope there (the dual norm): [dx, dy, slope]. */
export function steepest(norm, gx, gy) {
  const size = Math.hypot(gx, gy);
  if (!size) return [0, 0, 0];
  const d = {
    "ℓ1": Math.abs(gx) >= Math.abs(gy) ? [Math.sign(gx), 0] : [0, Math.sign(gy)],
    "ℓ2": [gx / size, gy / size],
    "ℓ∞": [Math.sign(gx), Math.sign(gy)],
  }[norm];
  return [...d, gx * d[0] + gy * d[1]];
}

// Window of all maps; css pixels.
const X = [-2, 2], Y = [-1, 3], HEIGHT = 330, PAD = { left: 34, right: 8, top: 8, bottom: 28 }, LEFT = 46, REACH = 66;
const TURN = 9000, RAD = Math.PI / 180;
const STEPS = Array.from({ length: 361 }, (_, i) => i - 180);
const tidy = (v) => number(Math.abs(v) < 5e-9 ? 0 : v).replace(/^0\.00$/, "0");

function render({ model, el }) {
  let surface, view, x, y, theta, shown, map = null, mapKey, holding = "point";
  const put = setter(model);
  // Any deliberate move ends the opening turn.
  const move = (values) => { film.clock = TURN; put(values); };
  const pickSurface = segmented({
    label: "Surface", options: Object.keys(SURFACES),
    onChange(value) { const [sx, sy, st] = SURFACES[value].start; move({ surface: value, x: sx, y: sy, theta: st }); },
  });
  const pickView = segmented({ label: "View", options: ["slopes", "rulers"], onChange: (v) => move({ view: v }) });
  const sliders = {
    x: slider({ label: "x", min: X[0], max: X[1], step: 0.05, format: fixed, onInput: (v) => move({ x: v }) }),
    y: slider({ label: "y", min: Y[0], max: Y[1], step: 0.05, format: fixed, onInput: (v) => move({ y: v }) }),
    theta: slider({
      label: "angle θ", min: -180, max: 180, step: 1, format: (v) => `${Math.round(v)}°`.replace("-", "−"),
      onInput: (v) => move({ theta: v }),
    }),
  };
  const land = stage({ height: HEIGHT, onResize: redraw }), plot = stage({ height: HEIGHT, onResize: redraw });
  const film = player(land.el, { length: TURN, paint });
  const hand = html("div", { class: "ex-drag" }), dial = html("div", { class: "ex-drag ex-drag-x" });
  land.el.append(hand);
  plot.el.append(dial);
  const badge = html("span", { class: "ex-badge" }), values = html("span", {}), voice = announcer();
  const keys = html("div", { class: "ex-legend ex-keys" }), caption = html("p", { class: "ex-caption ex-words" });
  const verdict = html("div", { class: "ex-legend ex-verdict" }, badge, values);
  explorer(
    el, html("div", { class: "ex-controls ex-row" }, pickSurface.el, pickView.el,
      sliders.x.el, sliders.y.el, sliders.theta.el, html("div", { class: "ex-buttons" }, film.el)),
    html("div", { class: "ex-pair" }, land.el, plot.el), verdict, keys, caption, voice.el);

  // The map is a square as large as fits, at the left of its stage.
  function frame() {
    const side = Math.min(land.width - PAD.left - PAD.right, HEIGHT - PAD.top - PAD.bottom);
    const left = PAD.left + Math.max(0, (land.width - PAD.left - PAD.right - side) / 2), top = PAD.top;
    return { side, left, top, px: scale(...X, left, left + side), py: scale(...Y, top + side, top) };
  }
  const place = (px, py) => {
    const { side, left, top } = frame();
    return [scale(left, left + side, ...X)(px), scale(top + side, top, ...Y)(py)];
  };
  const tip = () => {
    const { px, py } = frame();
    return [px(x) + REACH * Math.cos(shown * RAD), py(y) - REACH * Math.sin(shown * RAD)];
  };
  dragging(hand, {
    onStart(mx, my) {
      const { px, py } = frame(), [tx, ty] = tip();
      const [toTip, toPoint] = [Math.hypot(mx - tx, my - ty), Math.hypot(mx - px(x), my - py(y))];
      holding = toTip < 30 && toTip < toPoint ? "tip" : "point";
    },
    onDrag(mx, my) {
      const { px, py } = frame();
      if (holding === "tip") {
        move({ theta: Math.round(Math.atan2(py(y) - my, mx - px(x)) / RAD) });
        return;
      }
      let [nx, ny] = place(mx, my).map((v, i) => Number(clamp(v, [X, Y][i]).toFixed(2)));
      if (Math.hypot(mx - px(0), my - py(0)) < 10) [nx, ny] = [0, 0];  // the kinks sit there
      move({ x: nx, y: ny });
    },
  });
  dragging(dial, {
    onDrag: (mx) => move({ theta: Math.round(clamp(scale(LEFT, plot.width - 22, -180, 180)(mx), [-180, 180])) }),
  });

  /** What both pictures show: measured and promised slopes per degree, or slopes per unit of three lengths. */
  function curves() {
    const measured = STEPS.map((d) => slope(surface, x, y, d * RAD)), g = gradient(surface, x, y);
    const promised = STEPS.map((d) => promise(surface, x, y, d * RAD)), size = Math.hypot(...g);
    const sorted = measured.map(Math.abs).sort((a, b) => a - b), typical = sorted[270], most = sorted[360];
    // A slope with poles (the cliff) is cut where it leaves the picture.
    const range = Math.max(size, most > 6 * typical ? 3 * typical : most, 1e-9);
    const per = Object.fromEntries(NORMS.map((norm) => [norm, STEPS.map((d, i) =>
      promised[i] / LENGTH_IN[norm](Math.cos(d * RAD), Math.sin(d * RAD)))]));
    const gap = Math.max(...measured.map((m, i) => Math.abs(m - promised[i])));
    return { measured, promised, g, size, range, per, honest: gap < 1e-3 * Math.max(range, 1e-3) };
  }

  const colourOf = (colour) => ({ "ℓ1": colour.second, "ℓ2": colour.accent, "ℓ∞": colour.text });
  function colours() {
    const css = ([r, g, b]) => `rgb(${r}, ${g}, ${b})`;
    return { ...palette(el), accent: css(rgb(el, "--ex-accent")), second: css(rgb(el, "--ex-second")) };
  }

  function paintMap(now, colour) {
    const { pen, canvas } = land, { side, left, top, px, py } = frame(), density = canvas.width / land.width;
    const name = [surface, Math.round(side * density), colour.accent, colour.text].join();
    if (name !== mapKey) {
      const size = Math.max(2, Math.round(side * density)), { f, level, top: high } = SURFACES[surface];
      const [wx, wy] = [scale(0, size, ...X), scale(size, 0, ...Y)];
      map = contourMap({
        width: size, height: size, top: high, line: rgb(el, "color"), tint: rgb(el, "--ex-accent"),
        level: (i, j) => level(f(wx(i + 0.5), wy(j + 0.5))),
      });
      mapKey = name;
    }
    pen.clearRect(0, 0, land.width, HEIGHT);
    pen.globalAlpha = 1;
    pen.drawImage(map, left, top, side, side);
    const here = [px(x), py(y)], angle = shown * RAD, to = (a, r) => [here[0] + r * Math.cos(a), here[1] - r * Math.sin(a)];
    clip(pen, left, top, side, side);
    const { ridge } = SURFACES[surface];
    if (ridge) trace(pen, STEPS.map((d) => d / 90).map((v) => [px(v), py(ridge(v))]), colour.text, 2, 0.8);
    if (view === "slopes") {
      for (const [sign, fill] of [[1, colour.second], [-1, colour.accent]]) {
        const petal = (from) => STEPS.map((d, i) => to(d * RAD, REACH * clamp((sign * from[i]) / now.range, [0, 1])));
        Object.assign(pen, { fillStyle: fill, globalAlpha: 0.35 });
        pen.beginPath();
        for (const [a, b] of petal(now.measured)) pen.lineTo(a, b);
        pen.fill();
        trace(pen, petal(now.measured), fill, 1.75, 1);
        pen.setLineDash([4, 3]);
        if (!now.honest) trace(pen, petal(now.promised), colour.text, 1.25, 0.8);
        pen.setLineDash([]);
      }
    } else {
      for (const norm of NORMS) {
        const ball = STEPS.map((d) => to(d * RAD, 0.8 * REACH / LENGTH_IN[norm](Math.cos(d * RAD), Math.sin(d * RAD))));
        trace(pen, ball, colourOf(colour)[norm], 1.75, 1);
      }
    }
    pen.restore();
    if (view === "slopes") arrow(pen, here, to(angle, REACH), colour.text, 2.25);
    else {
      trace(pen, [here, to(angle, REACH)], colour.text, 1.25, 0.45);
      for (const norm of ["ℓ∞", "ℓ1", "ℓ2"]) {
        const [dx, dy] = steepest(norm, ...now.g), r = 0.8 * REACH;
        arrow(pen, here, [here[0] + r * dx, here[1] - r * dy], colourOf(colour)[norm], 2.5);
      }
    }
    disc(pen, here, 6, colour.text, 1);
    if (view === "slopes") disc(pen, tip(), 3.5, colour.text, 1);
  }

  function paintPlot(now, colour) {
    const { pen } = plot, right = plot.width - 22, ax = scale(-180, 180, LEFT, right);
    const range = view === "slopes" ? now.range : Math.max(1e-9, ...NORMS.map((n) => steepest(n, ...now.g)[2]));
    const py = scale(-1.12 * range, 1.12 * range, HEIGHT - PAD.bottom - 12, PAD.top + 18);
    const box = { left: LEFT, right, top: PAD.top + 18, bottom: HEIGHT - PAD.bottom - 12 };
    const marks = ticks(-range, range, 5).map((v) => [v, String(v).replace("-", "−")]);
    const i = Math.round(shown) + 180, from = view === "slopes" ? now.measured : now.per["ℓ2"];
    plot.svg.replaceChildren(
      ...yAxis(marks, py, box), ...xAxis([-180, -90, 0, 90, 180].map((d) => [d, `${fixed(d, 0)}°`]), ax, box),
      line("zero", LEFT, py(0), right, py(0)),
      text(view === "slopes" ? "slope" : "slope per unit of length", 0, 10, "start"),
      text("direction θ", (LEFT + right) / 2, HEIGHT - 6),
      // The mark itself is on the canvas, above the curves; this says what it is.
      svg("circle", { r: 0, cx: ax(shown), cy: py(0), "data-slope": from[i], "data-share": from[i] / range }));
    pen.clearRect(0, 0, plot.width, HEIGHT);
    clip(pen, LEFT, py(1.12 * range), right - LEFT, py(-1.12 * range) - py(1.12 * range));
    const draw = (all, ink, width) => {
      let piece = [];
      STEPS.forEach((d, k) => {
        // A pole is a gap, not a line from bottom to top.
        if (k && Math.abs(all[k] - all[k - 1]) > 2 * range) { trace(pen, piece, ink, width, 1); piece = []; }
        piece.push([ax(d), py(clamp(all[k], [-9 * range, 9 * range]))]);
      });
      trace(pen, piece, ink, width, 1);
    };
    if (view === "slopes") {
      draw(now.measured, now.honest ? colour.accent : colour.second, 2.25);
      pen.setLineDash([5, 4]);
      draw(now.promised, colour.text, 1.5);
      pen.setLineDash([]);
    } else for (const norm of ["ℓ∞", "ℓ1", "ℓ2"]) draw(now.per[norm], colourOf(colour)[norm], 2);
    pen.restore();
    trace(pen, [[ax(shown), box.top], [ax(shown), box.bottom]], colour.text, 1, 0.4);
    if (view === "slopes") {
      disc(pen, [ax(shown), py(clamp(now.promised[i], [-range, range]))], 4, colour.text, 0.7);
      disc(pen, [ax(shown), py(clamp(now.measured[i], [-1.1 * range, 1.1 * range]))], 6, colour.second, 1);
    } else {
      for (const norm of NORMS) {
        const best = now.per[norm].indexOf(Math.max(...now.per[norm]));
        if (now.size) disc(pen, [ax(STEPS[best]), py(now.per[norm][best])], 5, colourOf(colour)[norm], 1);
      }
    }
  }

  function words(now) {
    const i = Math.round(shown) + 180, exact = shown * RAD;
    if (view === "slopes") {
      badge.textContent = now.honest ? "The gradient keeps its promise" : "The gradient is wrong here";
      values.textContent = `measured ${tidy(slope(surface, x, y, exact))}, promised `
        + `${tidy(promise(surface, x, y, exact))}, |∇f| = ${tidy(now.size)}`;
    } else {
      badge.textContent = now.size ? "Steepest slope" : "No gradient, no direction";
      values.textContent = NORMS.map((n) => `${n} ${tidy(steepest(n, ...now.g)[2])}`).join(", ");
    }
    badge.classList.toggle("ex-alarm", view === "slopes" && !now.honest);
    land.svg.setAttribute("aria-label", `Contour map of ${SURFACES[surface].name} with the point (${fixed(x)}, `
      + `${fixed(y)}) and an arrow at ${Math.round(shown)} degrees.`);
    plot.svg.setAttribute("aria-label", `Slope against direction. At ${Math.round(shown)} degrees: measured `
      + `${tidy(now.measured[i])}, promised by the gradient ${tidy(now.promised[i])}.`);
  }

  let now;
  function paint() {
    if (!land.width || !plot.width || !now) return;
    const turn = film.clock / TURN, ease = turn * turn * (3 - 2 * turn);
    shown = ((((theta + 360 * ease + 180) % 360) + 360) % 360) - 180;
    if (film.clock === TURN || film.clock === 0) shown = theta;
    const colour = colours();
    paintMap(now, colour);
    paintPlot(now, colour);
    words(now);
  }

  /** Everything that does not turn with the arrow. */
  function redraw() {
    if (!land.width || !plot.width || surface === undefined) return;
    now = curves();
    const { side, left, top, px, py } = frame(), box = { left, right: left + side, top, bottom: top + side };
    land.svg.replaceChildren(
      ...xAxis([-2, -1, 0, 1, 2].map((v) => [v, fixed(v, 0)]), px, box),
      ...yAxis([-1, 0, 1, 2, 3].map((v) => [v, fixed(v, 0)]), py, box));
    paint();
  }

  const LEGENDS = {
    slopes: [["dot", "measured by difference quotients"], ["line ex-absent", "promised by the gradient"]],
    rulers: [["dot", "ℓ1: one coordinate"], ["bar", "ℓ2: the gradient"], ["line", "ℓ∞: signs"]],
  };
  function change() {
    const old = surface;
    surface = model.get("surface") in SURFACES ? model.get("surface") : defaults.surface;
    view = model.get("view") in LEGENDS ? model.get("view") : defaults.view;
    [x, y] = [clamp(model.get("x"), X), clamp(model.get("y"), Y)];
    theta = clamp(model.get("theta"), [-180, 180]);
    pickSurface.set(surface); pickView.set(view);
    sliders.x.set(x); sliders.y.set(y); sliders.theta.set(theta);
    keys.replaceChildren(...LEGENDS[view].map(([kind, words]) => key(kind, words)));
    caption.textContent = view === "slopes" ? SURFACES[surface].text
      : "Three unit balls and where each finds the ground steepest: a corner, the gradient’s direction, a corner of signs.";
    redraw();
    film.refresh();
    if (old !== undefined) voice.say(`${badge.textContent}. ${values.textContent}.`);
  }
  return follow(model, defaults, { change, redraw, parts: [film, land, plot, voice] });
}

export default { render };
