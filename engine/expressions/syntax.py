"""The syntax tree of an expression: what the parser builds and the compiler reads.

Every node is immutable and knows nothing of evaluation. ``position`` is the 0-based offset, in the text the
expression stands in, of the token a fault of that node is reported at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, text or boolean written in the source."""

    value: str | int | float | bool


@dataclass(frozen=True, slots=True)
class Name:
    """``order``, read from the names; or ``.price``, read from the element a filter is looking at."""

    name: str
    relative: bool


@dataclass(frozen=True, slots=True)
class Property:
    """``subject.name``."""

    subject: Node
    name: str
    position: int


@dataclass(frozen=True, slots=True)
class Filter:
    """``subject[condition]``: an element or property, or (when ``relative``) the elements that match.

    ``weight`` is the number of nodes in the condition: what one element costs.
    """

    subject: Node
    condition: Node
    relative: bool
    weight: int
    position: int


@dataclass(frozen=True, slots=True)
class Transform:
    """``subject|name(arguments)``."""

    subject: Node
    name: str
    arguments: tuple[Node, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Not:
    """``!operand``."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Binary:
    """``left operator right``; a chain of operators leans to the left, whatever the operator."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Conditional:
    """``test ? consequent : alternate``; without a consequent (``test ?: alternate``) the test's own value."""

    test: Node
    consequent: Node | None
    alternate: Node


@dataclass(frozen=True, slots=True)
class ListLiteral:
    """``[a, b]``."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class ObjectLiteral:
    """``{key: value}``; of two equal keys the later one counts."""

    entries: tuple[tuple[str, Node], ...]


Node: TypeAlias = (
    Constant | Name | Property | Filter | Transform | Not | Binary | Conditional | ListLiteral | ObjectLiteral
)
