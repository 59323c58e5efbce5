"""Where the tests find what they test besides the package itself, and one thread for each worker.

``make test-cpus`` asks for two by ``BOOK_THREADS``, as in the notebooks.
"""

import os
import sys
from pathlib import Path

# Two workers whose libraries take two threads each wait for one another on two cores.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, os.environ.get("BOOK_THREADS", "1"))

ROOT = Path(__file__).resolve().parents[1]
for folder in ("_ext", "tools", "tests/book", "tests/site"):
    sys.path.insert(0, str(ROOT / folder))
