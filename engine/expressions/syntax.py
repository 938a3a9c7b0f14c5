"""The syntax tree of an expression: what the parser builds and the compiler reads.

Every node is immutable and knows nothing of evaluation. They are named tuples, for a module of ten dataclasses takes
eight times as long to import. ``position`` is the 0-based offset, in the text the
expression stands in, of the token a fault of that node is reported at.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias


class Constant(NamedTuple):
    """A number, text or boolean written in the source."""

    value: str | int | float | bool


class Name(NamedTuple):
    """``order``, read from the names; or ``.price``, read from the element a filter is looking at."""

    name: str
    relative: bool


class Property(NamedTuple):
    """``subject.name``."""

    subject: Node
    name: str
    position: int


class Filter(NamedTuple):
    """``subject[condition]``: an element or property, or (when ``relative``) the elements that match.

    ``weight`` is the number of nodes in the condition: what one element costs.
    """

    subject: Node
    condition: Node
    relative: bool
    weight: int
    position: int


class Transform(NamedTuple):
    """``subject|name(arguments)``."""

    subject: Node
    name: str
    arguments: tuple[Node, ...]
    position: int


class Not(NamedTuple):
    """``!operand``."""

    operand: Node


class Binary(NamedTuple):
    """``left operator right``; a chain of operators leans to the left, whatever the operator."""

    operator: str
    left: Node
    right: Node


class Conditional(NamedTuple):
    """``test ? consequent : alternate``; without a consequent (``test ?: alternate``) the test's own value."""

    test: Node
    consequent: Node | None
    alternate: Node


class ListLiteral(NamedTuple):
    """``[a, b]``."""

    items: tuple[Node, ...]


class ObjectLiteral(NamedTuple):
    """``{key: value}``; of two equal keys the later one counts."""

    entries: tuple[tuple[str, Node], ...]


Node: TypeAlias = (
    Constant | Name | Property | Filter | Transform | Not | Binary | Conditional | ListLiteral | ObjectLiteral
)
