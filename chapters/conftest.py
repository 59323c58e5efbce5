"""The strict run compares all stored outputs; in a cell tagged ``trained``, as ``tools/trained.py`` says.

It runs in static mode, and a cell that takes too long is one failure: those after it are skipped.
"""

import os
import sys
from pathlib import Path

import pytest
from nbval.plugin import IPyNbCell

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
from trained import alike

os.environ["BOOK_STATIC"] = "1"
strictly = IPyNbCell.compare_outputs


def compare_outputs(cell, test, ref, skip_compare=None):
    if "trained" in cell.cell.metadata.get("tags", ()) and len(test) == len(ref):
        test = [
            old if "text" in old and alike(new.get("text", ""), old["text"]) else new
            for new, old in zip(test, ref, strict=True)
        ]
    return strictly(cell, test, ref, skip_compare)


def setup(cell):
    cell.output_timeout = 60  # nbval's five seconds are few on a busy machine
    if cell.parent.timed_out:
        pytest.skip("a cell before this one took too long")


IPyNbCell.compare_outputs = compare_outputs
IPyNbCell.setup = setup
