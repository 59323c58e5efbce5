"""Offer a finished file to the readers of the built site: a copy beside its home page, and a line on it.

A site that is built anew has neither: only what lies there is offered.
"""

import re
import shutil
from pathlib import Path

SITE = Path(__file__).resolve().parents[1] / "_build" / "html"
PLACE = "<!-- downloads -->"  # in index.md


def offer(file: Path, said: str = "", site: Path = SITE) -> None:
    """Copy ``file`` and name it, with what is ``said`` of it, on the home page of a site, if there is one.

    Raises
    ------
    ValueError
        If the home page has no place for it.
    """
    home = site / "index.html"
    if not home.exists():
        return
    html = home.read_text("utf-8")
    if PLACE not in html:
        raise ValueError(f"{home} has no {PLACE}")
    kind = file.suffix[1:].upper()
    size = f"{file.stat().st_size / 1e6:.1f} MB"
    facts = ", ".join(word for word in (said, size) if word)
    line = f'<p class="download"><a href="{file.name}">The book as {kind}</a> ({facts})</p>\n'
    old = rf'<p class="download"><a href="{re.escape(file.name)}">.*?</p>\n'
    html = re.sub(old, "", html).replace(PLACE, line + PLACE)
    shutil.copy(file, site / file.name)
    home.write_text(html, "utf-8")
