"""What an expression reads: the names it begins with, and the first property after each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from engine.expressions.syntax import Constant, Filter, Name, Node, Property


class Reference(NamedTuple):
    """A name read by an expression, and the property read of it where the source tells which."""

    name: str
    member: str | None


def references(root: Node) -> Iterator[Reference]:
    """Every name an expression reads; names of a filter's element (``.price``) are not among them."""
    waiting: list[object] = [root]
    while waiting:
        node = waiting.pop()
        match node:
            case Name(name=name, relative=False):
                yield Reference(name, None)
            case Property(subject=Name(name=name, relative=False), name=member):
                yield Reference(name, member)
            case Filter(subject=Name(name=name, relative=False), condition=Constant(value=str(member))):
                yield Reference(name, member)
            case tuple():
                waiting.extend(node)
            case _:
                pass
