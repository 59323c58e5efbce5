"""Colour in code where it tells something: a page with a span around each comma takes twice as long to lay out.

Keywords, names that are defined, builtins, numbers, strings and comments keep their colours; tokens of one colour that
stand side by side become one; names in use, operators and punctuation are plain text.
"""

from functools import cache

from pygments.formatters import HtmlFormatter
from pygments.token import (
    Comment,
    Keyword,
    Literal,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Text,
    Whitespace,
)
from sphinx.highlighting import PygmentsBridge

# of each token the first of these that it belongs to, and what becomes of it
COLOURS = (
    (Keyword.Type, Keyword.Type),
    (Operator.Word, Keyword),
    (Keyword, Keyword),
    (Comment, Comment),
    (String, String),
    (Number, Number),
    (Literal, Literal),
    (Name.Builtin, Name.Builtin),
    (Name.Decorator, Name.Builtin),
    (Name.Exception, Keyword),
    (Name.Function, Name.Function),
    (Name.Class, Name.Function),
    (Name, Text),
    (Operator, Text),
    (Punctuation, Text),
    (Whitespace, Text),
)


@cache
def colour(kind):
    """The token whose colour a token takes."""
    return next((new for old, new in COLOURS if kind in old), kind)


class Formatter(HtmlFormatter):
    def _format_lines(self, tokensource):
        return super()._format_lines(joined(tokensource))


def joined(tokens):
    """Tokens of one colour that stand side by side as one; spaces between them take any."""
    kind, text = Text, ""
    for new, value in tokens:
        new = colour(new)
        if new is kind or (value.isspace() and "\n" not in value):
            text += value
        else:
            yield kind, text
            kind, text = new, value
    yield kind, text


def setup(app):
    PygmentsBridge.html_formatter = Formatter
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
