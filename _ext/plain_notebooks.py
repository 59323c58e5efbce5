"""Write each chapter once more as a notebook of plain markdown, for whoever opens it without the book.

GitHub, Colab, VS Code and nbviewer know no roles and no directives. The copy names numbers, titles,
authors and years where the chapter has roles, folds what the site folds, shows captions, and, where
the address of the repository is known, installs the book's package. It takes the place of the page's
source file, which the site offers for download.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from html import escape
from pathlib import Path
from posixpath import dirname, join, normpath

from docutils.nodes import make_id
from pybtex.database import BibliographyData, Entry, parse_file
from pybtex.plugin import find_plugin
from sphinx.errors import ExtensionError

import chapters
from utils.explorers import read_repr

FENCE = re.compile(r"^(:{3,}|`{3,})\{([\w:-]+)\} *(.*)$")
ROLE = re.compile(r"\{([a-z:]+)\}`([^`]+)`")
OPTION = re.compile(r"^:([\w-]+): *(.*)$")
ADDRESS = "<address of its repository>"  # as the setup cells say it
INSTALL = """\
# Installs the book's package utils from its repository, unless it is there already.
# What you have of numpy, torch, jupyter and so on stays as it is.
from importlib.util import find_spec

if find_spec("utils") is None:
    %pip install -q "{address}"
"""


@dataclass
class Book:
    """What the text of a chapter refers to, and where the book is, if that is known."""

    numbers: dict[str, str]  # identifier of a label -> number with the chapter's
    figures: dict[str, list[str]]  # docname -> numbers of its figures, in order
    titles: dict[str, str]  # docname -> title
    bibliography: BibliographyData
    repository: str = ""
    site: str = ""

    def number(self, label: str) -> str:
        """Of a label that nothing carries, the label: Sphinx has complained of it already."""
        return self.numbers.get(make_id(label), label)

    def page(self, docname: str) -> str:
        return f"{self.site.rstrip('/')}/{docname}.html" if self.site else ""

    def work(self, key: str) -> Entry:
        if key not in self.bibliography.entries:
            raise ExtensionError(f"no work {key!r} in references.bib")
        return self.bibliography.entries[key]


def authors(work: Entry) -> str:
    names = [
        " ".join(str(part) for part in person.rich_last_names).replace("\xa0", " ")
        for person in work.persons["author"]
    ]
    if len(names) > 2:
        return f"{names[0]} et al."
    return " and ".join(names)


@cache
def bibliography_style() -> tuple:
    style = find_plugin("pybtex.style.formatting", "plain")
    return style(), find_plugin("pybtex.backends", "markdown")()


def reference(work: Entry) -> str:
    style, backend = bibliography_style()
    (entry,) = style.format_entries([work])
    return " ".join(entry.text.render(backend).split())


@dataclass
class Copy:
    """A chapter on its way to plain markdown."""

    chapter: chapters.Chapter
    book: Book
    cited: list[str] = field(default_factory=list)
    in_solution: bool = False
    open: bool = False  # whether a cell's text so far is folded
    captions: int = 0

    @cached_property
    def labels(self) -> set[str]:
        return {label for label, _ in self.chapter.equations}

    # -- text -------------------------------------------------------------------------------------

    def text(self, markdown: str) -> str:
        """The text of a cell, blocks and roles resolved."""
        start = ""
        if self.in_solution and "{solution-end}" not in markdown.split("\n", 1)[0]:
            start = self.unfold("Solution, continued")
        text = start + "".join(self.blocks(markdown.split("\n"))) + self.close()
        return re.sub(r"\n{3,}", "\n\n", text).strip()

    def unfold(self, summary: str) -> str:
        self.open = True
        return details(summary)

    def close(self) -> str:
        was, self.open = self.open, False
        return "\n\n</details>\n\n" if was else ""

    def blocks(self, lines: list[str]) -> Iterator[str]:
        plain: list[str] = []
        while lines:
            line, *lines = lines
            opening = FENCE.match(line)
            if opening is None:
                plain.append(line)
                continue
            yield self.inline("\n".join(plain)) + "\n"
            plain = []
            fence, name, argument = opening.groups()
            closing = re.compile(rf"^{fence[0]}{{{len(fence)},}} *$")
            end = next((i for i, text in enumerate(lines) if closing.match(text)), None)
            if end is None:
                raise ExtensionError(f"{self.chapter.slug}: {line!r} has no end")
            yield self.block(name, argument.strip(), lines[:end])
            lines = lines[end + 1 :]
        yield self.inline("\n".join(plain))

    def block(self, name: str, argument: str, body: list[str]) -> str:
        options = {}
        while body and (option := OPTION.match(body[0])):
            options[option[1]] = option[2]
            body = body[1:]
        if name == "solution-start":
            self.in_solution = True
            return self.unfold(f"Solution to exercise {self.book.number(argument)}")
        if name == "solution-end":
            self.in_solution = False
            return self.close()
        if name == "footbibliography":
            works = [reference(self.book.work(key)) for key in self.cited]
            return "".join(f"- {work}\n" for work in works)
        text = "".join(self.blocks(body)).strip()
        kinds = options.get("class", "").split()
        if name == "admonition" and "dropdown" in kinds:
            return f"{details(argument)}\n{text}\n\n</details>\n\n"
        if name == "admonition":
            return quote(f"**{self.inline(argument)}**", text)
        if name == "div":
            return quote(text)
        if name == "finding":
            return quote(
                f"**Finding ({options['kind']}). {self.inline(argument)}**", text
            )
        if name in ("exercise", "prf:theorem"):
            kind = name.removeprefix("prf:").capitalize()
            title = f" ({self.inline(argument)})" if argument else ""
            return quote(
                f"**{kind} {self.book.number(options['label'])}**{title}", text
            )
        raise ExtensionError(f"{self.chapter.slug}: no plain form for {{{name}}}")

    def inline(self, text: str) -> str:
        text = chapters.LABELLED.sub(self.equation, text)
        text = re.sub(r'<a href="#[^"]*">(.*?)</a>', r"\1", text)  # a place on the page
        return ROLE.sub(self.role, text)

    def equation(self, match: re.Match) -> str:
        label = match["label"]
        name = label.split(f"-{self.chapter.slug}-", 1)[-1]  # as the checks call it
        tag = rf"\tag{{{self.book.number(label)}, {name}}}"
        return f"$$\n{match['tex'].strip()} {tag}\n$$"

    def role(self, match: re.Match) -> str:
        name, argument = match.groups()
        roles: dict[str, Callable[[str], str]] = {
            "doc": self.doc,
            "eq": self.eq,
            "ref": lambda label: f"exercise {self.book.number(label)}",
            "numref": lambda label: f"Fig. {self.book.number(label)}",
            "footcite:p": self.cite,
            "footcite:t": self.cite_in_text,
        }
        if name not in roles:
            raise ExtensionError(f"{self.chapter.slug}: no plain form for {match[0]}")
        return roles[name](argument)

    def eq(self, label: str) -> str:
        number = f"({self.book.number(label)})"
        if label in self.labels:
            return number
        slug = label.split("-")[1]  # eq-<slug>-<name>
        homes = [c for c in chapters.all_chapters() if c.slug == slug]
        page = self.book.page(homes[0].docname) if homes else ""
        return link(number, page, f"#{make_id(f'equation-{label}')}")

    def doc(self, argument: str) -> str:
        title, target = re.fullmatch(r"(?:(.*?)\s*<)?([^<>]+)>?", argument).groups()
        folder = "" if target.startswith("/") else dirname(self.chapter.docname)
        docname = normpath(join(folder, target.lstrip("/")))
        title = title or self.book.titles.get(docname, target)
        return link(title, self.book.page(docname)) if self.book.site else f"*{title}*"

    def cite(self, keys: str) -> str:
        works = [(self.remember(key), self.book.work(key)) for key in keys.split(",")]
        return f"({'; '.join(f'{authors(w)}{year(w)}' for _, w in works)})"

    def cite_in_text(self, key: str) -> str:
        work = self.book.work(self.remember(key))
        when = year(work).strip()
        return f"{authors(work)} ({when})" if when else authors(work)

    def remember(self, key: str) -> str:
        if key not in self.cited:
            self.cited.append(key)
        return key

    # -- cells ------------------------------------------------------------------------------------

    def cells(self) -> Iterator[dict]:
        first = True
        for cell in self.chapter.cells:
            source = chapters.source(cell)
            if cell["cell_type"] == "markdown":
                if text := self.text(source):
                    yield markdown(text)
                continue
            if first and self.book.repository:
                yield code(INSTALL.format(address=self.address))
            first = False
            yield self.code(cell, source)
            yield from self.below(cell)

    @property
    def address(self) -> str:
        return f"git+{self.book.repository}"

    def code(self, cell: dict, source: str) -> dict:
        if self.book.repository:
            source = source.replace(ADDRESS, self.address)
        folded = cell["metadata"].get("jupyter", {})
        metadata = {"jupyter": folded} if folded else {}
        if "source_hidden" in folded:
            metadata["cellView"] = "form"  # Colab's word for it
        outputs = [plain_output(output) for output in cell["outputs"]]
        return code(source) | {
            "execution_count": cell["execution_count"],
            "metadata": metadata,
            "outputs": outputs,
        }

    def below(self, cell: dict) -> Iterator[dict]:
        """What the site writes under a figure."""
        caption = cell["metadata"].get("mystnb", {}).get("figure", {}).get("caption")
        if caption:
            numbers = self.book.figures[self.chapter.docname]
            number = numbers[self.captions]
            self.captions += 1
            yield markdown(f"**Fig. {number}** {self.inline(caption)}")
        if any(
            read_repr("".join(output.get("data", {}).get("text/plain", "")))
            for output in cell["outputs"]
        ):
            page = self.book.page(self.chapter.docname)
            there = f", and {link('on its page of the book', page)}" if page else ""
            yield markdown(
                f"*The picture comes alive when the cell above is run{there}.*"
            )

    def notebook(self) -> dict:
        cells = list(self.cells())
        if page := self.book.page(self.chapter.docname):
            cells[0]["source"] += f"\n\n*A page of the book [{page}]({page}).*"
        for number, cell in enumerate(cells, start=1):
            cell["id"] = f"cell-{number:03d}"
        kept = {"kernelspec": self.chapter.notebook["metadata"]["kernelspec"]}
        return {"cells": cells, "metadata": kept, "nbformat": 4, "nbformat_minor": 5}


def details(summary: str) -> str:
    return f"<details>\n<summary>{escape(summary)}</summary>\n\n"


def quote(*parts: str) -> str:
    return "<blockquote>\n\n" + "\n\n".join(parts) + "\n\n</blockquote>\n\n"


def link(text: str, page: str, anchor: str = "") -> str:
    return f"[{text}]({page}{anchor})" if page else text


def year(work: Entry) -> str:
    return f" {work.fields['year']}" if "year" in work.fields else ""


def markdown(text: str) -> dict:
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def code(source: str) -> dict:
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": source,
    }


def plain_output(output: dict) -> dict:
    """An output without what only the book's site understands: verdicts are text, figures wide."""
    data = output.get("data", {})
    if "narrow" in output.get("metadata", {}).get("image/png", {}):
        output = output | {"metadata": {}}
    if data.keys() & {chapters.EVIDENCE_MIME, chapters.EXERCISE_MIME}:
        return output | {"data": {"text/plain": data["text/plain"]}}
    return output


def book_of(app) -> Book:
    """The numbers and titles that the site shows."""
    numbers, figures = {}, {}
    for docname, kinds in app.env.toc_fignumbers.items():
        for kind, found in kinds.items():
            for identifier, number in found.items():
                label = make_id(identifier.removeprefix("equation-"))
                numbers[label] = ".".join(map(str, number))
                if kind == "figure":
                    figures.setdefault(docname, []).append(numbers[label])
    return Book(
        numbers=numbers,
        figures=figures,
        titles={name: title.astext() for name, title in app.env.titles.items()},
        bibliography=parse_file(Path(app.srcdir, "references.bib")),
        repository=app.config.html_theme_options.get("repository_url", ""),
        site=app.config.html_baseurl,
    )


def write_copies(app, exception) -> None:
    if exception or app.builder.name != "html":
        return
    book = book_of(app)
    for chapter in chapters.all_chapters():
        if chapter.docname not in app.env.all_docs:
            continue
        path = Path(app.outdir, "_sources", f"{chapter.docname}.ipynb")
        text = json.dumps(Copy(chapter, book).notebook(), indent=1, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")


def launch_copies(app, pagename, templatename, context, doctree) -> None:
    """Let Colab open the copy, where the build is told on which branch the copies are published."""
    branch = os.environ.get("BOOK_COPIES")
    for group in context.get("header_buttons", ()):
        for button in group.get("buttons", ()):
            if branch and button.get("text") == "Colab":
                place = r"(/github/[^/]+/[^/]+/blob)/.+?/(?=chapters/)"
                button["url"] = re.sub(place, rf"\1/{branch}/", button["url"])


def setup(app):
    app.connect("build-finished", write_copies)
    app.connect("html-page-context", launch_copies, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
