"""Transforms: the functions of the language, and how one is called.

Three kinds, by what they are given:

- the built-in ones (built_in.py) see values as the evaluation has them, lazy ones included;
- a plain ``function(value, *arguments)`` sees copies, in plain JSON, with null for what is undefined;
- a :class:`HostTransform` sees the same, and before it the :class:`TransformCall`, through which it reads the
  names of the evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from engine.expressions.boundary import to_json
from engine.expressions.coercion import UNDEFINED, is_list, is_number, is_object
from engine.expressions.lexer import NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.errors import ExpressionError
    from engine.expressions.scope import Scope

_RESERVED: Final = frozenset({"true", "false", "in"})


class TransformCall(NamedTuple):
    """One call of a transform: its name, the evaluation it belongs to, and where it stands in the source."""

    name: str
    scope: Scope
    position: int

    @property
    def names(self) -> Mapping[str, object]:
        """What the expression may look up, as it was given to ``evaluate`` or ``transform``."""
        return self.scope.names

    def fault(self, message: str) -> ExpressionError:
        """Returns the error to raise when the transform cannot take what it was given."""
        return self.scope.fault(f"transform {self.name!r}: {message}", self.position)

    def text(self, value: object) -> str:
        """Returns ``value``, which must be text."""
        if not isinstance(value, str):
            raise self.fault(f"expected text, found {kind_of(value)}")
        self.scope.spend_on_text(value)
        return value

    def items(self, value: object) -> Sequence[object]:
        """Returns ``value``, which must be a list."""
        if not is_list(value):
            raise self.fault(f"expected a list, found {kind_of(value)}")
        self.scope.spend(len(value) + 1)
        return value

    def entries(self, value: object) -> Mapping[object, object]:
        """Returns ``value``, which must be an object."""
        if not is_object(value):
            raise self.fault(f"expected an object, found {kind_of(value)}")
        self.scope.spend(len(value) + 1)
        return value

    def number(self, value: object) -> int | float:
        """Returns ``value``, which must be a number."""
        if not is_number(value):
            raise self.fault(f"expected a number, found {kind_of(value)}")
        return value

    def integer(self, value: object, least: int, most: int) -> int:
        """Returns ``value``, which must be a whole number from ``least`` to ``most``."""
        number = self.number(value)
        if not least <= number <= most or number != int(number):
            raise self.fault(f"expected a whole number from {least} to {most}")
        return int(number)


class HostTransform(NamedTuple):
    """A transform that reads the evaluation it is called in: ``function(call, value, *arguments)``.

    It refuses its arguments with ``raise call.fault("...")``. Whatever else it raises passes through unchanged:
    a host that cannot read its own state has failed, the expression has not.
    """

    function: Callable[..., object]


class BuiltIn(NamedTuple):
    """A transform of the language itself, with the number of arguments it takes after the value."""

    function: Callable[..., object]
    fewest: int = 0
    most: int = 0


AnyTransform: TypeAlias = BuiltIn | HostTransform | Callable[..., object]


class Transforms:
    """The transforms that the expressions of one engine may use."""

    def __init__(self, transforms: Mapping[str, AnyTransform]) -> None:
        for name in transforms:
            if not NAME.fullmatch(name) or name in _RESERVED:
                raise ValueError(f"{name!r} cannot name a transform: letters, digits, _ and $ only")
        self._transforms = dict(transforms)

    def check(self, name: str, argument_count: int) -> str | None:
        """Says what is wrong with a call of ``name`` with that many arguments, if anything."""
        transform = self._transforms.get(name)
        if transform is None:
            return f"no transform is called {name!r}"
        if isinstance(transform, BuiltIn) and not transform.fewest <= argument_count <= transform.most:
            wanted = (
                f"{transform.fewest}"
                if transform.fewest == transform.most
                else (f"{transform.fewest} to {transform.most}")
            )
            return f"transform {name!r} takes {wanted} arguments, not {argument_count}"
        return None

    def bound(self, name: str) -> Callable[[TransformCall, list[object]], object]:
        """Returns the transform ``name`` in the one form the compiler calls: the call, then all values."""
        transform = self._transforms[name]
        if isinstance(transform, BuiltIn):
            function = transform.function
            return lambda call, values: function(call, *values)
        if isinstance(transform, HostTransform):
            return _host_caller(transform.function)
        return _plain_caller(transform)


def kind_of(value: object) -> str:
    """Names the kind of a value for a message, which never shows the value itself: it may be a secret."""
    if value is None or value is UNDEFINED:
        return "null" if value is None else "nothing (undefined)"
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if is_list(value):
        return "a list"
    return "an object" if is_object(value) else f"a {type(value).__name__}"


def _host_caller(function: Callable[..., object]) -> Callable[[TransformCall, list[object]], object]:
    def call_host(call: TransformCall, values: list[object]) -> object:
        arguments = [to_json(value, call.scope) for value in values]
        return to_json(function(call, *arguments), call.scope)

    return call_host


def _plain_caller(function: Callable[..., object]) -> Callable[[TransformCall, list[object]], object]:
    def call_plain(call: TransformCall, values: list[object]) -> object:
        arguments = [to_json(value, call.scope) for value in values]
        try:
            result = function(*arguments)
        except Exception as error:
            raise call.fault(f"{type(error).__name__}: {error}") from error
        return to_json(result, call.scope)

    return call_plain
