"""What makes a build quicker and changes no page."""

import gc
from functools import cache

from pybtex import plugin


def setup(app):
    # pybtex reads all installed packages' metadata again for every citation
    plugin._load_entry_point = cache(plugin._load_entry_point)
    # A book is a million small objects that all stay: to look through them every 700 new ones is a fifth of a build.
    gc.set_threshold(200_000, 20, 100)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
