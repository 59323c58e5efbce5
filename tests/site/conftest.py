"""The built site, served locally, in a real browser."""

import gzip
import shutil
import threading
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
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


class Handler(SimpleHTTPRequestHandler):
    """Serve files, compressed like any web host does, without a log."""

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
        body, kind = path.read_bytes(), self.guess_type(str(path))
        squeeze = kind.startswith(("text/", "application/j", "image/svg"))
        body = gzip.compress(body, 6) if squeeze else body
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if squeeze:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        return self.wfile.write(body)


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
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.fail(
            "the site tests need Chromium and found none: apt-get install chromium",
            pytrace=False,
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def opener(browser, site, site_url):
    """``opener(path, ...)`` opens a page in a context of its own, which the caller closes.

    What goes wrong on the page is collected in ``page.found``. ``mathjax=False`` saves the seconds of
    typesetting where a test does not look at formulas; ``only`` cuts the page down to one explorer.
    """

    def open_(
        path: str,
        *,
        base: str = site_url,
        width: int = 1280,
        height: int = 900,
        dark: bool = False,
        javascript: bool = True,
        reduced_motion: bool = False,
        mathjax: bool = True,
        only: str | None = None,
    ):
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            java_script_enabled=javascript,
            reduced_motion="reduce" if reduced_motion else "no-preference",
        )
        page = context.new_page()
        page.found = found = []
        page.on(
            "console",
            lambda m: m.type == "error" and found.append(f"console: {m.text}"),
        )
        page.on("pageerror", lambda error: found.append(f"script error: {error}"))

        def local_only(route):
            url = route.request.url
            if url.endswith("tex-chtml.js") and not mathjax:
                return route.fulfill(body="", content_type="text/javascript")
            if url == base + path and only:
                body = cut_down(site / path, only)
                return route.fulfill(body=body, content_type="text/html; charset=utf-8")
            if url.startswith((base, "data:", "blob:")):
                return route.continue_()
            found.append(f"request to another host: {url}")
            return route.abort()

        context.route("**/*", local_only)
        page.goto(base + path, wait_until="load")
        return page

    return open_


@cache
def cut_down(path: Path, slug: str) -> str:
    """A page with nothing in its column but one explorer, between two screens of empty space.

    Of its scripts only the loader is left, and one line that chooses light or dark as the theme does.
    """
    soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    article = soup.select_one("article.bd-article")
    host = article.select_one(f"[data-explorer={slug}]")
    cell = host.find_parent(class_="cell") or host
    spaces = [soup.new_tag("div", style="height: 2000px") for _ in range(2)]
    article.clear()
    article.extend([spaces[0], cell, spaces[1]])
    for script in soup.select("script[src]"):
        if "explorer-loader" not in script["src"]:
            script.decompose()
    choice = soup.new_tag("script")
    choice.string = """document.documentElement.dataset.theme =
      matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";"""
    soup.body.append(choice)
    return str(soup)


@pytest.fixture
def open_page(opener):
    """``open_page(path, ...)`` as ``opener``, closed after the test."""
    contexts = []

    def open_page(path: str, **options):
        page = opener(path, **options)
        contexts.append(page.context)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def page_of(site):
    """``page_of(slug)``: where the site keeps a chapter, whatever part it belongs to, or its home."""
    pages = {path.stem: path for path in site.glob("chapters/*/*.html")}
    pages["home"] = site / "index.html"
    return lambda slug: pages[slug].relative_to(site).as_posix()


@pytest.fixture
def explorer(open_page, page_of):
    """Open an explorer, alive, on its page or (by default) on what is left of it without the text.

    ``still`` asks for reduced motion.
    """

    def open_(slug, *, still=True, whole=False, **options):
        options |= {} if whole else {"only": slug}
        page = open_page(page_of(slug), reduced_motion=still, mathjax=False, **options)
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
    """The one control of an explorer with this accessible name."""
    return host.get_by_role(role, name=name, exact=True)


@pytest.fixture
def call(open_page, site_url):
    """``call(slug, name, argument_lists)``: an exported function of an explorer, once per list."""
    page = open_page("sources.html", mathjax=False)

    def call_(slug, name, argument_lists):
        return page.evaluate(
            """async ([url, name, all]) => {
              const module = await import(url), plain = x => x?.length === undefined ? x : [...x];
              return all.map(a => plain(module[name](...a)));
            }""",
            [
                f"{site_url.rstrip('/')}/_static/explorers/{slug}.mjs",
                name,
                argument_lists,
            ],
        )

    return call_
