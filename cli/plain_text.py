"""Text of others made safe for a terminal: no control characters, one line.

What workflows, nodes and errors are called, others have written; an escape sequence in there would be obeyed.
"""

from __future__ import annotations

import json

_CUT = "\N{HORIZONTAL ELLIPSIS}"


def plain(text: object, limit: int | None = None) -> str:
    """A text on one line, cut to ``limit`` characters; what cannot be printed becomes a space."""
    safe = "".join(character if character.isprintable() else " " for character in str(text))
    return safe if limit is None or len(safe) <= limit else safe[: limit - 1] + _CUT


def plain_json(value: object, limit: int | None = None) -> str:
    """A JSON value on one line."""
    return plain(json.dumps(value, ensure_ascii=False), limit)
