"""Print the built site as one PDF: every page in the order of the table of contents.

``make pdf`` builds the site first. Chromium prints one page of the site after another, with tags and bookmarks.
Each anchor carries the name of its page, so that the sheets of all pages go together into one book: in it a link
is a link, to whatever page. Formulas and code stay text, figures are images. What comes out is checked: a link
that does not land where it says stops the tool.
"""

import base64
import io
import os
import re
import sys
from html import escape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pikepdf
from chromium import require
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "_build" / "html"
BOOK = ROOT / "_build" / "random-walks-to-reasoning.pdf"
for folder in ("_ext", "tests/site", "tools"):
    sys.path.insert(0, str(ROOT / folder))
from colophon import AUTHORS, LICENCE_URL, RIGHTS, SUBTITLE, TITLE  # noqa: E402
from conftest import FLAGS, serve  # noqa: E402
from cover import ALT, cover  # noqa: E402
from offer import offer  # noqa: E402

# Links between pages go through this address until the sheets are together.
BETWEEN = "https://book.invalid/#"
SHEET = """<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8"><title>{title}</title></head>
<body><main class="bd-main"><div class="bd-content"><div class="bd-article-container"><article class="bd-article">
{text}</article></div></div></main></body></html>"""
FRONT = """<section class="cover"><img src="data:image/png;base64,{cover}" alt="{alt}"></section>
<section class="contents"><p class="title">{title}: {subtitle}</p><p>{rights}</p><ol>{contents}</ol></section>"""
STYLE = """
@page { size: A4; margin: 18mm; }
@page cover { margin: 0; }
.cover { page: cover; }
.cover img { display: block; width: 210mm; height: 296mm; object-fit: cover; }
html, body, main.bd-main, .bd-main .bd-content, .bd-main .bd-content .bd-article-container, .bd-main .bd-content .bd-article {
  display: block; width: auto; max-width: none; height: auto; margin: 0; padding: 0; overflow: visible; }
.bd-main .bd-content .bd-article h1:first-of-type { display: block; margin-top: 0; }
.contents { font: 10pt sans-serif; }
.contents .title { font-size: 1.5rem; }
.bd-article .cell_input { break-inside: auto; }
.bd-article pre { orphans: 5; widows: 5; }
.contents ol { list-style: none; padding-left: 1.5em; margin: 0; }
.contents > ol { padding: 0; }
.contents > ol > li { margin-top: 0.6em; font-weight: 600; }
.contents ol ol > li { font-weight: 400; }
.contents li { padding-right: 3em; line-height: 1.5; }
.contents a { color: inherit; text-decoration: none; }
"""
# A page of the site in a sheet of its own; returns its headings, and the anchors to which its links lead.
BIND = r"""async ({name, names, between, online}) => {
  const article = document.querySelector("article"), site = new URL("/", location.href);
  const anchor = (page, id) => id ? `${page}--${id}` : page;
  const address = new URL(`${name}.html`, site), answer = await fetch(address);
  if (!answer.ok) throw new Error(`the site has no page ${name}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const sheet of page.querySelectorAll("link[rel=stylesheet]")) {
    const link = document.createElement("link");
    Object.assign(link, {rel: "stylesheet", href: new URL(sheet.getAttribute("href"), address).href});
    await new Promise((done) => { link.onload = link.onerror = done; document.head.append(link); });
  }
  const column = page.querySelector("article"), section = document.createElement("section");
  for (const gallery of column.querySelectorAll(".gallery")) {  // the contents say the same
    const around = gallery.closest("section:not(:has(h1))");
    (around?.querySelectorAll("p").length === 0 ? around : gallery).remove();
  }
  for (const e of column.querySelectorAll("script, .headerlink, .attempt, picture > source")) e.remove();
  for (const e of column.querySelectorAll("[id]")) e.id = anchor(name, e.id);
  for (const key of ["for", "aria-labelledby", "aria-describedby", "aria-controls"])
    for (const e of column.querySelectorAll(`[${key}]`))
      e.setAttribute(key, e.getAttribute(key).split(/\s+/).map((id) => anchor(name, id)).join(" "));
  for (const e of column.querySelectorAll("details")) e.open = true;
  for (const image of column.querySelectorAll("img")) {
    image.src = new URL(image.getAttribute("src"), address).href;
    image.removeAttribute("loading");
  }
  for (const a of column.querySelectorAll("a[href]")) {
    const to = new URL(a.getAttribute("href"), address);
    if (to.origin !== site.origin) continue;
    const there = decodeURIComponent(to.pathname.slice(1)).replace(/\.html$/, "") || "index";
    const place = anchor(there, decodeURIComponent(to.hash.slice(1)));
    if (there === name) a.setAttribute("href", "#" + place);
    else if (names.includes(there)) a.setAttribute("href", between + place);
    else if (online) a.href = new URL(to.pathname.slice(1) + to.hash, online).href;
    else a.replaceWith(...a.childNodes);
  }
  section.id = name;
  section.append(...column.childNodes);
  // As in any book, solutions stand at the end of the chapter.
  const solutions = section.querySelectorAll(".solution");
  if (solutions.length) {
    const last = document.createElement("section"), h2 = document.createElement("h2");
    last.id = anchor(name, "solutions");
    h2.textContent = "Solutions";
    last.append(h2, ...solutions);
    (section.querySelector("section") ?? section).append(last);
  }
  article.replaceChildren(section);
  // Chromium keeps the places of those anchors to which something in the same document leads, seen or not.
  const places = document.createElement("nav");
  places.hidden = true;
  for (const e of [section, ...section.querySelectorAll("[id]")])
    places.append(Object.assign(document.createElement("a"), {href: "#" + e.id}));
  document.body.append(places);
  const headings = [[name, section.querySelector("h1").textContent.trim()]];
  for (const h2 of section.querySelectorAll("h2"))
    headings.push([h2.closest("section[id]").id, h2.textContent.trim()]);
  const style = document.createElement("style");
  style.textContent = `@page { @top-center { font: 8pt sans-serif; content: ${JSON.stringify(headings[0][1])}; } }`;
  document.head.append(style);
  await Promise.all([...document.images].map((image) => image.decode()));
  await document.fonts.ready;
  const seen = [...article.querySelectorAll("a[href]")].filter((a) => a.getClientRects().length && a.textContent.trim());
  const hrefs = seen.map((a) => a.getAttribute("href"));
  const wanted = hrefs.filter((h) => h.startsWith("#") || h.startsWith(between)).map((h) => h.slice(h.indexOf("#") + 1));
  return {headings, wanted: [...new Set(wanted)]};
}"""


def pages() -> list[str]:
    """Addresses within the site, in reading order; the book's pages about its making stay out."""
    toc = (ROOT / "_toc.yml").read_text("utf-8")
    names = re.findall(r"(?:root|file): *(\S+)", toc)
    unprinted = ("verified", "sources", "api")
    return [n for n in names if n.split("/")[0] not in unprinted]


def printed(
    browser, site: Path, names: list[str], online: str = ""
) -> tuple[list[bytes], list, set[str]]:
    """The front of the book and each page as a PDF; the headings of each page; where their links should lead.

    ``online`` is the address of the site, for links to those of its pages that are not printed.
    """
    server = serve(site)
    parts, contents, wanted = [], [], set()

    def sheets(text: str = "", **asked) -> bytes:
        page = browser.new_page(color_scheme="light", reduced_motion="reduce")
        page.set_default_timeout(0)  # on a busy machine a chapter takes a minute
        body = SHEET.format(title=TITLE, text=text)
        page.route("**/sheet", lambda r: r.fulfill(body=body, content_type="text/html"))
        page.goto(f"http://127.0.0.1:{server.server_port}/sheet")
        if asked:
            said = page.evaluate(BIND, asked)
            contents.append(said["headings"])
            wanted.update(said["wanted"])
        page.add_style_tag(content=STYLE)  # the last word
        made = page.pdf(
            prefer_css_page_size=True,
            print_background=True,
            tagged=True,
        )
        page.close()
        return made

    for name in names:
        asked = {"names": names, "between": BETWEEN, "online": online}
        parts.append(sheets(name=name, **asked))
    front = FRONT.format(
        title=TITLE,
        subtitle=SUBTITLE,
        rights=escape(RIGHTS),
        alt=escape(ALT),
        cover=base64.b64encode(cover()).decode(),
        contents="".join(entry(*headings) for headings in contents),
    )
    parts.insert(0, sheets(front))
    server.shutdown()
    return parts, contents, wanted


def entry(title: list[str], *sections: list[str]) -> str:
    """A page and its sections in the contents; a heading is its anchor and its words."""

    def line(heading, rest=""):
        anchor, words = heading
        return f'<li><a href="{BETWEEN}{escape(anchor)}">{escape(words)}</a>{rest}</li>'

    inner = "".join(line(section) for section in sections)
    return line(title, f"<ol>{inner}</ol>" if inner else "")


class Binding:
    """The book into which sheets are put: links and tags come with them."""

    def __init__(self):
        self.book = pikepdf.Pdf.new()
        self.places = pikepdf.Dictionary()
        self.parents, self.kids = [], []
        self.next_key = 0

    def add(self, part: pikepdf.Pdf) -> None:
        first = len(self.book.pages)
        number = {sheet.objgen: i for i, sheet in enumerate(part.pages, start=first)}
        for sheet in part.pages:
            self.book.pages.append(sheet)
        for sheet in self.book.pages[first:]:
            if "/StructParents" in sheet.obj:  # an empty sheet has no tags
                sheet.StructParents = int(sheet.StructParents) + self.next_key
            for note in sheet.get("/Annots", ()):
                if "/StructParent" in note:
                    note.StructParent = int(note.StructParent) + self.next_key
                address = str(note.get("/A", {}).get("/URI", ""))
                if address.startswith(BETWEEN):
                    del note["/A"]
                    anchor = unquote(address.removeprefix(BETWEEN))
                    note.Dest = pikepdf.Name("/" + anchor)
        for name, place in part.Root.get("/Dests", {}).items():
            sheet = self.book.pages[number[place[0].objgen]].obj
            self.places[name] = pikepdf.Array([sheet, *list(place)[1:]])
        tree = self.book.copy_foreign(part.Root.StructTreeRoot)
        for key, of in pikepdf.NumberTree(tree.ParentTree).items():
            self.parents += [key + self.next_key, of]
        self.next_key += int(tree.ParentTreeNextKey)
        kids = tree.K if isinstance(tree.K, pikepdf.Array) else [tree.K]
        self.kids += list(kids)

    def bound(self) -> pikepdf.Pdf:
        book = self.book
        tree = book.make_indirect(
            pikepdf.Dictionary(
                Type=pikepdf.Name.StructTreeRoot,
                K=pikepdf.Array(self.kids),
                ParentTree=pikepdf.Dictionary(Nums=pikepdf.Array(self.parents)),
                ParentTreeNextKey=self.next_key,
            )
        )
        for kid in self.kids:
            kid.P = tree
        book.Root.StructTreeRoot = tree
        book.Root.MarkInfo = pikepdf.Dictionary(Marked=True)
        book.Root.Dests = book.make_indirect(self.places)
        return book


def links(book: pikepdf.Pdf):
    """``(sheet number, link annotation)`` for each link."""
    for number, sheet in enumerate(book.pages):
        for note in sheet.get("/Annots", ()):
            if note.get("/Subtype") == "/Link":
                yield number, note


def anchors(book: pikepdf.Pdf) -> dict[str, int]:
    """The sheet on which each anchor stands."""
    number = {sheet.objgen: i for i, sheet in enumerate(book.pages)}
    named = book.Root.get("/Dests", {})
    return {name[1:]: number[place[0].objgen] for name, place in named.items()}


def faults(book: pikepdf.Pdf, names: list[str], wanted: set[str]) -> list[str]:
    """Links that do not land where they say, in words."""
    places = anchors(book)
    wrong = [f"no sheet for the page {name}" for name in names if name not in places]
    if wrong:
        return wrong
    begins = [places[name] for name in names]
    ends = dict(zip(names, [*begins[1:], len(book.pages)], strict=True))
    landed = set()
    for sheet, note in links(book):
        where = f"sheet {sheet + 1}"
        if "/Dest" in note:
            anchor = str(note.Dest).removeprefix("/")
            name, place = anchor.split("--")[0], places.get(anchor)
            landed.add(anchor)
            if place is None:
                wrong.append(f"{where}: {anchor} is nowhere")
            elif not places[name] <= place < ends[name]:
                wrong.append(f"{where}: {anchor} leads to sheet {place + 1}")
            continue
        address = str(note.get("/A", {}).get("/URI", ""))
        host = urlsplit(address).hostname
        if not host or host == "localhost" or host.startswith("127."):
            wrong.append(f"{where}: {address or 'a link'} leads to no web page")
    return wrong + [f"the link to {lost} was lost" for lost in sorted(wanted - landed)]


def number_sheets(book: pikepdf.Pdf, first: int) -> None:
    """Print the number of each sheet, and beside each line of the contents, which end before sheet ``first``, its own."""
    places = anchors(book)
    texts = {
        i: [(float(s.mediabox[2]) / 2, 28, i + 1)] for i, s in enumerate(book.pages)
    }
    del texts[0]  # the cover
    heights = {}
    for sheet, note in links(book):
        if sheet < first:
            anchor = str(note.Dest).removeprefix("/")
            height = heights.get((sheet, anchor), 1e9)  # of two lines, the lower one
            heights[sheet, anchor] = min(height, float(note.Rect[1]))
    for (sheet, anchor), height in heights.items():
        right = float(book.pages[sheet].mediabox[2]) - 51 - 8  # the margin of 18 mm
        texts[sheet].append((right, height + 3, places[anchor] + 1))
    font = pikepdf.Dictionary(
        Type=pikepdf.Name.Font,
        Subtype=pikepdf.Name.Type1,
        BaseFont=pikepdf.Name.Helvetica,
    )
    font = book.make_indirect(font)
    for number, said in texts.items():
        sheet = book.pages[number]
        name = sheet.add_resource(font, pikepdf.Name.Font)
        words = [  # set around x: a digit of Helvetica is 0.556 em wide
            f"BT {name} 8 Tf {x - 2.2 * len(str(n)):.1f} {y:.1f} Td ({n}) Tj ET"
            for x, y, n in said
        ]
        sheet.contents_add(b"q", prepend=True)
        sheet.contents_add("\n".join(["Q /Artifact BMC", *words, "EMC"]).encode())


def add_bookmarks(book: pikepdf.Pdf, contents: list) -> None:
    """A bookmark for each page of the site, and folded below it one for each of its sections."""
    places = anchors(book)
    with book.open_outline() as outline:
        for page in contents:
            marks = [pikepdf.OutlineItem(words, places[at]) for at, words in page]
            marks[0].children.extend(marks[1:])
            marks[0].is_closed = True
            outline.root.append(marks[0])


def describe(book: pikepdf.Pdf) -> None:
    """Title, authors, language and licence, for readers and catalogues."""
    with book.open_metadata(set_pikepdf_as_editor=False) as data:
        data["dc:title"] = f"{TITLE}: {SUBTITLE}"
        data["dc:creator"] = [AUTHORS]
        data["dc:language"] = ["en"]
        data["dc:rights"] = RIGHTS
        data["xmpRights:WebStatement"] = LICENCE_URL
    book.docinfo["/Title"], book.docinfo["/Author"] = f"{TITLE}: {SUBTITLE}", AUTHORS
    book.Root.Lang = "en"
    book.Root.ViewerPreferences = pikepdf.Dictionary(DisplayDocTitle=True)


def bind(browser, site: Path, names: list[str], target: Path, online: str = "") -> str:
    """Print pages of a site into one file, which is checked; says what came out.

    Raises
    ------
    ValueError
        If a link of the book does not land where it says.
    """
    parts, contents, wanted = printed(browser, site, names, online)
    binding = Binding()
    sources = [pikepdf.open(io.BytesIO(part)) for part in parts]
    for source in sources:
        binding.add(source)
    book = binding.bound()
    wrong = faults(book, names, wanted)
    if wrong:
        raise ValueError(
            f"{len(wrong)} links of the PDF do not land, such as: {'; '.join(wrong[:5])}"
        )
    number_sheets(book, anchors(book)[names[0]])
    add_bookmarks(book, contents)
    describe(book)
    book.save(target, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    count, sheets = sum(1 for _ in links(book)), len(book.pages)
    size = target.stat().st_size / 1e6
    return f"{sheets} pages, {size:.1f} MB; {count} links, all land"


def main() -> None:
    online = os.environ.get("BOOK_URL", "")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=require(), args=FLAGS)
        try:
            said = bind(browser, SITE, pages(), BOOK, online)
        except ValueError as error:
            sys.exit(str(error))
    offer(BOOK, said.split(",")[0])
    print(f"{BOOK.name}: {said}")


if __name__ == "__main__":
    main()
