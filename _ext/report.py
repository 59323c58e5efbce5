"""``{report}``: where a mistake is reported; the address of the repository is given to the build as BOOK_REPO."""

import os
import subprocess
from urllib.parse import urlencode

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

import chapters

BODY = "Page, and number of the equation or sentence:\n\nWhat is wrong, and why:\n\n(built from {commit})\n"


def sentence(repository: str, commit: str) -> str:
    """What to do with a mistake, as markdown."""
    if not repository:
        return (
            "This copy was built without the address of a repository. Tell those who gave it to you,"
            " or send a correction with the source that you have."
        )
    query = urlencode({"title": "Mistake: ", "body": BODY.format(commit=commit)})
    return (
        f"[Open an issue]({repository}/issues/new?{query}), also for a doubt or an obscure sentence;"
        f" this copy was built from {commit}. Every page has an edit link at its top."
    )


def commit() -> str:
    """The commit that is built, as far as git knows it."""
    asked = subprocess.run(
        ["git", "rev-parse", "--short=10", "HEAD"],
        cwd=chapters.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() or "an unknown commit"


class Report(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        repository = os.environ.get("BOOK_REPO", "").rstrip("/").removesuffix(".git")
        text = sentence(repository, commit() if repository else "")
        return self.parse_text_to_nodes(text)


def setup(app):
    app.add_directive("report", Report)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
