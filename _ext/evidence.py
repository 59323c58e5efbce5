"""The argument first, the evidence one touch away: how a cell appears on its page.

A cell with checks is one line for each equation, in words and with the equation's number; its code folds
behind the line. A figure's code folds behind a name, so does a long listing. The folds are ``<details>``, which
open without a script; ``_static/code.js`` opens and folds all of a page. The notebooks know nothing of this:
a cell is recognised by its outputs. An EPUB folds nothing, for many of its readers could not open it.
"""

import re
from html import escape, unescape
from pathlib import Path

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

import chapters

SHORT = 16  # lines: a kernel as short as that is read with the text
KINDS = ("equal", "sampled", "order", "holds")
UP = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
GREEK = dict(
    zip(
        [
            "alpha",
            "beta",
            "gamma",
            "eps",
            "eta",
            "theta",
            "kappa",
            "lambda",
            "mu",
            "pi",
            "rho",
            "sigma",
        ],
        "αβγεηθκλμπρσ",
        strict=True,
    )
)
OF_CHECK = '<span class="visually-hidden"> of this check</span>'
SETUP = re.compile(r"= setup\(")
BELOW = ("the figure", "the picture")  # their code stands under them
# a cell that does nothing but show a listing
SHOWS_SOURCE = re.compile(r"show_source\([\w\s.,]*\)\s*")


def readable(text: str) -> str:
    """Numbers and Greek letters of a label in plain text, as a reader writes them."""

    def power(match):
        digits, exponent = match[1], str(int(match[2])).translate(UP)
        return f"{digits}·10{exponent}" if digits != "1" else f"10{exponent}"

    text = re.sub(r"(?<![\w.])(\d+(?:\.\d+)?)e(-?\d+)\b", power, text)
    text = re.sub(r"\^(\d+)(?![\w.])", lambda m: m[1].translate(UP), text)
    text = re.sub(r"(?<=\w)_(\d)\b", lambda m: chr(0x2080 + int(m[1])), text)
    text = re.sub(r"\b[a-z]+", lambda m: GREEK.get(m[0], m[0]), text)
    text = re.sub(r"(?<![\w)\]])-(?=\d)|(?<= )-(?= )", "−", text)
    text = re.sub(r"sqrt\((\w+)\)", r"√\1", text).replace("sqrt(", "√(")
    text = re.sub(r"\b\d{5,}\b", lambda m: count(int(m[0])), text)
    text = text.replace("s.e.", "standard errors")
    return text.replace(">=", "≥").replace("<=", "≤")


def count(n: int, noun: str = "") -> str:
    """A number of things: digits in groups of three, the noun in its plural."""
    digits = f"{n:,}".replace(",", "\N{NARROW NO-BREAK SPACE}") if n > 9999 else str(n)
    return f"{digits} {noun}{'s' * (n != 1)}" if noun else digits


def span(numbers: list[int], noun: str) -> str:
    low, high = min(numbers), max(numbers)
    return (f"{count(low)} to " if low < high else "") + count(high, noun)


def listed(words: list[str]) -> str:
    """a, b and c."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def closeness(tolerance: str) -> str:
    """How well two numbers agree: ``rtol 0.003`` is 0.3 %."""
    stated = dict(re.findall(r"([ar]tol) (\S+)", tolerance))
    if not stated:
        return "exactly"
    absolute = readable(stated.get("atol", ""))
    if "rtol" not in stated:
        return f"to {absolute}"
    rtol = float(stated["rtol"])
    relative = (
        f"{100 * rtol:g} %" if rtol >= 1e-4 else f"{readable(stated['rtol'])} relative"
    )
    return f"to {relative}" + (f" ({absolute} near 0)" if absolute else "")


def clause(kind: str, tolerance: str, checks: list[dict]) -> str:
    """What checks of one kind and tolerance found, to be read after "holds"."""
    counts = [check["count"] for check in checks]
    if kind == "equal":
        return f"at {count(sum(counts), 'value')} {closeness(tolerance)}"
    if kind == "sampled":
        z, resolves = re.findall(r"[\d.e-]+(?= s\.e\.)|(?<=resolves )\S+", tolerance)
        means = "the mean of" if len(checks) == 1 else f"{len(checks)} means of"
        within = f"within {z} standard errors (at most {readable(resolves)})"
        return f"for {means} {span(counts, 'draw')} {within}"
    if kind == "order":
        orders = list(dict.fromkeys(check["method"].split()[1] for check in checks))
        within = readable(tolerance.split()[-1])
        fits = f", in {len(checks)} fits" if len(checks) > 1 else ""
        return (
            f"with order{'s' * (len(orders) > 1)} {readable(listed(orders))},"
            f" measured to ±{within}"
            f" over {span(counts, 'point')}{fits}"
        )
    cases, because = sum(counts), readable(tolerance)
    told = cases == 1 or str(cases) in tolerance.replace(" ", "")
    return because + ("" if told else f" ({count(cases, 'case')})")


def kind_of(check: dict) -> str:
    kind = check["method"].split()[0]
    if kind not in KINDS:
        raise ValueError(f"{check['label']}: there are no words for a check {kind!r}")
    return kind


def groups(checks: list[dict]) -> dict[tuple[str, str], list[dict]]:
    """The checks of one equation by kind and tolerance, as they are told."""
    found: dict[tuple[str, str], list[dict]] = {}
    for check in sorted(checks, key=lambda check: KINDS.index(kind_of(check))):
        found.setdefault((kind_of(check), check["tolerance"]), []).append(check)
    return found


def words(checks: list[dict]) -> str:
    """All checks of one equation in one sentence of html, its subject left out."""
    grouped = groups(checks)
    told = [clause(*key, group) for key, group in grouped.items()]
    first = next(iter(grouped))[0]
    parts = [
        ("holds: " if first == "holds" else "holds ") + escape("; ".join(told), False)
    ]
    rivals = dict.fromkeys(rival for check in checks for rival in check["rivals"])
    if rivals:
        names = [f"<em>{escape(readable(rival), False)}</em>" for rival in rivals]
        parts.append(f"{listed(names)} {'are' if len(names) > 1 else 'is'} rejected")
    for blind in dict.fromkeys(filter(None, (c.get("blind") for c in checks))):
        parts.append(f"it does not see 10 %: {escape(readable(blind), False)}")
    return "; ".join(parts)


def sees(checks: list[dict]) -> str:
    """Errors that checks of one equation would see, one for each tolerance; of ``holds`` nothing is known.

    Either side of a check that passes is within the tolerance of the other, so what is off by more than twice
    as much cannot pass. A relative error is one of the larger value.
    """

    def twice(match):
        size = 2 * float(match["size"])
        # a relative error of 10 % is seen by every check that is not blind
        return f"{match['rtol']}{min(size, 0.1) if match['rtol'] else size:g}"

    sizes: dict[str, list[str]] = {}
    for kind, tolerance in groups(checks):
        if kind == "holds":
            continue
        double = re.sub(
            r"(?P<rtol>(?:rtol )?)(?P<size>\d[\d.]*(?:e-?\d+)?)", twice, tolerance
        )
        if kind == "equal":
            what, size = "an error of ", closeness(double).removeprefix("to ")
        else:
            what = f"{'a mean' if kind == 'sampled' else 'an order'} off by "
            size = readable(double.split()[-1])
        sizes.setdefault(what, []).append(size)
    told = (what + ", ".join(dict.fromkeys(all_)) for what, all_ in sizes.items())
    return "; ".join(told).replace("an error of exactly", "any error")


def plain(html: str) -> str:
    return unescape(re.sub(r"<[^>]+>", "", html))


def by_label(checks: list[dict]) -> dict[str, list[dict]]:
    groups: dict[str, list[dict]] = {}
    for check in checks:
        groups.setdefault(check["label"], []).append(check)
    return groups


def raw(html: str) -> nodes.raw:
    return nodes.raw("", html, format="html")


class FoldCode(SphinxPostTransform):
    """Give each cell of a chapter its form on the page, and its equations their marks."""

    default_priority = 198  # after the outputs are chosen, before myst-nb hides inputs
    formats = ("html",)

    def run(self, **kwargs) -> None:
        path = Path(self.env.doc2path(self.env.docname))
        if path.suffix != ".ipynb" or self.app.builder.name not in ("html", "epub"):
            return
        self.cells = chapters.Chapter(path).cells
        self.equations = {
            node["label"]: node
            for node in self.document.findall(nodes.math_block)
            if node.get("label")
        }
        self.first: dict[str, str] = {}  # label -> the words of its first check
        for run in runs(self.document):
            self.fold(run)
        self.mark()

    # -- cells --

    def fold(self, run: list[nodes.container]) -> None:
        """Fold cells that follow each other, each with those before it that show nothing."""
        code: list[nodes.Node] = []
        checks: list[dict] = []
        prepares = ""
        for cell, after in zip(run, [*run[1:], None], strict=True):
            stored = self.cells[cell["cell_index"]]
            source_text = chapters.source(stored)
            source, output = parts(cell)
            found = checks_of(stored)
            if output:
                for line in [n for n in output.findall(nodes.raw) if is_check(n)]:
                    line.parent.remove(line)
                if not output.children:
                    output = None
            listing = output and SHOWS_SOURCE.fullmatch(source_text)
            if source and not listing:
                code.append(source)
            checks += found
            cell.attributes.pop("hide_mode", None)
            prepares = "setup and " * bool(prepares or SETUP.search(source_text))
            joins = after is not None and (
                not found or checks_of(self.cells[after["cell_index"]])
            )
            if output is None and joins:
                cell.parent.remove(cell)
                continue
            if output:
                self.fold_listings(output)
            kind = named(output)
            name = self.lines(checks) if checks else f"{prepares}code of {kind}"
            content = [
                folded(self.app, name, code) if code or checks else [],
                [output] if output else [],
            ]
            if kind in BELOW and not checks:
                content.reverse()
            cell.children = []
            cell += content[0] + content[1]
            code, checks, prepares = [], [], ""

    def lines(self, checks: list[dict]) -> str:
        """One line for each equation that the checks are about."""
        lines = []
        for label, group in by_label(checks).items():
            told = words(group)
            subject, anchor = f"<code>{escape(label)}</code>", ""
            if label in self.equations:  # tests/book reports a check without equation
                equation = self.equations[label]
                (target, *_), number = equation["ids"], self.number(equation)
                subject = f'<a href="#{target}">({number})</a>'
                if label not in self.first:
                    anchor = f' id="check-{escape(label)}"'
                    self.first[label] = plain(f"({number}) {told}")
            lines.append(
                f'<div class="check"{anchor} data-check="{escape(label)}">'
                f"{subject} {told}</div>"
            )
        return "".join(lines)

    def number(self, equation) -> str:
        numbers = self.env.toc_fignumbers.get(self.env.docname, {})
        key = numbers.get("displaymath", {}).get(equation["ids"][0])
        return ".".join(map(str, key or [equation["number"]]))

    def fold_listings(self, output) -> None:
        """Fold the long listings of an output behind their names."""
        for block in list(output.findall(nodes.literal_block)):
            shown = listing_name(block.astext())
            if shown and block.astext().count("\n") >= SHORT:
                home, place = block.parent, block.parent.index(block)
                home[place : place + 1] = folded(self.app, shown, [block])

    # -- equations --

    def mark(self) -> None:
        """Link every checked equation to its check."""
        for label, text in self.first.items():
            equation = self.equations[label]
            link = (
                f'<a class="check-mark" href="#check-{escape(label)}"'
                f' title="{escape(text)}"'
                f' aria-label="Checked by code: {escape(text)}">✓</a>'
            )
            wrapper = nodes.container(classes=["checked-equation"])
            equation.parent[equation.parent.index(equation)] = wrapper
            wrapper += [equation, raw(link)]


def folded(app, name: str, content: list[nodes.Node]) -> list[nodes.Node]:
    """Nodes behind the lines of checks, or behind a name."""
    lines = is_check(name)
    if app.builder.name == "epub":
        return [raw(name), *content] if lines else content
    if lines:  # they have links, which must not stand in a summary
        opening = f'<div class="evidence">{name}<details class="code-fold"><summary>code{OF_CHECK}'
    else:
        opening = f'<details class="code-fold"><summary>{name}'
    closing = "</details></div>" if lines else "</details>"
    return [raw(f"{opening}</summary>"), *content, raw(closing)]


def runs(document):
    """Code cells that follow each other with nothing between; those of a solution stay open."""
    run: list[nodes.container] = []
    for cell in list(document.findall(is_cell)):
        if run and (
            cell.parent is not run[-1].parent
            or cell.parent.index(cell) != cell.parent.index(run[-1]) + 1
        ):
            yield run
            run = []
        if not in_solution(cell):
            run.append(cell)
    if run:
        yield run


def is_cell(node) -> bool:
    return isinstance(node, nodes.container) and node.get("nb_element") == "cell_code"


def in_solution(node) -> bool:
    while node := node.parent:
        if "solution" in node.get("classes", ()) or "solution" in type(node).__name__:
            return True
    return False


def is_check(node) -> bool:
    return 'class="check"' in (node if isinstance(node, str) else node.astext())


def parts(cell) -> tuple[nodes.Node | None, nodes.Node | None]:
    """Source and output of a cell, where it has them."""
    found = {child.get("nb_element"): child for child in cell.children}
    return found.get("cell_code_source"), found.get("cell_code_output")


def named(output) -> str:
    """What the code of a cell is the code of, by what it shows."""
    if output is None:
        return "what follows"
    if any("data-explorer=" in node.astext() for node in output.findall(nodes.raw)):
        return "the picture"
    return "the figure" if next(output.findall(nodes.image), None) else "this result"


def checks_of(cell: dict) -> list[dict]:
    data = (output.get("data", {}) for output in cell["outputs"])
    return [d[chapters.EVIDENCE_MIME] for d in data if chapters.EVIDENCE_MIME in d]


def listing_name(code: str) -> str:
    """What a listing of ``show_source`` shows, as html; nothing where it is something else."""
    first, _, rest = code.partition("\n")
    if not re.fullmatch(r"# utils/\S+\.py", first):
        return ""
    (name,) = re.findall(r"^(?:def|class) (\w+)", rest, re.MULTILINE)[:1] or [""]
    lines = count(rest.count("\n") + 1, "line")
    return f"<code>{name}</code> from <code>{first[2:]}</code>, {lines}"


def offer_switch(app, pagename, templatename, context, doctree) -> None:
    """Tell ``code-switch.html`` whether a page has code to fold."""
    raws = doctree.findall(nodes.raw) if doctree else ()
    context["code_folds"] = any("code-fold" in node.astext() for node in raws)


def setup(app):
    app.add_post_transform(FoldCode)
    app.connect("html-page-context", offer_switch)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
