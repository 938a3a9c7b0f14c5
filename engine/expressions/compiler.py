"""A syntax tree to nested closures, each from the evaluation's scope to a value.

A chain (``a + b + c``, ``a.b.c``, ``a|b|c``, and any mixture) becomes a first value and a list of steps run in a
loop: it may be thousands long, and must not cost a Python frame a link. What else nests, the parser has limited.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile
from typing import TYPE_CHECKING, TypeAlias

from engine.expressions.coercion import UNDEFINED, is_list, is_true
from engine.expressions.lookup import from_element, named_property, own_property, selected
from engine.expressions.operators import EAGER
from engine.expressions.scope import Scope
from engine.expressions.syntax import (
    Binary,
    Conditional,
    Constant,
    Filter,
    ListLiteral,
    Name,
    Node,
    Not,
    ObjectLiteral,
    Property,
    Transform,
)
from engine.expressions.transforms import TransformCall

if TYPE_CHECKING:
    from engine.expressions.transforms import Transforms

Compiled: TypeAlias = Callable[[Scope], object]
"""An expression ready to run."""

Step: TypeAlias = Callable[[object, Scope], object]
"""One link of a chain: from the value before it to the value after it."""


def compile_node(node: Node, transforms: Transforms) -> Compiled:
    """Returns the closure that evaluates ``node``; every transform in it must be in ``transforms``."""
    links: list[Binary | Property | Filter | Transform] = []
    while isinstance(node, Binary | Property | Filter | Transform):
        links.append(node)
        node = node.left if isinstance(node, Binary) else node.subject
    links.reverse()
    if not isinstance(node, Name):
        return _chain(_start(node, transforms), links, transforms)
    path = list(takewhile(lambda link: isinstance(link, Property), links))
    keys = tuple((link.name, link.position) for link in path if isinstance(link, Property))
    return _chain(_reader(node, keys), links[len(keys) :], transforms)


def _chain(first: Compiled, links: list[Binary | Property | Filter | Transform], transforms: Transforms) -> Compiled:
    if not links:
        return first
    if len(links) == 1 and isinstance(links[0], Binary) and links[0].operator in EAGER:
        return _operation(first, links[0], transforms)
    steps = [_step(link, transforms) for link in links]

    def run_chain(scope: Scope) -> object:
        value = first(scope)
        for step in steps:
            value = step(value, scope)
        return value

    return run_chain


def _operation(left: Compiled, node: Binary, transforms: Transforms) -> Compiled:
    # The commonest chain of all, without the loop.
    operate = EAGER[node.operator]
    if isinstance(node.right, Constant):
        constant = node.right.value
        return lambda scope: operate(left(scope), constant, scope)
    right = compile_node(node.right, transforms)
    return lambda scope: operate(left(scope), right(scope), scope)


# --- the first value of a chain ------------------------------------------------------------------


def _start(node: Node, transforms: Transforms) -> Compiled:
    match node:
        case Constant():
            value = node.value
            return lambda _scope: value
        case Not():
            operand = compile_node(node.operand, transforms)
            return lambda scope: not is_true(operand(scope))
        case Conditional():
            return _conditional(node, transforms)
        case ListLiteral():
            items = [compile_node(item, transforms) for item in node.items]
            return lambda scope: [item(scope) for item in items]
        case ObjectLiteral():
            entries = [(key, compile_node(value, transforms)) for key, value in node.entries]
            return lambda scope: {key: value(scope) for key, value in entries}
        case _:
            raise AssertionError(f"{type(node).__name__} is not the start of a chain")


def _reader(node: Name, path: tuple[tuple[str, int], ...]) -> Compiled:
    # A name and the constant properties after it: what nearly every expression consists of.
    name = node.name
    if node.relative:
        if not path:
            return lambda scope: from_element(scope, name)
    elif not path:
        return lambda scope: own_property(scope.names, name)
    relative = node.relative

    def read_path(scope: Scope) -> object:
        value = from_element(scope, name) if relative else own_property(scope.names, name)
        for key, position in path:
            if type(value) is dict:  # noqa: SIM108 - on one line mypy loses the type
                value = value.get(key, UNDEFINED)
            else:
                value = named_property(value, key, position, scope)
        return value

    return read_path


def _conditional(node: Conditional, transforms: Transforms) -> Compiled:
    test, alternate = compile_node(node.test, transforms), compile_node(node.alternate, transforms)
    if node.consequent is None:
        return lambda scope: value if is_true(value := test(scope)) else alternate(scope)
    consequent = compile_node(node.consequent, transforms)
    return lambda scope: consequent(scope) if is_true(test(scope)) else alternate(scope)


# --- the links of a chain ------------------------------------------------------------------------


def _step(link: Binary | Property | Filter | Transform, transforms: Transforms) -> Step:
    match link:
        case Property():
            name, position = link.name, link.position
            return lambda value, scope: named_property(value, name, position, scope)
        case Binary():
            return _binary_step(link, transforms)
        case Filter():
            condition = compile_node(link.condition, transforms)
            if link.relative:
                return _relative_filter(condition, link.weight)
            place = link.position
            return lambda value, scope: selected(value, condition(scope), place, scope)
        case Transform():
            return _transform_step(link, transforms)


def _binary_step(link: Binary, transforms: Transforms) -> Step:
    right = compile_node(link.right, transforms)
    if link.operator == "&&":
        return lambda value, scope: right(scope) if is_true(value) else value
    if link.operator == "||":
        return lambda value, scope: value if is_true(value) else right(scope)
    operate = EAGER[link.operator]
    return lambda value, scope: operate(value, right(scope), scope)


def _relative_filter(condition: Compiled, weight: int) -> Step:
    def keep_matching(value: object, scope: Scope) -> object:
        if value is UNDEFINED:
            return []
        elements = value if is_list(value) else [value]
        scope.spend(len(elements) * weight + 1)
        outside = scope.element
        kept: list[object] = []
        for element in elements:
            scope.element = element
            if is_true(condition(scope)):
                kept.append(element)
        scope.element = outside
        return kept

    return keep_matching


def _transform_step(link: Transform, transforms: Transforms) -> Step:
    name, position = link.name, link.position
    transform = transforms.bound(name)
    arguments = [compile_node(argument, transforms) for argument in link.arguments]

    def apply_transform(value: object, scope: Scope) -> object:
        values = [value]
        values += [argument(scope) for argument in arguments]
        return transform(TransformCall(name, scope, position), values)

    return apply_transform
