"""Explorers in a real browser: each comes alive, obeys its reader and agrees with Python."""

import re
from dataclasses import dataclass, field

import pytest
from conftest import control, until


@dataclass(frozen=True)
class Case:
    """The accessible names of what can be moved in an explorer."""

    sliders: tuple[str, ...]
    radios: tuple[str, ...] = ()
    buttons: tuple[str, ...] = ()
    animated: bool = False
    picks: dict[str, str] = field(default_factory=dict)


CASES = {
    "ddpm_ddim": Case(
        sliders=("value x̂ₜ", "level σₜ", "σₛ/σₜ", "Noisy value"),
        radios=("whole axis", "close up"),
        buttons=("New draws",),
        animated=True,
    ),
    "diffusion_sdes": Case(
        sliders=(
            "noise c",
            "look at time t",
            "steps N",
            "weight of first hump",
            "First hump",
            "Second hump",
        ),
        radios=("VP", "sub-VP", "VE"),
        buttons=("New noise",),
        animated=True,
    ),
    # Each radio in turn changes the drawing: the surface that is shown first comes last of its group.
    "gradients": Case(
        sliders=("x", "y", "angle θ"),
        radios=("slopes", "rulers", "valley", "kink", "cliff", "bowl"),
        animated=True,
    ),
    "home": Case(sliders=("time",), buttons=("New walks",), animated=True),
    "kl_estimators": Case(
        sliders=(
            "mean m of p",
            "width s of p",
            "samples n",
            "coefficient λ",
            "Mean of p",
            "Flank of p",
        ),
        buttons=("New samples",),
        animated=True,
    ),
    "random_walks": Case(
        sliders=("steps n", "up-step chance p"),
        radios=("position", "maximum", "last zero", "first return"),
        buttons=("New walks",),
        animated=True,
        picks={"slider": "Bar"},
    ),
    "poisson_processes": Case(
        sliders=("rate λ per hour", "window t in hours", "chance π to be kept"),
        radios=("by chance", "in groups", "evenly spaced"),
        buttons=("New births",),
        animated=True,
        picks={"slider": "Bar"},
    ),
    "quadratic_forms": Case(
        sliders=(
            "curvature λ₁",
            "curvature λ₂",
            "angle",
            "tilt along arm 2",
            "step η",
            "momentum β",
            "Arm 1",
            "Arm 2",
            "Start",
        ),
        radios=("bowl", "ravine", "valley", "slope", "saddle"),
        animated=True,
    ),
    "score_functions": Case(
        sliders=("noise σ", "step a", "Mode A", "Mode B", "Mode C"),
        buttons=("Scatter", "Anneal"),
        animated=True,
    ),
    "score_matching": Case(
        sliders=(
            "noise level σ",
            "noise draws n",
            "Point 1",
            "Point 2",
            "Point 3",
            "Point 4",
        ),
        buttons=("New draws",),
        animated=True,
    ),
    # Three groups; the choices that are shown first come last, the first of all at the very end.
    "unified_diffusion": Case(
        sliders=("steps N", "Latent"),
        radios=(
            *("VP", "VE", "heat", "EDM", "flow"),
            *("geometric", "uniform t", "ρ = 7"),
            *("Heun", "2M", "ancestral", "Euler"),
        ),
        animated=True,
    ),
}
ANIMATED = [slug for slug, case in CASES.items() if case.animated]
every = pytest.mark.parametrize("slug", CASES)

# What the reader sees of an explorer: the vector picture and the canvas above it.
DRAWING = """host => [...host.querySelectorAll("svg[role=img]")].map(e => e.innerHTML).join()
  + [...host.querySelectorAll("canvas")].map(e => e.toDataURL()).join()"""

LOW_CONTRAST = """host => {
  const pen = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const over = (top, below) => top.slice(0, 3).map((c, i) => c * top[3] + below[i] * (1 - top[3]));
  const rgba = css => {
    pen.clearRect(0, 0, 1, 1); pen.fillStyle = css; pen.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const behind = e =>
    e ? over(rgba(getComputedStyle(e).backgroundColor), behind(e.parentElement)) : [255, 255, 255];
  const linear = c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = rgb =>
    rgb.reduce((sum, c, i) => sum + linear(c / 255) * [0.2126, 0.7152, 0.0722][i], 0);
  const low = [];
  for (const e of host.querySelectorAll("*")) {
    const words = [...e.childNodes].filter(n => n.nodeType === 3);
    const text = words.map(n => n.data).join("").trim();
    if (!text || !e.getClientRects().length) continue;
    const style = getComputedStyle(e), ground = behind(e);
    const ink = over(rgba(e instanceof SVGElement ? style.fill : style.color), ground);
    const [a, b] = [light(ink), light(ground)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (!(ratio >= 4.5)) low.push(`${text}: ${ratio.toFixed(2)}`);
  }
  return low;
}"""

# Whether the drawing becomes another one than the last that was looked at, within a second.
CHANGES = f"""async host => {{
  const draw = {DRAWING};
  for (let frame = 0; frame < 60; frame++) {{
    const now = draw(host);
    if (now !== window.seen) {{ window.seen = now; return true; }}
    await new Promise(requestAnimationFrame);
  }}
  return false;
}}"""

# Every slider to both of its ends: what takes another place then?
MOVES = """host => {
  const parts = [host, ...host.querySelectorAll("input, button, svg[role=img]")];
  const places = () => JSON.stringify(parts.map(e => e.getBoundingClientRect())
    .map(b => [b.x, b.y, b.width, b.height].map(Math.round)));
  const moved = [];
  const before = window.places ??= places();
  for (const slider of host.querySelectorAll("input[type=range], [role=slider]")) {
    for (const [key, end] of [["Home", "min"], ["End", "max"]]) {
      if (slider.matches("input")) slider.value = slider[end];
      slider.dispatchEvent(slider.matches("input") ? new Event("input", {bubbles: true})
        : new KeyboardEvent("keydown", {key, bubbles: true}));
      if (places() !== before) moved.push(`${slider.ariaLabel || slider.labels?.[0]?.textContent} ${key}`);
    }
  }
  return moved;
}"""

# Whether the drawing stays the same for a quarter of a second, within two.
RESTS = f"""async host => {{
  const draw = {DRAWING};
  for (let frame = 0, same = 0; frame < 120; frame++) {{
    const now = draw(host);
    same = now === window.seen ? same + 1 : 0;
    if (same === 15) return true;
    window.seen = now;
    await new Promise(requestAnimationFrame);
  }}
  return false;
}}"""

FRAMES = """() => {
  const request = window.requestAnimationFrame.bind(window);
  window.frames_asked = 0;
  window.requestAnimationFrame = f => { window.frames_asked++; return request(f); };
}"""


@every
def test_becomes_ready_without_complaint(explorer, slug):
    host = explorer(slug)
    assert host.locator("svg[role=img]").count() >= 1
    assert all(
        label
        for label in host.locator("svg[role=img]").evaluate_all(
            "all => all.map(e => e.getAttribute('aria-label'))"
        )
    )
    assert host.page.found == []


@every
def test_names_of_the_controls_are_as_registered(explorer, slug):
    host, case = explorer(slug), CASES[slug]
    controls = re.findall(r'- (slider|radio|button) "(.*?)"', host.aria_snapshot())
    expected = {
        "slider": (*case.sliders, *case.picks.values()),
        "radio": case.radios,
        "button": case.buttons,
    }
    for role, names in expected.items():
        found = [name for kind, name in controls if kind == role]
        assert sorted(found) == sorted(names), role


@every
def test_every_control_changes_the_drawing(explorer, slug):
    host, case = explorer(slug), CASES[slug]
    assert host.evaluate(CHANGES)

    def changed(what):
        assert host.evaluate(CHANGES), what

    for name in case.sliders:
        slider = control(host, "slider", name)
        for key in ("Home", "End"):
            slider.press(key)
            changed(f"{name} {key}")
    # The first radio is checked from the start: end with it.
    for name in case.radios[1:] + case.radios[:1]:
        control(host, "radio", name).check(force=True)
        changed(name)
    for name in case.buttons:
        control(host, "button", name).click()
        changed(name)


@every
def test_keyboard_reaches_and_moves_everything(explorer, slug):
    host = explorer(slug)
    case = CASES[slug]
    name = "e => e.ariaLabel || e.labels?.[0]?.textContent || e.textContent"
    host.evaluate("e => { e.tabIndex = -1; e.focus(); }")
    reached = []
    for _ in range(40):
        host.page.keyboard.press("Tab")
        if not host.evaluate("e => e.contains(document.activeElement)"):
            break
        reached.append(host.page.evaluate(f"({name})(document.activeElement)").strip())
    assert set(case.sliders) | set(case.buttons) | set(case.picks.values()) <= set(
        reached
    )
    assert not case.radios or set(case.radios) & set(reached), (
        "one tab stop per radio group"
    )
    for name in (*case.sliders, *case.picks.values()):
        slider = control(host, "slider", name)
        slider.focus()
        values = set()
        for key in ("ArrowRight", "ArrowLeft"):  # one of them, at the end of its range
            host.page.keyboard.press(key)
            values.add(slider.evaluate("e => e.value ?? e.ariaValueText"))
        assert len(values) == 2, name
    if case.radios:
        control(host, "radio", case.radios[0]).focus()
        host.page.keyboard.press("ArrowRight")
        assert control(host, "radio", case.radios[1]).is_checked()


@pytest.mark.parametrize("slug", [slug for slug, case in CASES.items() if case.picks])
def test_pointing_at_a_mark_names_it(explorer, slug):
    host = explorer(slug)
    for role, name in CASES[slug].picks.items():
        picker, readout = control(host, role, name), host.locator("output.ex-readout")
        idle, said = readout.inner_text(), set()
        for x in (0.45, 0.55):
            picker.hover(position={"x": x * picker.bounding_box()["width"], "y": 60})
            said.add(readout.inner_text())
            assert picker.get_attribute("aria-valuetext") in said
        assert len(said) == 2
        assert idle not in said
        assert host.locator(".ex-picked").count() == 1


@every
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_contrast(explorer, slug, dark):
    host = explorer(slug, dark=dark)
    assert host.evaluate(LOW_CONTRAST) == []


@every
def test_fits_a_phone(explorer, slug):
    host = explorer(slug, width=390, height=844)
    assert host.page.evaluate("document.documentElement.scrollWidth") <= 390
    outside = host.evaluate("""e => [...e.querySelectorAll("input, button, output, canvas, text")]
      .map(x => [x.getBoundingClientRect(), x.outerHTML.slice(0, 80)])
      .filter(([box]) => box.width && (box.right > 390 || box.left < 0)).map(([, what]) => what)""")
    assert outside == []
    low = host.evaluate("""e => [...e.querySelectorAll("input, button")]
      .map(x => [x.getBoundingClientRect(), x.outerHTML])
      .filter(([box]) => box.width && box.height < 40).map(([, what]) => what)""")
    assert low == [], "too small for a finger"


@every
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_moves_around_when_values_change(explorer, slug, width):
    host = explorer(slug, width=width)
    assert host.evaluate(MOVES) == []
    for name in CASES[slug].radios[1:]:
        control(host, "radio", name).check(force=True)
        assert host.evaluate(MOVES) == [], name


@pytest.mark.parametrize("slug", ANIMATED)
def test_animation_stops_out_of_view_and_comes_back(explorer, slug):
    host = explorer(slug, still=False)
    moving = host.locator("[data-animating]").first
    assert moving.get_attribute("data-animating") == "true"
    host.page.evaluate(FRAMES)
    until(host.page, "window.frames_asked > 5")
    host.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    until(
        host.page, "e => e.dataset.animating === 'false'", arg=moving.element_handle()
    )
    host.page.evaluate("window.frames_asked = 0")
    host.page.wait_for_timeout(200)
    assert host.page.evaluate("window.frames_asked") == 0
    host.scroll_into_view_if_needed()
    until(host.page, "e => e.dataset.animating === 'true'", arg=moving.element_handle())


@pytest.mark.parametrize("slug", ANIMATED)
def test_animation_pauses_and_plays(explorer, slug):
    host = explorer(slug, still=False)
    control(host, "button", "Pause").click()
    assert host.evaluate(RESTS)
    control(host, "button", "Play").click()
    assert host.evaluate(CHANGES)


@pytest.mark.parametrize("slug", ANIMATED)
def test_reduced_motion_shows_the_end_at_once(explorer, slug):
    host = explorer(slug)
    host.page.evaluate(FRAMES)
    before = host.evaluate(DRAWING)
    host.page.wait_for_timeout(200)
    assert host.evaluate(DRAWING) == before
    assert host.page.evaluate("window.frames_asked") == 0
    assert host.locator("[data-share]").count() > 0, "the end, not the empty beginning"


@every
def test_state_goes_both_ways(explorer, site_url, slug):
    host = explorer(slug)
    answer = host.page.evaluate(
        """async (url) => {
          const module = await import(url), state = {...module.defaults}, on = {}, told = [];
          const model = {
            get: k => state[k], save_changes: () => told.push({...state}),
            set: (k, v) => { state[k] = v; on[`change:${k}`]?.forEach(f => f()); },
            on: (e, f) => (on[e] ??= new Set()).add(f), off: (e, f) => on[e]?.delete(f),
          };
          const el = document.querySelector("main").appendChild(document.createElement("div"));
          const undo = module.default.render({model, el});
          const input = el.querySelector("input[type=range]");
          const name = Object.keys(state).find(k => String(state[k]) === input.value);
          model.set(name, Number(input.max));
          const shown = input.value === input.max;
          input.value = input.min;
          input.dispatchEvent(new Event("input"));
          const saved = told.at(-1)?.[name] === Number(input.min);
          undo();
          return {shown, saved, left: Object.values(on).reduce((n, s) => n + s.size, 0)};
        }""",
        f"{site_url}_static/explorers/{slug}.mjs",
    )
    assert answer == {"shown": True, "saved": True, "left": 0}


@every
def test_without_javascript_the_picture_remains(
    stage_without_scripts, site_url, page_of, slug
):
    page = stage_without_scripts
    page.goto(f"{site_url}{page_of(slug)}?only={slug}")
    picture = page.locator(f"[data-explorer={slug}] img").first
    picture.scroll_into_view_if_needed()
    picture.wait_for(state="visible")
    assert len(picture.get_attribute("alt")) > 20


@every
def test_a_module_that_fails_leaves_the_picture(stage, site_url, page_of, slug):
    page = stage
    page.found.clear()
    page.route("**/*.mjs", lambda route: route.abort())
    page.goto(f"{site_url}{page_of(slug)}?only={slug}")
    host = page.locator(f"[data-explorer={slug}]").first
    host.scroll_into_view_if_needed()
    page.wait_for_selector(
        f"[data-explorer={slug}][data-explorer-state=error]", timeout=10_000
    )
    host.locator("img").first.wait_for(state="visible")  # it may still be on its way
    assert any(f"explorer {slug}" in text for text in page.found)
