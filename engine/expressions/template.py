"""Text with ``{{ expressions }}`` in it: where they begin and end, and what they become.

An expression ends at the first ``}}`` that is neither inside a quoted text nor needed to close its own braces.
Alone in its text it keeps its type. ``{{ '{{' }}`` writes two braces.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from engine.expressions.boundary import to_json, to_template_text
from engine.expressions.lexer import TEXT_PATTERN, Source
from engine.limits import EXPRESSION_RESULT_CHARACTERS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.expressions.compiler import Compiled
    from engine.expressions.scope import Scope
    from engine.json_value import JsonValue

OPENING = "{{"
_CLOSING = "}}"
_STRETCH = re.compile(rf"{TEXT_PATTERN}|[{{}}]")


class Template(NamedTuple):
    """A parsed text: in order, what is written and what is to be evaluated."""

    parts: tuple[str | Compiled, ...]

    def render(self, scope: Scope) -> JsonValue:
        """Evaluates every expression of the template.

        Raises:
            ExpressionError: one of them cannot be evaluated.
            ExpressionBudgetExceeded: the text would be too long, or the budget is spent.
        """
        alone = self.parts[0]
        if len(self.parts) == 1 and not isinstance(alone, str):
            return to_json(alone(scope), scope)
        texts: list[str] = []
        characters = 0
        for part in self.parts:
            text = part if isinstance(part, str) else to_template_text(part(scope), scope)
            characters += len(text)
            if characters > EXPRESSION_RESULT_CHARACTERS_MAX:
                break
            texts.append(text)
        scope.reserve_text(characters)
        return "".join(texts)


def parse_template(text: str, compile_source: Callable[[Source], Compiled]) -> Template:
    """Returns ``text`` parsed; ``compile_source`` compiles each expression where it stands.

    Raises:
        ExpressionError: a ``{{`` is not closed, or an expression has a fault; the position is that in ``text``.
    """
    parts: list[str | Compiled] = []
    position = 0
    while (opening := text.find(OPENING, position)) >= 0:
        if opening > position:
            parts.append(text[position:opening])
        start = opening + len(OPENING)
        end = _end_of_expression(text, start)
        if end < 0:
            raise Source(text, start, len(text)).fault("a {{ that is not closed", opening)
        parts.append(compile_source(Source(text, start, end)))
        position = end + len(_CLOSING)
    if position < len(text) or not parts:
        parts.append(text[position:])
    return Template(tuple(parts))


def _end_of_expression(text: str, start: int) -> int:
    open_braces = 0
    for match in _STRETCH.finditer(text, start):
        if match.group() == "{":
            open_braces += 1
        elif match.group() == "}":
            if open_braces:
                open_braces -= 1
            elif text.startswith(_CLOSING, match.start()):
                return match.start()
    return -1
