"""Explorers in a real browser: each comes alive, obeys its reader and agrees with Python."""

import math
from dataclasses import dataclass, field

import numpy as np
import pytest

from utils import random_walk


@dataclass(frozen=True)
class Case:
    """Where an explorer lives and the accessible names of what can be moved."""

    page: str
    sliders: tuple[str, ...]
    radios: tuple[str, ...] = ()
    buttons: tuple[str, ...] = ()
    animated: bool = False
    picks: dict[str, str] = field(default_factory=dict)


CASES = {
    "random_walks": Case(
        page="chapters/foundations/random_walks.html",
        sliders=("steps n", "up-step chance p"),
        radios=("position", "maximum", "last zero", "first return"),
        buttons=("New walks",),
        animated=True,
        picks={"slider": "Bar"},
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

FRAMES = """() => {
  const request = window.requestAnimationFrame.bind(window);
  window.frames_asked = 0;
  window.requestAnimationFrame = f => { window.frames_asked++; return request(f); };
}"""


@pytest.fixture
def explorer(open_page):
    """Open a page and return its explorer, alive; ``still`` asks for reduced motion."""

    def open_(slug, *, still=True, **options):
        page = open_page(
            CASES[slug].page, reduced_motion=still, mathjax=False, **options
        )
        host = page.locator(f"[data-explorer={slug}]").first
        host.scroll_into_view_if_needed()
        page.wait_for_selector(
            f"[data-explorer={slug}][data-explorer-state=ready]", timeout=10_000
        )
        host.scroll_into_view_if_needed()
        page.wait_for_timeout(200)
        return host

    return open_


def control(host, role, name):
    return host.get_by_role(role, name=name, exact=True)


@every
def test_becomes_ready_without_complaint(explorer, open_page, slug):
    host = explorer(slug)
    assert host.locator("svg[role=img]").count() >= 1
    assert all(
        label
        for label in host.locator("svg[role=img]").evaluate_all(
            "all => all.map(e => e.getAttribute('aria-label'))"
        )
    )
    assert open_page.problems(host.page) == []


@every
def test_names_of_the_controls_are_as_registered(explorer, slug):
    host = explorer(slug)
    case = CASES[slug]
    for role, names in [
        ("slider", case.sliders),
        ("radio", case.radios),
        ("button", case.buttons),
    ]:
        for name in names:
            assert control(host, role, name).count() == 1, name
        expected = len(names) + (role in case.picks)
        assert host.get_by_role(role).count() == expected, f"unregistered {role}"


@every
def test_every_control_changes_the_drawing(explorer, slug):
    host = explorer(slug)
    case, seen = CASES[slug], [host.evaluate(DRAWING)]

    def changed(what):
        host.page.wait_for_timeout(100)
        seen.append(host.evaluate(DRAWING))
        assert seen[-1] != seen[-2], what

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
        before = slider.evaluate("e => e.value ?? e.getAttribute('aria-valuetext')")
        host.page.keyboard.press("ArrowRight")
        assert (
            slider.evaluate("e => e.value ?? e.getAttribute('aria-valuetext')")
            != before
        ), name
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
    places = """e => [e, ...e.querySelectorAll("input, button, svg[role=img]")]
      .map(x => x.getBoundingClientRect())
      .map(b => [b.x, b.y, b.width, b.height].map(Math.round))"""
    before = host.evaluate(places)
    for name in CASES[slug].radios[1:]:
        control(host, "radio", name).check(force=True)
        for slider in CASES[slug].sliders:
            for key in ("Home", "End"):
                control(host, "slider", slider).press(key)
                assert host.evaluate(places) == before, (name, slider, key)


@pytest.mark.parametrize("slug", ANIMATED)
def test_animation_stops_out_of_view_and_comes_back(explorer, slug):
    host = explorer(slug, still=False)
    moving = host.locator("[data-animating]").first
    assert moving.get_attribute("data-animating") == "true"
    host.page.evaluate(FRAMES)
    host.page.wait_for_timeout(300)
    assert host.page.evaluate("window.frames_asked") > 5
    host.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    host.page.wait_for_function(
        "e => e.dataset.animating === 'false'", arg=moving.element_handle()
    )
    host.page.evaluate("window.frames_asked = 0")
    host.page.wait_for_timeout(300)
    assert host.page.evaluate("window.frames_asked") == 0
    host.scroll_into_view_if_needed()
    host.page.wait_for_function(
        "e => e.dataset.animating === 'true'", arg=moving.element_handle()
    )


@pytest.mark.parametrize("slug", ANIMATED)
def test_animation_pauses_and_plays(explorer, slug):
    host = explorer(slug, still=False)
    control(host, "button", "Pause").click()
    host.page.wait_for_timeout(600)
    resting = host.evaluate(DRAWING)
    host.page.wait_for_timeout(300)
    assert host.evaluate(DRAWING) == resting
    control(host, "button", "Play").click()
    host.page.wait_for_timeout(300)
    assert host.evaluate(DRAWING) != resting


@pytest.mark.parametrize("slug", ANIMATED)
def test_reduced_motion_shows_the_end_at_once(explorer, slug):
    host = explorer(slug)
    host.page.evaluate(FRAMES)
    before = host.evaluate(DRAWING)
    host.page.wait_for_timeout(400)
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
        f"{site_url.rstrip('/')}/_static/explorers/{slug}.mjs",
    )
    assert answer == {"shown": True, "saved": True, "left": 0}


@every
def test_without_javascript_the_picture_remains(open_page, slug):
    page = open_page(CASES[slug].page, javascript=False)
    picture = page.locator(f"[data-explorer={slug}] img").first
    picture.scroll_into_view_if_needed()
    assert picture.is_visible()
    assert len(picture.get_attribute("alt")) > 20


@every
def test_a_module_that_fails_leaves_the_picture(open_page, slug):
    page = open_page(CASES[slug].page, mathjax=False)
    said = []
    page.on(
        "console",
        lambda message: said.append(message.text) if message.type == "error" else None,
    )
    page.route("**/*.mjs", lambda route: route.abort())
    page.reload()
    host = page.locator(f"[data-explorer={slug}]").first
    host.scroll_into_view_if_needed()
    page.wait_for_selector(
        f"[data-explorer={slug}][data-explorer-state=error]", timeout=10_000
    )
    assert host.locator("img").first.is_visible()
    assert any(f"explorer {slug}" in text for text in said)


@pytest.fixture(scope="module")
def drawn_cases():
    """(n, p) with one k of the right parity each: 50 of every kind, the same in every run."""
    rng = np.random.default_rng(20260)
    n = rng.integers(1, 201, size=50)
    p = rng.uniform(0.05, 0.95, size=50).round(3)
    k = 2 * rng.integers(0, n + 1) - n
    return [(int(a), float(b), int(c)) for a, b, c in zip(n, p, k, strict=True)]


@pytest.fixture
def call(open_page, site_url):
    """Call an exported function of the random-walk module on a list of argument lists."""
    page = open_page("sources.html", mathjax=False)

    def call_(name, argument_lists):
        return page.evaluate(
            """async ([url, name, all]) => {
              const module = await import(url), plain = x => x.length === undefined ? x : [...x];
              return all.map(a => plain(module[name](...a)));
            }""",
            [
                f"{site_url.rstrip('/')}/_static/explorers/random_walks.mjs",
                name,
                argument_lists,
            ],
        )

    return call_


def test_lgamma_is_accurate_to_rounding(call):
    x = np.r_[np.linspace(0.5, 20, 200), np.linspace(20, 2001, 200)]
    want = np.array([math.lgamma(v) for v in x])
    got = np.array(call("lgamma", [[v] for v in x.tolist()]))
    assert np.max(np.abs(got - want) / np.maximum(1, np.abs(want))) < 1e-14


def test_pmf_agrees_with_the_specification_and_the_kernel(call, drawn_cases):
    known = {
        (10, 0.5, 2): 0.205078125,
        (100, 0.5, 0): 0.07958923738717877,
        (100, 0.5, 20): 0.01084386671163798,
        (40, 0.6, 8): 0.1279115243848201,
        (1000, 0.5, 50): 0.00723236188835887,
    }
    got = np.ravel(call("pmf", [[n, k, p] for n, p, k in known]))
    np.testing.assert_allclose(got, list(known.values()), rtol=1e-9)
    got = np.ravel(call("pmf", [[n, k, p] for n, p, k in drawn_cases]))
    # By convolution, which adds positive numbers only and so stays accurate in the tails.
    want = [random_walk.walk_pmf(n, p)[1][k + n] for n, p, k in drawn_cases]
    np.testing.assert_allclose(got, want, rtol=1e-9)
    assert np.ravel(call("pmf", [[10, 3, 0.5], [10, 12, 0.5]])).tolist() == [0, 0]


def test_maximum_agrees_with_reflection_and_with_its_own_recursion(call, drawn_cases):
    fair = [(n, abs(k)) for n, _, k in drawn_cases]
    got = np.ravel(call("maxTail", [[n, r] for n, r in fair]))
    np.testing.assert_allclose(
        got, [random_walk.max_tail(n, r) for n, r in fair], rtol=1e-9
    )
    for n, p, _ in drawn_cases[:10]:
        law = np.ravel(call("maxPmf", [[n, p]]))
        tails = np.ravel(call("maxTail", [[n, r, p] for r in range(n + 1)]))
        np.testing.assert_allclose(law[::-1].cumsum()[::-1], tails, rtol=1e-9)


def test_last_zero_agrees_with_the_kernel_and_with_enumeration(call, drawn_cases):
    for n in {n - n % 2 for n, _, _ in drawn_cases} | {100}:
        got = np.ravel(call("lastZeroPmf", [[n]]))
        np.testing.assert_allclose(got, random_walk.arcsine_pmf(n // 2), rtol=1e-9)
        if n == 100:
            assert got[0] == pytest.approx(0.0795892374, rel=1e-9)
    np.testing.assert_allclose(
        np.ravel(call("lastZeroPmf", [[11, 0.3]])),
        enumerate_walks(11, 0.3)["last zero"][::2][:6],
        rtol=1e-9,
    )


def test_first_return_agrees_with_the_kernel_and_with_enumeration(call):
    want = random_walk.first_returns(random_walk.return_probs(100))
    np.testing.assert_allclose(
        np.ravel(call("firstReturnPmf", [[200]])), want, rtol=1e-9
    )
    law = enumerate_walks(11, 0.3)
    np.testing.assert_allclose(
        np.ravel(call("firstReturnPmf", [[11, 0.3]])),
        law["first return"][::2][:6],
        rtol=1e-9,
    )
    np.testing.assert_allclose(
        np.ravel(call("noReturn", [[11, 0.3]]))[-1], law["never"], rtol=1e-9
    )


def test_maximum_of_a_biased_walk_agrees_with_enumeration(call):
    np.testing.assert_allclose(
        np.ravel(call("maxPmf", [[11, 0.3]])),
        enumerate_walks(11, 0.3)["maximum"],
        rtol=1e-9,
    )


def enumerate_walks(n, p):
    """Weigh all 2^n walks of a small n one by one."""
    steps = 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1) - 1
    S = np.c_[np.zeros(2**n, int), steps.cumsum(axis=1)]
    weight = p ** (steps > 0).sum(axis=1) * (1 - p) ** (steps < 0).sum(axis=1)
    back = S[:, 1:] == 0
    returns, first = back.any(axis=1), 1 + back.argmax(axis=1)
    last = n - (S == 0)[:, ::-1].argmax(axis=1)

    def count(values, mask=slice(None)):
        return np.bincount(values[mask], weight[mask], minlength=n + 1)

    return {
        "maximum": count(S.max(axis=1)),
        "last zero": count(last),
        "first return": count(first, returns),
        "never": weight[~returns].sum(),
    }


def test_bars_carry_the_numbers_they_show(explorer):
    host = explorer("random_walks")
    control(host, "slider", "steps n").fill("40")
    control(host, "slider", "up-step chance p").fill("0.6")
    bars = dict(
        host.locator("[data-p]").evaluate_all(
            "all => all.map(e => [Number(e.dataset.k), Number(e.dataset.p)])"
        )
    )
    assert bars[8] == pytest.approx(0.1279115243848201, rel=1e-9)
    shares = host.locator("circle[data-share]").evaluate_all(
        "all => all.map(e => Number(e.dataset.share))"
    )
    assert sum(shares) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("n", "p"), [(50, 0.5), (117, 0.62)])
def test_simulated_walks_obey_the_laws(call, n, p):
    walks = call("walk", [[1, i, n, p] for i in range(2520)])
    end = np.array([walk["position"] for walk in walks])
    top = np.array([walk["maximum"] for walk in walks])
    mean, sd = n * (2 * p - 1), np.sqrt(4 * n * p * (1 - p))
    assert abs(end.mean() - mean) < 4 * sd / np.sqrt(2520)
    law = np.ravel(call("maxPmf", [[n, p]]))
    mean, second = law @ np.arange(n + 1), law @ np.arange(n + 1) ** 2
    assert abs(top.mean() - mean) < 4 * np.sqrt((second - mean**2) / 2520)
