"""Find a plugin of pybtex once: it reads all installed packages' metadata again for every citation."""

from functools import cache

from pybtex import plugin


def setup(app):
    plugin._load_entry_point = cache(plugin._load_entry_point)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
