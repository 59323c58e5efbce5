"""Execute and normalise the chapters: the same notebook gives the same file, byte for byte.

python tools/notebooks.py execute [slug ...]     run in place, in static mode, then normalise
python tools/notebooks.py normalise [file ...]   only bring metadata, ids and counts into order
"""

import argparse
import base64
import io
import os
import re
import sys
import time
from copy import deepcopy
from pathlib import Path

import nbformat
import numpy as np
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "_ext"))
import chapters

KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
KEPT_METADATA = ("myst", "mystnb")
KEPT_CELL_METADATA = ("tags", "mystnb", "editable")
PNG = "image/png"
SHADES = 64  # of 255, by which a pixel may differ in pictures that look alike,
SCATTERED = 0.01  # and the part of the pixels that may
TIMEOUT = 600  # seconds a cell, against one that hangs
# What makes pytest run notebooks and compare their outputs; chapters/conftest.py says how.
STRICT = ("--nbval", "--nbval-current-env", f"--nbval-cell-timeout={TIMEOUT}")


def execute(path: Path) -> float:
    """Run the notebook in place and return the seconds it took.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails; the file is left as it was.
    """
    notebook = nbformat.read(path, as_version=4)
    stored = deepcopy(notebook)
    client = NotebookClient(
        notebook, timeout=TIMEOUT, kernel_name="python3", store_widget_state=False
    )
    start = time.perf_counter()
    client.execute(cwd=str(path.parent))
    seconds = time.perf_counter() - start
    write(path, with_stored_pictures(normalised(notebook), normalised(stored)))
    return seconds


def with_stored_pictures(
    notebook: nbformat.NotebookNode, stored: nbformat.NotebookNode
) -> nbformat.NotebookNode:
    """Take a picture as it was stored where all else of its cell is unchanged and the eye sees no difference.

    Processors differ in the last bits of what is drawn, and then pixels on the edge of a line in their shade; the
    palette of a file carries that to more of them. Nobody wants to commit that.
    """
    for new, old in zip(notebook.cells, stored.cells, strict=False):
        if new.cell_type != "code" or new.source != old.source:
            continue
        if without_pictures(new) == without_pictures(old):
            pairs = zip(pictures(new.outputs), pictures(old.outputs), strict=True)
            for (holder, key), (before, _) in pairs:
                if look_alike(holder[key], before[key]):
                    holder[key] = before[key]
    return notebook


def pictures(outputs: list) -> list[tuple[dict, str]]:
    """Where outputs hold pictures, wide and narrow: the dictionary and its key."""
    found = []
    for output in outputs:
        if PNG in output.get("data", {}):
            found.append((output.data, PNG))
            options = output.metadata.get(PNG, {})
            found += [(options, key) for key in ["narrow"] if key in options]
    return found


def without_pictures(cell: nbformat.NotebookNode) -> list[dict]:
    """The outputs of a cell, of each picture only that it is there."""
    outputs = deepcopy(cell.get("outputs", []))
    for holder, key in pictures(outputs):
        holder[key] = ""
    return outputs


def look_alike(png: str, other: str) -> bool:
    """Whether two pictures are the same but for the shades of a few scattered pixels."""
    images = [
        Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
        for data in (png, other)
    ]
    if images[0].size != images[1].size:
        return False
    a, b = (np.asarray(image, dtype=np.int16) for image in images)
    apart = abs(a - b).max(axis=-1)
    return bool(apart.max() <= SHADES and (apart > 0).mean() <= SCATTERED)


def normalised(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Bring metadata, cell ids and execution counts into the one form that the book stores."""
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    kept = {
        key: notebook.metadata[key] for key in KEPT_METADATA if key in notebook.metadata
    }
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNELSPEC, **kept})
    count = 0
    solutions = in_solutions(notebook.cells)
    for number, cell in enumerate(notebook.cells, start=1):
        cell.id = f"cell-{number:03d}"
        cell.metadata = nbformat.from_dict(
            {
                key: cell.metadata[key]
                for key in KEPT_CELL_METADATA
                if key in cell.metadata
            }
        )
        if cell.cell_type == "code":
            fold(cell, solution=number - 1 in solutions)
            # A cell without a count has not run; numbering it would hide that.
            count += 1
            cell.execution_count = count if cell.execution_count is not None else None
            cell.outputs = joined(cell.outputs)
            for holder, key in pictures(cell.outputs):
                holder[key] = compressed(holder[key], 256 if key == PNG else 64)
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = cell.execution_count
    return notebook


def in_solutions(cells: list) -> set[int]:
    """Indices of the code cells between the gates of a solution."""
    inside, found = False, set()
    for index, cell in enumerate(cells):
        if cell.cell_type == "code":
            found |= {index} if inside else set()
        else:
            text = chapters.source(cell)
            for gate in re.findall(r"^:+\{solution-(\w+)", text, re.MULTILINE):
                inside = gate == "start"
    return found


def fold(cell, *, solution: bool) -> None:
    """What the site folds is folded in JupyterLab, VS Code and Colab: plotting code and solutions."""
    hidden = {
        "source_hidden": solution or "hide-input" in cell.metadata.get("tags", ()),
        "outputs_hidden": solution,
    }
    if any(hidden.values()):
        cell.metadata["jupyter"] = {key: True for key in hidden if hidden[key]}


def joined(outputs: list) -> list:
    """What one stream says in a row in one piece; a busy machine delivers it in several."""
    whole = []
    for output in outputs:
        last = whole[-1] if whole else {}
        if output.output_type == "stream" and last.get("name") == output.name:
            last.text += output.text
        else:
            whole.append(output)
    return whole


def compressed(png: str, colours: int = 256) -> str:
    """A base64 png with a palette: a third of the size, the same to the eye."""
    image = Image.open(io.BytesIO(base64.b64decode(png)))
    if image.mode == "P":
        return png
    small = io.BytesIO()
    image.convert("RGB").quantize(colours, method=Image.Quantize.MEDIANCUT).save(
        small, "png", optimize=True
    )
    return base64.b64encode(small.getvalue()).decode()


def write(path: Path, notebook: nbformat.NotebookNode) -> None:
    """Replace the file in one step, so that an interruption never leaves half a notebook."""
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        nbformat.write(notebook, draft)
        draft.replace(path)
    except OSError as error:
        sys.exit(
            f"cannot write {path}: {error.strerror}; the notebook is left as it was"
        )
    finally:
        if draft.exists():
            draft.unlink()


def run_execute(slugs: list[str]) -> None:
    os.environ["BOOK_STATIC"] = "1"
    book = [chapters.find(slug) for slug in slugs] or chapters.all_chapters()
    for chapter in book:
        try:
            seconds = execute(chapter.path)
        except CellExecutionError as error:
            sys.exit(
                f"{chapter.slug}: a cell fails, the notebook is left as it was\n{error}"
            )
        kilobytes = chapter.path.stat().st_size / 1000
        print(f"{chapter.slug}: executed in {seconds:.1f} s, {kilobytes:.0f} KB")


def run_normalise(files: list[str]) -> None:
    for path in (
        map(Path, files)
        if files
        else (chapter.path for chapter in chapters.all_chapters())
    ):
        before = path.read_text(encoding="utf-8")
        after = nbformat.writes(normalised(nbformat.reads(before, as_version=4))) + "\n"
        if after != before:
            write(path, nbformat.reads(after, as_version=4))
            print(f"{path}: normalised")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=["execute", "normalise"])
    parser.add_argument(
        "names", nargs="*", help="slugs to execute, or files to normalise"
    )
    options = parser.parse_args()
    task = {"execute": run_execute, "normalise": run_normalise}[options.task]
    try:
        task(options.names)
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
