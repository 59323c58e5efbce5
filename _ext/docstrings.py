"""Read the book's docstrings: ``name : what it is``, the types stand in the signature."""

import re

ENTRY = re.compile(r"^(?P<name>[\w, *]+?) : (?P<text>.+)$")


def describe(app, what, name, obj, options, lines) -> None:
    """Move the text after the colon below the name, where napoleon expects a description."""
    section, result = None, []
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if re.fullmatch(r"-{3,}", below):
            section = line.strip()
        entry = ENTRY.match(line)
        if entry and section in ("Parameters", "Returns"):
            result += [entry["name"], f"    {entry['text']}"]
        else:
            result.append(line)
    lines[:] = result


def setup(app):
    app.connect("autodoc-process-docstring", describe, priority=100)  # before napoleon
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
