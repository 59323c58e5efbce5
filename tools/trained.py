"""Tables of trained numbers: words are compared exactly, a number within a factor of two, a spread not at all.

Training amplifies the last bits of a sum, which processors do not share. What a chapter concludes from such a
table stands beside it in checks, which are compared exactly like everything else.
"""

import re

FACTOR = 2
# a number; a spread is one after a plus-minus sign or in brackets
NUMBER = re.compile(
    r"(?P<spread>(?:±|\+-|\()\s*)?(?P<value>\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
)


def words(text: str) -> list[str]:
    """What is left of a table without its numbers and the widths of its columns."""
    return NUMBER.sub(lambda m: (m["spread"] or "") + "#", text).split()


def near(new: float, stored: float) -> bool:
    return new == stored or stored / FACTOR <= new <= stored * FACTOR


def alike(new: str, stored: str) -> bool:
    """Whether a table tells the same as the stored one."""
    if words(new) != words(stored):
        return False
    pairs = zip(NUMBER.finditer(new), NUMBER.finditer(stored), strict=True)
    return all(
        a["spread"] or near(float(a["value"]), float(b["value"])) for a, b in pairs
    )
