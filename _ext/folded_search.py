"""The search knows letters without their accents: "polya" finds Pólya, and "Pólya" does, too."""

import re
import unicodedata

from sphinx.search.en import SearchEnglish

# Letters that are not another one with an accent.
LETTERS = {"ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "ß": "ss", "æ": "ae", "œ": "oe"}


def folded(text: str) -> str:
    """The text in bare letters."""
    for letter, bare in LETTERS.items():
        text = text.replace(letter, bare)
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c))


class FoldedEnglish(SearchEnglish):
    """English, folded where the index is made and in the browser where a query is split."""

    js_splitter_code = (
        f"const BARE_LETTERS = {LETTERS};\n"
        "function splitQuery(query) {\n"
        "  return query.replace(/./gu, (c) => BARE_LETTERS[c] ?? c).normalize('NFD').replace(/\\p{M}/gu, '')\n"
        "    .split(/[^\\p{Letter}\\p{Number}_]+/u).filter((term) => term);\n"
        "}\n"
    )

    def split(self, input: str) -> list[str]:
        return re.findall(r"\w+", folded(input))


def setup(app):
    app.add_search_language(FoldedEnglish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
