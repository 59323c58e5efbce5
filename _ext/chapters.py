"""Read the chapters: what extensions, tools and tests all need to know about a notebook."""

import ast
import base64
import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

EVIDENCE_MIME = "application/vnd.book.check+json"
EXERCISE_MIME = "application/vnd.book.exercise+json"
ROOT = Path(__file__).resolve().parents[1]

# $$ ... $$ (label), the one way in which the book labels an equation
LABELLED = re.compile(
    r"\$\$(?P<tex>(?:(?!\$\$).)+?)\$\$[ \t]*\((?P<label>[^)\s]+)\)", re.DOTALL
)


@dataclass(frozen=True)
class Chapter:
    """A notebook as it stands on disk."""

    path: Path
    root: Path = ROOT

    @property
    def slug(self) -> str:
        return self.path.stem

    @property
    def docname(self) -> str:
        return self.path.relative_to(self.root).with_suffix("").as_posix()

    @cached_property
    def notebook(self) -> dict:
        return json.loads(self.path.read_text(encoding="utf-8"))

    @property
    def cells(self) -> list[dict]:
        return self.notebook["cells"]

    @property
    def code_cells(self) -> list[dict]:
        return [cell for cell in self.cells if cell["cell_type"] == "code"]

    @cached_property
    def markdown(self) -> str:
        texts = [source(cell) for cell in self.cells if cell["cell_type"] == "markdown"]
        return "\n\n".join(texts)

    @property
    def title(self) -> str:
        return re.search(r"^# (.+)$", self.markdown, re.MULTILINE)[1]

    @property
    def description(self) -> str:
        meta = self.notebook["metadata"].get("myst", {}).get("html_meta", {})
        return meta.get("description lang=en", "")

    @cached_property
    def equations(self) -> list[tuple[str, str]]:
        """``(label, tex)`` of every labelled equation, in reading order."""
        return [
            (m["label"], m["tex"].strip()) for m in LABELLED.finditer(self.markdown)
        ]

    @property
    def claims(self) -> list[tuple[str, str]]:
        """The equations that claim something: labels ``eq-...``; definitions are ``def-...``."""
        return [
            (label, tex) for label, tex in self.equations if label.startswith("eq-")
        ]

    @cached_property
    def evidence(self) -> list[dict]:
        """What the checks left in the stored outputs, in the order of their execution."""
        return self._stored(EVIDENCE_MIME)

    @cached_property
    def modules(self) -> list[str]:
        """The modules of ``utils`` that its code imports."""
        code = "\n".join(source(cell) for cell in self.code_cells)
        plain = re.sub(r"(?m)^\s*[%!].*", "", code)  # magics are no Python
        names = set()
        for node in ast.walk(ast.parse(plain)):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            if isinstance(node, ast.ImportFrom):
                names |= {node.module} | {f"{node.module}.{a.name}" for a in node.names}
        return [
            name
            for name in sorted(names)
            if name.startswith("utils.")
            and (ROOT / f"{name.replace('.', '/')}.py").exists()
        ]

    @property
    def exercises(self) -> list[str]:
        """The labels of the exercises, in reading order."""
        return re.findall(
            r"^:::+\{exercise\}[^:]*:label: (\S+)", self.markdown, re.MULTILINE
        )

    @property
    def attempts(self) -> list[dict]:
        """``label`` and ``state`` of every answer to an exercise, in the order of execution."""
        return self._stored(EXERCISE_MIME)

    def _stored(self, mime: str) -> list[dict]:
        outputs = (output for cell in self.code_cells for output in cell["outputs"])
        return [o["data"][mime] for o in outputs if mime in o.get("data", {})]

    def evidence_for(self, label: str) -> list[dict]:
        return [evidence for evidence in self.evidence if evidence["label"] == label]

    @property
    def figures(self) -> list[tuple[dict, str]]:
        """``(cell, base64 png)`` of every stored figure."""
        return [
            (cell, "".join(output["data"]["image/png"]))
            for cell in self.code_cells
            for output in cell["outputs"]
            if "image/png" in output.get("data", {})
        ]

    @property
    def narrow_figures(self) -> dict[str, bytes]:
        """The version for a phone of every figure that has one, by the sha256 of the wide one."""
        outputs = [output for cell in self.code_cells for output in cell["outputs"]]
        return {
            hashlib.sha256(
                b64decode(output["data"]["image/png"])
            ).hexdigest(): b64decode(output["metadata"]["image/png"]["narrow"])
            for output in outputs
            if "narrow" in output.get("metadata", {}).get("image/png", {})
        }


def b64decode(png: str | list[str]) -> bytes:
    """The bytes of a stored picture, which nbformat allows to be a string or a list of lines."""
    return base64.b64decode("".join(png))


def source(cell: dict) -> str:
    """The text of a cell, which nbformat allows to be a string or a list of lines."""
    return "".join(cell["source"])


def all_chapters(root: Path = ROOT) -> list[Chapter]:
    """Every chapter, in the order of ``_toc.yml``."""
    files = re.findall(
        r"file:\s*(chapters/\S+)", (root / "_toc.yml").read_text(encoding="utf-8")
    )
    paths = [root / f"{name}.ipynb" for name in files]
    return [Chapter(path, root) for path in paths if path.exists()]


def find(slug: str, root: Path = ROOT) -> Chapter:
    """The chapter called ``slug``.

    Raises
    ------
    ValueError
        If there is none; the message lists those there are.
    """
    by_slug = {chapter.slug: chapter for chapter in all_chapters(root)}
    if slug not in by_slug:
        raise ValueError(
            f"no chapter {slug!r} in _toc.yml; there is {', '.join(by_slug)}"
        )
    return by_slug[slug]
