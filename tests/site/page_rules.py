"""What a built page must satisfy: one function a rule, each returns what is wrong in words."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import TimeoutError

# bytes of a first visit and elements, of a chapter and of another page: the home, the lists of everything
CHAPTER, ELSEWHERE = (650_000, 26_000), (1_000_000, 50_000)
PATIENCE = 10_000  # milliseconds
AXE_SERIOUS = ("serious", "critical")
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


def problems(page) -> list[str]:
    """Everything wrong with an open page, each line starting with the rule it breaks."""
    return [f"{rule.__name__}: {what}" for rule in RULES for what in rule(page)]


def light(page) -> list[str]:
    """A first visit of a chapter brings at most 650 KB, compressed, and 26 000 elements; later figures load later."""
    page.evaluate("document.fonts.ready.then(() => null)")
    total, elements = sum(page.sizes.values()), page.locator("*").count()
    heaviest, most = CHAPTER if "/chapters/" in page.url else ELSEWHERE
    wrong = [f"it loads {total / 1000:.0f} KB"] if total > heaviest else []
    wrong += [f"it has {elements} elements"] if elements > most else []
    if any("fa-solid-900" in url for url in page.sizes):
        wrong.append("it loads the theme's two thousand icons: _ext/icons.py lacks one")
    return wrong


def explorers(page) -> list[str]:
    """Every explorer comes alive where it stands."""
    wrong = []
    for host in page.locator("[data-explorer]").all():
        host.scroll_into_view_if_needed()
        try:
            host.and_(page.locator("[data-explorer-state=ready]")).wait_for(
                timeout=PATIENCE
            )
        except TimeoutError:
            wrong.append(f"{host.get_attribute('data-explorer')} does not come alive")
    return wrong


def one_title(page) -> list[str]:
    """A page has one title."""
    titles = page.locator("h1:visible").all_inner_texts()
    return [] if len(titles) == 1 else [f"the titles are {titles}"]


def equations(page) -> list[str]:
    """Every formula is set, and no raw TeX is left."""
    return page.evaluate(
        r"""() => {
          const wrong = [];
          for (const math of document.querySelectorAll(".math"))
            if (!math.querySelector("mjx-container"))
              wrong.push("formula is not set: " + math.textContent.slice(0, 60));
          const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
          while (walker.nextNode()) {
            const text = walker.currentNode;
            if (/\\[a-zA-Z([]|\$\$/.test(text.data) && !text.parentElement.closest("pre, code, script, mjx-container"))
              wrong.push("raw TeX: " + text.data.trim().slice(0, 60));
          }
          return wrong;
        }"""
    )


def column(page) -> list[str]:
    """On a desktop every equation fits the column; scrolling is for phones."""
    return page.evaluate(
        """() => [...document.querySelectorAll("div.math")].filter(
          e => e.scrollWidth > e.clientWidth + 1
        ).map(e => "wider than the column: " + e.textContent.slice(0, 80))"""
    )


def overflow(page) -> list[str]:
    """Nothing is wider than the window; wide things scroll in boxes of their own."""
    return page.evaluate(
        """() => {
          const width = document.documentElement.clientWidth;
          const inside = e => e.querySelector("mjx-container")?.offsetWidth ?? e.scrollWidth;
          const boxes = [...document.querySelectorAll(".math, figure")].filter(
            e => (e.matches("span") ? inside(e) : e.scrollWidth) > e.clientWidth + 1);
          const cut = boxes.filter(e => getComputedStyle(e).overflowX !== "auto");
          if (cut.length)
            return cut.map(e => "this is cut off and does not scroll: " + e.textContent.slice(0, 60));
          const deaf = boxes.filter(e => e.tabIndex !== 0);
          if (deaf.length)
            return deaf.map(e => "the keyboard cannot scroll this: " + e.textContent.slice(0, 60));
          if (document.documentElement.scrollWidth <= width) return [];
          const scrolls = e => e && (getComputedStyle(e).overflowX !== "visible" || scrolls(e.parentElement));
          const wide = [...document.querySelectorAll("main *")].filter(
            e => e.getBoundingClientRect().right > width + 1 && !scrolls(e.parentElement));
          return [`the page is ${document.documentElement.scrollWidth} px wide in a window of ${width} px: ` +
            wide.slice(0, 3).map(e => e.outerHTML.slice(0, 80)).join(" | ")];
        }"""
    )


def displays(page) -> list[str]:
    """On a phone at most three displays of a page are so wide that they scroll."""
    wide = page.evaluate(
        """() => [...document.querySelectorAll("div.math")].filter(
          e => e.scrollWidth > e.clientWidth + 1 && !e.closest("dl.py")
        ).map(e => e.id || e.textContent.slice(0, 60))"""
    )
    return [f"{len(wide)} displays scroll: {', '.join(wide)}"] * (len(wide) > 3)


def fading(page) -> list[str]:
    """What scrolls sideways shows it by a fading edge."""
    return page.evaluate(
        """() => [...document.querySelectorAll("article *")].filter(e =>
            e.scrollWidth > e.clientWidth + 1 && ["auto", "scroll"].includes(getComputedStyle(e).overflowX) &&
            e.checkVisibility({contentVisibilityAuto: true}) && getComputedStyle(e).maskImage === "none"
          ).map(e => "this scrolls and does not show it: " + e.outerHTML.slice(0, 80))"""
    )


def punctuation(page) -> list[str]:
    """No line begins with the full stop or comma of a formula."""
    return page.evaluate(
        """() => {
          const wrong = [], range = document.createRange();
          for (const math of document.querySelectorAll("main span.math")) {
            const text = math.nextSibling ?? math.parentElement.nextSibling;
            if (text?.nodeType !== Node.TEXT_NODE || !/^[.,;:!?)]/.test(text.data)) continue;
            range.setStart(text, 0);
            range.setEnd(text, 1);
            if (range.getBoundingClientRect().left < math.getBoundingClientRect().right - 4)
              wrong.push("a line begins with the punctuation of " + math.textContent.slice(0, 60));
          }
          return wrong;
        }"""
    )


def pictures(page) -> list[str]:
    """Every picture loads and says in words what it shows."""
    page.evaluate(
        """async () => {
          const images = [...document.images];
          images.forEach(image => { image.loading = "eager"; });
          await Promise.all(images.map(image => image.decode().catch(() => {})));
        }"""
    )
    return page.evaluate(
        """() => [...document.images].flatMap(image => {
          const name = image.getAttribute("src"), alt = (image.alt || "").trim();
          const wrong = [];
          if (!image.naturalWidth) wrong.push(`${name} does not load`);
          if (alt.length < 10 || /\\.(png|svg)$/.test(alt)) wrong.push(`${name} has no alt text: "${alt}"`);
          return wrong;
        })"""
    )


def accessibility(page) -> list[str]:
    """axe-core finds nothing serious or critical, and in dark mode no contrast that is too low.

    Most elements of a long page are those of formulas, or repeat what stands above them: coloured code,
    documented functions, checks, checked equations, entries of a menu. Three of each are left: axe would
    spend minutes on them. Colours change at once, as axe would find them half-way.
    """
    page.evaluate(
        """() => {
          const all = kind => [...document.querySelectorAll(kind)];
          const alike = [
            ...["div.highlight", "dl.py", "details.code-fold", "div.check", "div.verified"].map(all),
            ...Object.values(Object.groupBy(all("pre span, nav li"), e => e.tagName + e.className)),
          ];
          for (const e of [...all(".math"), ...alike.flatMap(same => same.slice(3))]) e.remove();
          const still = document.head.appendChild(document.createElement("style"));
          still.textContent = "* { transition: none !important; }";
        }"""
    )
    page.set_viewport_size(DESKTOP)
    page.evaluate(Axe().axe_script)
    found = page.evaluate(
        """async () => {
          const violations = async options =>
            (await axe.run({resultTypes: ["violations"], ...options})).violations;
          const light = await violations({});
          document.documentElement.dataset.theme = "dark";
          return [...light, ...await violations({runOnly: ["color-contrast"]})];
        }"""
    )
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:120]} {node['failureSummary'][:160]}"
        for rule in found
        if rule["impact"] in AXE_SERIOUS
        for node in rule["nodes"][:3]
    ]


def marks(page) -> list[str]:
    """Every mark beside an equation leads to its check, and the check leads back."""
    if page.locator("[data-check]").count() and not page.locator(".check-mark").count():
        return ["there are checks, and no equation has a mark"]
    return page.evaluate(
        """() => [...document.querySelectorAll(".check-mark")].filter(mark => {
          const check = document.getElementById(mark.hash.slice(1));
          const back = check?.querySelector("a")?.hash;
          return !back || !mark.parentElement.contains(document.getElementById(back.slice(1)));
        }).map(mark => `the mark ${mark.hash} leads to no check, or its check not back`)"""
    )


def evidence(page) -> list[str]:
    """A check is a line in words with its equation's number, its code is behind the line; all code is folded
    at first but that of solutions.
    """
    return page.evaluate(
        """() => {
          const wrong = [];
          for (const check of document.querySelectorAll("[data-check]")) {
            const name = check.dataset.check;
            if (!check.parentElement.querySelector("details.code-fold pre"))
              wrong.push(`the check of ${name} has no code behind it`);
            if (!/^\\(\\d+\\.\\d+\\) holds/.test(check.textContent))
              wrong.push(`the check of ${name} does not say its equation's number: ${check.textContent.slice(0, 60)}`);
          }
          for (const fold of document.querySelectorAll("details.code-fold[open]"))
            wrong.push("code is open from the start: " + fold.textContent.slice(0, 60));
          for (const code of document.querySelectorAll(".cell_input"))
            if (!code.closest("details.code-fold, .solution"))
              wrong.push("code stands open in the text: " + code.textContent.trim().slice(0, 60));
          return wrong;
        }"""
    )


def phone(page) -> list[str]:
    """At 390 px nothing is cut off, opened code included, and the menu opens.

    The page stays so narrow: a long one takes a second to be laid out again.
    """
    page.set_viewport_size(PHONE)
    page.evaluate(
        """() => new Promise(done => {
          document.querySelectorAll("details.code-fold").forEach(fold => { fold.open = true; });
          requestAnimationFrame(() => requestAnimationFrame(done));
        })"""
    )
    wrong = overflow(page) + displays(page) + punctuation(page) + fading(page)
    menu = page.locator("#pst-primary-sidebar-modal")
    wrong += ["the menu is open from the start"] * menu.is_visible()
    page.locator(".primary-toggle:visible").first.click()
    if menu.locator("a:visible").count() < 5:
        wrong.append("the menu does not open")
    page.keyboard.press("Escape")
    return wrong


def quiet(page) -> list[str]:
    """No console error, no script error, no request to another host."""
    return list(page.found)


RULES = (
    light,
    equations,
    column,
    pictures,
    one_title,
    marks,
    evidence,
    explorers,
    phone,
    quiet,
    accessibility,  # it takes the formulas out and ends in the dark
)


class Anchors(HTMLParser):
    """The links, the anchors and the resources of a page."""

    def __init__(self, path: Path):
        super().__init__()
        self.links, self.anchors, self.doubles = [], set(), []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        name = attributes.get("id") or (tag == "a" and attributes.get("name"))
        if name in self.anchors:
            self.doubles.append(name)
        if name:
            self.anchors.add(name)
        for key in ("href", "src"):
            if attributes.get(key) and tag != "base":
                self.links.append((tag, attributes[key]))


def links(site: Path) -> list[str]:
    """Internal links and their fragments resolve, ids are unique, resources come from the site."""
    pages = {
        path: Anchors(path)
        for path in sorted(site.rglob("*.html"))
        if "_static" not in path.parts
    }
    wrong = []
    for path, page in pages.items():
        name = path.relative_to(site).as_posix()
        wrong += [f"{name}: id {double!r} appears twice" for double in page.doubles]
        for tag, link in page.links:
            if link.startswith(("http:", "https:", "//")):
                if tag not in ("a", "link") or (tag == "link" and "stylesheet" in link):
                    wrong.append(f"{name}: <{tag}> loads {link} from another host")
                continue
            if link.startswith(("data:", "mailto:", "javascript:")):
                continue
            url, fragment = urldefrag(link)
            target = (
                path
                if not url
                else site / unquote(urljoin(f"/{name}", url)).lstrip("/").split("?")[0]
            )
            if not target.is_file():
                wrong.append(f"{name}: {link} leads nowhere")
            elif (
                fragment
                and target in pages
                and unquote(fragment) not in pages[target].anchors
            ):
                wrong.append(f"{name}: {link} has no such anchor")
    return wrong
