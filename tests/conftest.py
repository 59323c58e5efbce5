"""Where the tests find what they test besides the package itself."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
for folder in ("_ext", "tools", "tests/book", "tests/site"):
    sys.path.insert(0, str(ROOT / folder))
