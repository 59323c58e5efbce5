"""Executing a notebook again keeps a picture that looks the same, and only such a one."""

import base64
import io
from copy import deepcopy

import nbformat
import numpy as np
import pytest
from notebooks import with_stored_pictures
from PIL import Image


def png(pixels) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "png")
    return base64.b64encode(file.getvalue()).decode()


def drawing():
    """A dark line on white, with soft edges."""
    pixels = np.full((100, 200, 3), 255)
    pixels[40:43] = [[[150]], [[20]], [[150]]]
    return pixels


def scattered(pixels):
    pixels[40, ::9] += 40


def moved(pixels):
    pixels[:] = np.roll(pixels, 1, axis=0)


def tinted(pixels):
    pixels[50:] -= 6


def point(pixels):
    pixels[10:13, 10:13] = 0


def notebook(pixels, source="plot()", said="as printed"):
    outputs = [
        nbformat.v4.new_output("stream", text=said),
        nbformat.v4.new_output(
            "display_data",
            {"image/png": png(pixels)},
            metadata={"image/png": {"narrow": png(pixels[:, :90])}},
        ),
    ]
    cell = nbformat.v4.new_code_cell(source, outputs=outputs)
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("#"), cell])


@pytest.mark.parametrize(
    ("change", "kept"),
    [(scattered, True), (moved, False), (tinted, False), (point, False)],
)
def test_what_the_eye_sees_is_stored(change, kept):
    stored, pixels = notebook(drawing()), drawing()
    change(pixels)
    new = notebook(pixels)
    wanted = deepcopy(stored if kept else new)
    assert new != stored
    found = with_stored_pictures(new, stored)
    assert found.cells[1].outputs == wanted.cells[1].outputs


@pytest.mark.parametrize("other", [{"source": "plot(1)"}, {"said": "something else"}])
def test_nothing_is_kept_of_a_cell_that_changed(other):
    pixels = drawing()
    scattered(pixels)
    new = notebook(pixels, **other)
    wanted = deepcopy(new)
    assert with_stored_pictures(new, notebook(drawing())) == wanted


def test_another_size_is_another_picture():
    new = notebook(drawing()[:90])
    wanted = deepcopy(new)
    assert with_stored_pictures(new, notebook(drawing())) == wanted
