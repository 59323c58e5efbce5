"""What a chapter must satisfy: one function a rule, each yields what is wrong in words."""

import json
import re
from collections import Counter

import findings
import nbformat
from notebooks import normalised

from chapters import Chapter, source

MAX_BYTES = 1_500_000
MAX_COLUMNS = 88
FIGURE_MIMES = ("image/png", "image/svg+xml")
WIDGET_MIME = "application/vnd.jupyter.widget-view+json"


def problems(chapter: Chapter) -> list[str]:
    """Everything wrong with a chapter, each line starting with its slug."""
    return [f"{chapter.slug}: {problem}" for rule in RULES for problem in rule(chapter)]


def executed(chapter):
    """Every code cell has run, in order, without errors; nothing depends on a live kernel."""
    counts = [cell["execution_count"] for cell in chapter.code_cells]
    for number, count in enumerate(counts, start=1):
        if count != number:
            yield f"code cell {number} has execution count {count}: run `make execute`"
    for number, cell in enumerate(chapter.code_cells, start=1):
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                yield f"code cell {number} stores an error: {output['evalue']}"
            if output.get("name") == "stderr":
                yield f"code cell {number} stores stderr"
            if WIDGET_MIME in output.get("data", {}):
                yield f"code cell {number} stores a live widget: run `make execute`"


def in_normal_form(chapter):
    """Metadata, cell ids and layout are the ones that `make execute` writes."""
    text = chapter.path.read_text(encoding="utf-8")
    notebook = normalised(nbformat.from_dict(json.loads(text)))
    if nbformat.writes(notebook).rstrip("\n") != text.rstrip("\n"):
        yield "not in normal form: run `make execute` or `python tools/notebooks.py normalise`"


def folded(chapter):
    """What the site folds is folded where the notebook is opened, and solutions with their outputs."""
    solution, number = False, 0
    for cell in chapter.cells:
        if cell["cell_type"] != "code":
            for gate in re.findall(r"^:+\{solution-(\w+)", source(cell), re.MULTILINE):
                solution = gate == "start"
            continue
        number += 1
        metadata = cell["metadata"]
        jupyter = metadata.get("jupyter", {})
        closed = jupyter.get("source_hidden"), jupyter.get("outputs_hidden")
        if solution and closed != (True, True):
            yield f"code cell {number} is a solution and stands open: run `make execute`"
        if solution and not source(cell).startswith("#"):
            # JupyterLab shows the first line of a folded cell
            yield f"code cell {number} is a solution and has to begin with a comment"
        if "hide-input" in metadata.get("tags", ()) and not closed[0]:
            yield f"code cell {number} stands open where the site folds it: run `make execute`"


def every_claim_checked(chapter):
    """Labels are unique and of the book's form; each claim has a check, each check a claim."""
    labels = [label for label, _ in chapter.equations]
    for label, times in Counter(labels).items():
        if times > 1:
            yield f"equation label {label} appears {times} times"
        if not re.fullmatch(rf"(eq|def)-{chapter.slug}-[a-z0-9-]+", label):
            yield f"equation label {label} is not eq-{chapter.slug}-... or def-{chapter.slug}-..."
    checked = {evidence["label"] for evidence in chapter.evidence}
    for label, _ in chapter.claims:
        if label not in checked:
            yield f"equation {label} has no check"
    for label in sorted(checked - set(labels)):
        yield f"a check names {label}, which labels no equation"


def claims_face_rivals(chapter):
    """At least half of the claims reject a plausible wrong formula."""
    facing = {evidence["label"] for evidence in chapter.evidence if evidence["rivals"]}
    if 2 * len(facing) < len(chapter.claims):
        yield f"only {len(facing)} of {len(chapter.claims)} claims face a rival"


def figures_described(chapter):
    """Every figure has alt text and, unless it is an explorer, a caption."""
    for number, cell in enumerate(chapter.code_cells, start=1):
        outputs = [output.get("data", {}) for output in cell["outputs"]]
        if not any(mime in data for data in outputs for mime in FIGURE_MIMES):
            continue
        meta = cell["metadata"].get("mystnb", {})
        if not meta.get("image", {}).get("alt"):
            yield f"the figure of code cell {number} has no alt text (mystnb.image.alt)"
        if any(is_explorer(data) for data in outputs):
            continue  # the text around an explorer says what to look for
        if not meta.get("figure", {}).get("caption"):
            yield f"the figure of code cell {number} has no caption (mystnb.figure.caption)"


def figures_in_two_widths(chapter):
    """Every figure has a version for the phone, unless it is an explorer."""
    for number, cell in enumerate(chapter.code_cells, start=1):
        for output in cell["outputs"]:
            data, options = output.get("data", {}), output.get("metadata", {})
            if not any(mime in data for mime in FIGURE_MIMES) or is_explorer(data):
                continue
            if "narrow" not in options.get("image/png", {}):
                yield f"the figure of code cell {number} has no narrow version (two_widths)"


def is_explorer(data: dict) -> bool:
    return "".join(data.get("text/plain", "")).startswith("Explorer(")


def explorers_pictured(chapter):
    """There is an explorer, and each has a picture for readers without JavaScript."""
    outputs = [output for cell in chapter.code_cells for output in cell["outputs"]]
    explorers = [o["data"] for o in outputs if is_explorer(o.get("data", {}))]
    if not explorers:
        yield "the chapter has no explorer"
    if not all("image/png" in data for data in explorers):
        yield "an explorer has no picture for readers without JavaScript (figure=...)"
    if any("text/html" in data for data in explorers):
        yield "an explorer stores html, which viewers prefer to its picture: run `make execute`"


def contract(chapter):
    """The parts of a chapter that readers and the gallery rely on."""
    text = chapter.markdown
    for part in (
        "**You need**",
        "**You get**",
        "**Source**",
        "## Paper vs here",
        "## References",
    ):
        if part not in text:
            yield f"the page contract asks for {part!r}"
    stated = re.search(r"\*\*(\d+) equations\*\*", text)
    if stated is None or int(stated[1]) != len(chapter.claims):
        yield f"the opening must state **{len(chapter.claims)} equations**"
    if not 50 <= len(chapter.description) <= 200:
        yield "metadata myst.html_meta 'description lang=en' must have 50 to 200 characters"
    if "setup(seed=" not in source(chapter.code_cells[0]):
        yield "the first code cell must call setup(seed=...)"
    if not chapter.figures or "mystnb" not in chapter.figures[0][0]["metadata"]:
        yield "the first figure is the chapter's poster and is missing"
    exercises = chapter.exercises
    solutions = re.findall(r"^:::+\{solution-start\} (\S+)", text, re.MULTILINE)
    if not 3 <= len(exercises) <= 5:
        yield f"3 to 5 exercises are asked for, there are {len(exercises)}"
    if sorted(exercises) != sorted(solutions):
        yield f"exercises {sorted(exercises)} and solutions {sorted(solutions)} do not match"


def exercises_answerable(chapter):
    """Under each exercise waits an empty answer, and its solution gives the right one."""
    for label in chapter.exercises:
        states = [a["state"] for a in chapter.attempts if a["label"] == label]
        if states != ["open", "right"]:
            yield f"exercise {label} needs an open attempt and a right one, has {states}"


def findings_evidenced(chapter):
    """A finding is of a known kind and names checks of its chapter."""
    yield from findings.wrong(chapter)


def plain_tex(chapter):
    """JupyterLab knows no macros of ours, and Sphinx resolves only labels after $$."""
    for what in (r"\newcommand", r"\def", r"\label{", r"\require"):
        if what in chapter.markdown:
            yield f"{what} in the text: use plain TeX and label with $$ ... $$ (label)"


def narrow_code(chapter):
    """A line of code fits the column of the page."""
    for number, cell in enumerate(chapter.code_cells, start=1):
        for line in source(cell).splitlines():
            if len(line) > MAX_COLUMNS:
                yield f"code cell {number} has a line of {len(line)} characters"


def size(chapter):
    """The file stays small enough to read and to diff."""
    if (found := chapter.path.stat().st_size) > MAX_BYTES:
        yield f"the notebook has {found / 1e6:.2f} MB, more than {MAX_BYTES / 1e6} MB"


RULES = (
    executed,
    in_normal_form,
    folded,
    every_claim_checked,
    claims_face_rivals,
    figures_described,
    figures_in_two_widths,
    explorers_pictured,
    contract,
    exercises_answerable,
    findings_evidenced,
    plain_tex,
    narrow_code,
    size,
)
