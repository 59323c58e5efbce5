"""The built site, served locally, in a real browser."""

import gzip
import json
import re
import threading
import time
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import chromium
import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
HOST = "http://127.0.0.1:"
TWO_FRAMES = """() => new Promise(
  done => requestAnimationFrame(() => requestAnimationFrame(done)))"""
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


class Handler(SimpleHTTPRequestHandler):
    """Serve files, compressed and kept by the browser, like any web host does, without a log.

    ``?only=slug`` is ``cut_down``; ``?plain`` leaves the formulas out, most of what a browser has to lay out.
    """

    protocol_version = "HTTP/1.1"
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".mjs": "text/javascript"
    }

    def log_message(self, *args):
        pass

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() else path
        if not path.is_file():
            return self.send_error(404)
        kind = self.guess_type(str(path))
        squeeze = kind.startswith(("text/", "application/j", "image/svg"))
        body = content(path, urlsplit(self.path).query, squeeze)
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=3600")
        if squeeze:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        return self.wfile.write(body)


@cache
def content(path: Path, query: str, squeeze: bool) -> bytes:
    options = parse_qs(query, keep_blank_values=True)
    body = path.read_bytes()
    if "only" in options:
        body = cut_down(body.decode(), options["only"][0]).encode()
    if "plain" in options:
        body = re.sub(rb"<mjx-container.*?</mjx-container>", b"", body, flags=re.DOTALL)
    return gzip.compress(body, 6) if squeeze else body


def cut_down(html: str, slug: str) -> str:
    """A page with nothing in its column but one explorer, between two screens of empty space.

    Of its scripts the loader and the theme's options are left, and one line chooses light or dark as the theme does.
    """
    host = html.index(f'data-explorer="{slug}"')
    cell = html.rfind('<div class="cell ', 0, host)
    start = cell if cell >= 0 else html.rfind("<div ", 0, host)
    before, rest = re.split(r'(?<=<article class="bd-article">)', html, maxsplit=1)
    space = '<div style="height: 2000px"></div>'
    choice = """<script>document.documentElement.dataset.theme =
      matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";</script>"""
    column = space + element(html, start) + space + choice
    page = before + column + rest[rest.index("</article>") :]
    return re.sub(
        r'<script[^>]* src="(?!\S*(?:explorer-loader|documentation_options))[^>]*></script>',
        "",
        page,
    )


def element(html: str, start: int) -> str:
    """The div that begins at a place of a page, to its end."""
    depth = 0
    for tag in re.finditer(r"<(/?)div\b[^>]*>", html[start:]):
        depth += -1 if tag[1] else 1
        if depth == 0:
            return html[start : start + tag.end()]
    raise ValueError(f"the div at {start} has no end")


@cache
def parsed(path: Path) -> BeautifulSoup:
    """A page without its formulas, which are most of what there is to parse."""
    html = re.sub(
        r"<mjx-container.*?</mjx-container>",
        "",
        path.read_text("utf-8"),
        flags=re.DOTALL,
    )
    return BeautifulSoup(html, "html.parser")


def serve(folder: Path) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Handler, directory=str(folder))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder of the built site."""
    if not (SITE / "index.html").exists():
        pytest.fail(
            "there is no built site to test: run `make book` first", pytrace=False
        )
    return SITE


@pytest.fixture(scope="session")
def site_url(site):
    server = serve(site)
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="session")
def browser():
    try:
        program = chromium.find()
    except FileNotFoundError as error:
        pytest.fail(str(error), pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=[*FLAGS, OFFLINE]
        )
        yield browser
        browser.close()


def watched(context):
    """A page that collects in ``page.found`` what goes wrong on it, and in ``page.sizes`` what it loads."""
    page = context.new_page()
    page.found, page.sizes = [], {}

    def console(message):
        if message.type == "error":
            page.found.append(f"console: {message.text}")

    def request(request):
        if not request.url.startswith((HOST, "data:", "blob:")):
            page.found.append(f"request to another host: {request.url}")

    page.on("console", console)
    page.on("pageerror", lambda error: page.found.append(f"script error: {error}"))

    def response(response):
        size = response.headers.get("content-length", 0)
        page.sizes[response.url] = int(size)

    page.on("request", request)
    page.on("response", response)
    return page


@pytest.fixture(scope="session")
def stage(browser):
    """The page on which the tests show one explorer after another."""
    context = browser.new_context()
    yield watched(context)
    context.close()


@pytest.fixture(scope="session")
def stage_without_scripts(browser):
    context = browser.new_context(java_script_enabled=False)
    yield context.new_page()
    context.close()


@pytest.fixture
def open_page(browser, site_url):
    """``open_page(path, ...)`` opens a page as a new visitor meets it; it is closed after the test.

    Requests that match ``blocked`` fail.
    """
    contexts = []

    def open_(
        path: str,
        *,
        base: str = site_url,
        width: int = 1280,
        height: int = 900,
        dark: bool = False,
        javascript: bool = True,
        blocked: str | None = None,
    ):
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            java_script_enabled=javascript,
        )
        contexts.append(context)
        page = watched(context)
        if blocked:
            page.route(blocked, lambda route: route.abort())
        page.goto(base + path, wait_until="load")
        return page

    yield open_
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def page_of(site):
    """``page_of(slug)``: where the site keeps a chapter, whatever part it belongs to, or its home."""
    pages = {path.stem: path for path in site.glob("chapters/*/*.html")}
    pages["home"] = site / "index.html"
    return lambda slug: pages[slug].relative_to(site).as_posix()


@pytest.fixture
def explorer(stage, page_of, site_url):
    """Open an explorer, alive, on what is left of its page without the text; ``still`` asks for reduced motion."""

    def open_(slug, *, still=True, width=1280, height=900, dark=False):
        stage.unroute_all()
        stage.mouse.move(0, 0)
        stage.set_viewport_size({"width": width, "height": height})
        stage.emulate_media(
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce" if still else "no-preference",
        )
        stage.found.clear()
        stage.goto(f"{site_url}{page_of(slug)}?only={slug}", wait_until="load")
        return alive(stage, slug)

    return open_


def alive(page, slug):
    """The explorer of a page, in view and ready."""
    host = page.locator(f"[data-explorer={slug}]").first
    host.scroll_into_view_if_needed()
    page.wait_for_selector(
        f"[data-explorer={slug}][data-explorer-state=ready]", timeout=10_000
    )
    host.scroll_into_view_if_needed()
    page.evaluate(TWO_FRAMES)
    return host


def until(page, expression: str, arg=None, patience: float = 10.0) -> None:
    """Wait until an expression is true: Playwright's own way evaluates text, which the site forbids."""
    end = time.monotonic() + patience
    while not page.evaluate(expression, arg):
        assert time.monotonic() < end, f"not true within {patience} s: {expression}"
        page.wait_for_timeout(20)


def control(host, role, name):
    """The one control of an explorer with this accessible name."""
    return host.get_by_role(role, name=name, exact=True)


@pytest.fixture(scope="session")
def call(browser, site_url):
    """``call(slug, name, argument_lists)``: an exported function of an explorer, once per list."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(site_url + "sources.html")

    def call_(slug, name, argument_lists):
        # As JSON: Playwright takes seconds for thousands of objects. JSON has no infinity and no NaN.
        said = page.evaluate(
            """async ([url, name, all]) => {
              const module = await import(url);
              return JSON.stringify(all.map(a => module[name](...a)), (_, x) =>
                ArrayBuffer.isView(x) ? [...x]
                : typeof x === "number" && !Number.isFinite(x) ? {number: String(x)} : x);
            }""",
            [f"{site_url}_static/explorers/{slug}.mjs", name, argument_lists],
        )
        return json.loads(
            said, object_hook=lambda d: float(d["number"]) if [*d] == ["number"] else d
        )

    yield call_
    context.close()
