"""Links to a repository, given to the build as BOOK_REPO (`make book REPO=...`); none otherwise."""

import os
import re

from sphinx.errors import ExtensionError


def link_repository(app, config) -> None:
    url = os.environ.get("BOOK_REPO", "").rstrip("/").removesuffix(".git")
    config.html_baseurl = os.environ.get("BOOK_URL", config.html_baseurl)
    if not url:
        return
    if not re.fullmatch(r"https://[^/\s]+/[^/\s]+/[^/\s]+", url):
        raise ExtensionError(
            f"REPO must look like https://host/owner/name, got {url!r}"
        )
    config.html_theme_options |= {
        "repository_url": url,
        "repository_branch": os.environ.get("BOOK_BRANCH", "main"),
        "use_repository_button": True,
        "use_edit_page_button": True,
        "use_issues_button": True,
        "launch_buttons": {
            "binderhub_url": "https://mybinder.org",
            "colab_url": "https://colab.research.google.com",
            "notebook_interface": "jupyterlab",
        },
    }


def setup(app):
    app.connect("config-inited", link_repository)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
