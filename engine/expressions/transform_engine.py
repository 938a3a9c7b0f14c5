"""The engine's default transform engine: Jexl expressions, alone or inside ``{{ }}``."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from engine.errors import ExpressionBudgetExceeded
from engine.expressions.boundary import to_json
from engine.expressions.built_in import BUILT_IN
from engine.expressions.compiler import Compiled, compile_node
from engine.expressions.lexer import Source
from engine.expressions.parser import parse
from engine.expressions.references import Reference, references
from engine.expressions.scope import Scope
from engine.expressions.template import OPENING, Template, parse_template
from engine.expressions.transforms import HostTransform, Transforms
from engine.limits import EXPRESSION_CACHE_ENTRIES_MAX, EXPRESSION_CHARACTERS_MAX, JSON_DEPTH_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.json_value import JsonValue


class JexlTransformEngine:
    """Evaluates Jexl over JSON values. Safe to share between threads.

    Args:
        transforms: functions ``name: function(value, *arguments)`` beside the built-in ones, which they may
            replace. They are given and return plain JSON values. One that needs to read the run it is called in
            is given as a :class:`HostTransform`.

    Raises:
        ValueError: a transform has a name that no expression could spell.
    """

    def __init__(self, transforms: Mapping[str, Callable[..., object] | HostTransform] | None = None) -> None:
        self._transforms = Transforms({**BUILT_IN, **(transforms or {})})
        self._compiled = lru_cache(EXPRESSION_CACHE_ENTRIES_MAX)(self._compile)
        self._template = lru_cache(EXPRESSION_CACHE_ENTRIES_MAX)(self._parse_template)

    def evaluate(self, expression: str, names: Mapping[str, object]) -> JsonValue:
        """Returns the value of ``expression``, which is written without braces.

        Args:
            expression: the source.
            names: what it may look up. Values are JSON, or any ``Mapping`` and ``Sequence`` that stand for it;
                what those raise, other than ``KeyError`` and ``IndexError``, is not caught.

        Raises:
            ExpressionError: it cannot be parsed or evaluated, or JSON cannot hold its value.
            ExpressionBudgetExceeded: it is too long, too deep, or too much work.
        """
        scope = Scope(names, expression)
        return to_json(self._compiled(expression)(scope), scope)

    def validate(self, expression: str) -> None:
        """Checks an expression without evaluating it: its syntax, its transforms and its size.

        Raises:
            ExpressionError: the first fault, with its 0-based position.
            ExpressionBudgetExceeded: it is too long or too deep.
        """
        self._compiled(expression)

    def validate_template(self, text: str) -> None:
        """Checks every ``{{ expression }}`` of a text without evaluating them.

        Raises:
            ExpressionError: the first fault, with its 0-based position in the whole text.
            ExpressionBudgetExceeded: an expression is too long or too deep.
        """
        if OPENING in text:
            self._parsed(text)

    def references(self, text: str) -> tuple[Reference, ...]:
        """The names that the expressions of a text read, each with the property read of it where that is plain.

        Raises:
            ExpressionError: as :meth:`validate_template`.
        """
        found: list[Reference] = []

        def note(source: Source) -> Compiled:
            found.extend(references(parse(source, self._transforms.check)))
            return lambda _scope: None

        if OPENING in text:
            parse_template(text, note)
        return tuple(found)

    def transform(self, data: JsonValue, names: Mapping[str, object]) -> JsonValue:
        """Returns a copy of ``data`` with every ``{{ expression }}`` in its strings resolved; keys stay.

        All expressions of one call share one budget of steps.

        Raises:
            ExpressionError: an expression cannot be parsed or evaluated; it carries the whole string.
            ExpressionBudgetExceeded: an expression is too long, too deep or too much work, or data is too deep.
        """
        return self._resolved(data, Scope(names, ""), 0)

    def _resolved(self, data: JsonValue, scope: Scope, depth: int) -> JsonValue:
        if isinstance(data, str):
            if OPENING not in data:
                return data
            scope.text = data
            return self._parsed(data).render(scope)
        if not isinstance(data, dict | list):
            return data
        if depth >= JSON_DEPTH_MAX:
            raise ExpressionBudgetExceeded(f"data nested deeper than {JSON_DEPTH_MAX} levels", expression="")
        if isinstance(data, dict):
            return {key: self._resolved(value, scope, depth + 1) for key, value in data.items()}
        return [self._resolved(value, scope, depth + 1) for value in data]

    def _parsed(self, text: str) -> Template:
        # A long text is parsed anew each time: a cache of them would have no bound in bytes.
        return self._template(text) if len(text) <= EXPRESSION_CHARACTERS_MAX else self._parse_template(text)

    def _parse_template(self, text: str) -> Template:
        return parse_template(text, self._compile_source)

    def _compile(self, expression: str) -> Compiled:
        return self._compile_source(Source(expression, 0, len(expression)))

    def _compile_source(self, source: Source) -> Compiled:
        return compile_node(parse(source, self._transforms.check), self._transforms)
