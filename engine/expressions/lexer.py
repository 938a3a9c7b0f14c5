"""Source text to tokens, by the rules of Jexl 2.3.0, its odd ones included.

Owns what a token looks like; refuses nothing that the parser can refuse better. Jexl's own ways, kept here:

- A number begins with a digit (``.5`` is a dot and a 5) and has no exponent.
- Minus belongs to a number when no operand stands before it, and to nothing but a number.
- Inside quotes, a backslash escapes the quote it stands before; after that the first pair of backslashes, and
  the first only, becomes one. Any other backslash is itself.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final, NamedTuple

from engine.errors import ExpressionBudgetExceeded, ExpressionError
from engine.limits import EXPRESSION_CHARACTERS_MAX, INTEGER_DIGITS_MAX

WHITESPACE: Final = "\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
"""The characters JavaScript calls white space, as the inside of a regular expression's set."""

PRECEDENCE: Final = {
    "||": 10,
    "&&": 10,
    "==": 20,
    "!=": 20,
    ">": 20,
    ">=": 20,
    "<": 20,
    "<=": 20,
    "in": 20,
    "+": 30,
    "-": 30,
    "*": 40,
    "/": 40,
    "//": 40,
    "%": 50,
    "^": 50,
}
"""Binary operators and how tightly they bind. All lean to the left, ``^`` too; ``&&`` binds no tighter than ``||``."""

TEXT_PATTERN: Final = r"""'(?:\\'|[^'])*'|"(?:\\"|[^"])*\""""
"""A quoted text. A last backslash ends up inside it when no other quote could close it."""

_LETTER = "a-zA-Zа-яА-Я_\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff$"  # noqa: RUF001 - Jexl takes Cyrillic names

NAME: Final = re.compile(f"[{_LETTER}][{_LETTER}0-9]*")
"""A name, as Jexl spells it: ASCII, Latin-1 and basic Cyrillic letters, digits, ``_`` and ``$``."""

_TOKEN = (
    f"(?P<text>{TEXT_PATTERN})"
    rf"|(?P<space>[{WHITESPACE}]+)"
    r"|(?P<symbol>\btrue\b|\bfalse\b|\bin\b|&&|\|\||==|!=|>=|<=|//|[.\[\]|{}:,()?+\-*/%^><!])"
    rf"|(?P<name>{NAME.pattern})"
    r"|(?P<number>[0-9]*\.[0-9]+|[0-9]+)"
)

_MINUS_NEGATES_AFTER = frozenset({"operator", "!", "(", "[", "?", ":", ","})


class Token(NamedTuple):
    """One word of an expression.

    ``kind`` is ``constant``, ``name``, ``operator`` (binary), ``end``, or the punctuation itself.
    """

    kind: str
    value: str | int | float | bool
    position: int


class Source(NamedTuple):
    """An expression where it stands: the whole of ``text``, or what is between ``{{`` and ``}}`` of it."""

    text: str
    start: int
    end: int

    def fault(self, message: str, position: int | None) -> ExpressionError:
        """Returns the error for a fault at ``position`` of the text."""
        return ExpressionError(message, expression=self.text, position=position)

    def exhausted(self, message: str, position: int | None) -> ExpressionBudgetExceeded:
        """Returns the error for a budget that ran out at ``position`` of the text."""
        return ExpressionBudgetExceeded(message, expression=self.text, position=position)


def tokenize(source: Source) -> list[Token]:
    """Returns the tokens of ``source``, the last of which has the kind ``end``.

    Raises:
        ExpressionError: at the first character that begins no token.
        ExpressionBudgetExceeded: the expression is longer than EXPRESSION_CHARACTERS_MAX.
    """
    if source.end - source.start > EXPRESSION_CHARACTERS_MAX:
        message = f"an expression has at most {EXPRESSION_CHARACTERS_MAX} characters"
        raise source.exhausted(message, source.start)
    tokens: list[Token] = []
    position, minus = source.start, None
    token = _token_pattern()
    while position < source.end:
        match = token.match(source.text, position, source.end)
        if match is None:
            raise source.fault(_strange(source.text[position]), position)
        if match.lastgroup != "space":
            if match.group() == "-" and _negates(tokens):
                minus = position if minus is None else minus
            else:
                tokens.append(_token(source, match, minus))
                minus = None
        position = match.end()
    if minus is not None:
        raise source.fault("a minus without a number", minus)
    tokens.append(Token("end", "", source.end))
    return tokens


@cache
def _token_pattern() -> re.Pattern[str]:
    # Compiled for the first expression: it takes as long as all the rest of the language's import.
    return re.compile(_TOKEN, re.ASCII)


def _negates(tokens: list[Token]) -> bool:
    return not tokens or tokens[-1].kind in _MINUS_NEGATES_AFTER


def _token(source: Source, match: re.Match[str], minus: int | None) -> Token:
    word, position = match.group(), match.start()
    if match.lastgroup == "number":
        return Token("constant", _number(source, word, minus, position), position if minus is None else minus)
    if minus is not None:
        raise source.fault("a minus belongs to a number only; write 0 - x", minus)
    if match.lastgroup == "text":
        return Token("constant", _unquoted(word), position)
    if word in ("true", "false"):
        return Token("constant", word == "true", position)
    if word in PRECEDENCE:
        return Token("operator", word, position)
    return Token("name" if match.lastgroup == "name" else word, word, position)


def _number(source: Source, word: str, minus: int | None, position: int) -> int | float:
    if "." in word:
        value: int | float = float(word)
    elif len(word) <= INTEGER_DIGITS_MAX:
        value = int(word)
    else:
        raise source.fault(f"an integer has at most {INTEGER_DIGITS_MAX} digits", position)
    if minus is None:
        return value
    return -value if value else -0.0


def _unquoted(word: str) -> str:
    return word[1:-1].replace("\\" + word[0], word[0]).replace("\\\\", "\\", 1)


def _strange(character: str) -> str:
    if character in "'\"":
        return "a quote that is not closed"
    return {"=": "a single =; write ==", "&": "a single &; write &&"}.get(character, f"an unexpected {character!r}")
