"""A chapter in JupyterLab, unrun: text is rendered, and what the site folds is folded."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from chapters import find, source

CHAPTER = find("poisson_processes")
# Few cells, so that Lab draws all of them at once, whatever is in view.
FIRST = [
    next(i for i, cell in enumerate(CHAPTER.cells) if text in source(cell))
    for text in ("hours = 2400", "{prf:theorem}", "Explorer(\n", "## Exercises")
]
SHOWN = [*FIRST, *range(FIRST[-1] + 1, FIRST[-1] + 5)]
OPTIONS = [
    "--no-browser",
    "--allow-root",
    "--ServerApp.token=",
    "--ServerApp.password=",
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",
]


@pytest.fixture
def lab(tmp_path):
    """The address of a JupyterLab that knows nothing of the machine's settings."""
    (tmp_path / "book").mkdir()
    cells = [CHAPTER.cells[i] for i in SHOWN]
    excerpt = json.dumps(CHAPTER.notebook | {"cells": cells})
    (tmp_path / "book" / CHAPTER.path.name).write_text(excerpt, "utf-8")
    places = {"JUPYTER_CONFIG_DIR": "c", "JUPYTER_DATA_DIR": "d", "HOME": "h"}
    places |= {"JUPYTER_RUNTIME_DIR": "r"}
    environment = os.environ | {k: str(tmp_path / v) for k, v in places.items()}
    command = [Path(sys.executable).with_name("jupyter"), "lab", *OPTIONS]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [*command, f"--port={port}", f"--ServerApp.root_dir={tmp_path / 'book'}"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urlopen(f"{address}/api", timeout=1)
                break
            except (URLError, TimeoutError):
                time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait(10)


def test_text_is_rendered_and_solutions_are_folded(lab, browser):
    page = browser.new_page(viewport={"width": 1200, "height": 2500})
    page.goto(f"{lab}/lab/tree/{CHAPTER.path.name}")
    cell = page.locator(".jp-Notebook .jp-Cell")
    cell.nth(len(SHOWN) - 1).wait_for(timeout=60_000)
    poster, theorem, explorer, _, _, text, solution, _ = cell.all()
    theorem, text = theorem.locator(".myst"), text.locator(".myst")
    theorem.get_by_text("Theorem 1").first.wait_for()
    theorem.get_by_text("Proof of the upper bounds").wait_for()
    for raw in (":::", "{prf:", "{eq}", "{footcite", "(eq-poisson"):
        assert raw not in theorem.inner_text()
    for figure, code in ((poster, "hours = 2400"), (explorer, "ward = Explorer(")):
        figure.locator("img").wait_for()
        figure.locator(".jp-InputPlaceholder").wait_for()
        assert not figure.get_by_text(code).is_visible()
    text.get_by_text("Solution to").first.wait_for()
    assert "Ninety seconds" in text.text_content()
    assert not text.get_by_text("Ninety seconds").first.is_visible()
    solution.locator(".jp-InputPlaceholder").wait_for()
    assert "P(N <= 1)" not in solution.inner_text()
    assert "at_most_one" not in solution.inner_text()
    page.close()
