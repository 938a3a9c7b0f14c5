"""What holds for any expression over any value, by Hypothesis."""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ExpressionError
from engine.expressions import JexlTransformEngine
from engine.expressions.built_in import BUILT_IN
from engine.expressions.lexer import PRECEDENCE, Source
from engine.expressions.parser import parse
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
from engine.json_value import checked_copy

ENGINE = JexlTransformEngine()
KEYS = st.sampled_from(["a", "b", "length", "constructor", "x1", "$"])
JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from(["", "12", " 1e3 ", "0x10", "-0", "Infinity"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
NAMES: st.SearchStrategy[dict[str, Any]] = st.dictionaries(KEYS, JSON_VALUES, max_size=4)
NAME_NODES = st.builds(Name, KEYS, relative=st.booleans())
LEAVES: st.SearchStrategy[Node] = NAME_NODES | st.builds(
    Constant,
    st.booleans()
    | st.integers(-(10**6), 10**20)
    | st.sampled_from([0.5, -0.25, 3.75])
    | st.text("ab '\"}{.1é", max_size=4),
)


def larger(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    """Trees whose parts are ``inner`` ones."""
    path = st.builds(Property, inner, KEYS, st.just(0))
    return (
        path
        | st.builds(Filter, path | NAME_NODES, inner, st.just(value=False), st.just(0), st.just(0))
        | st.builds(Not, inner)
        | st.builds(Binary, st.sampled_from(sorted(PRECEDENCE)), inner, inner)
        | st.builds(Conditional, inner, st.none() | inner, inner)
        | st.builds(ListLiteral, st.lists(inner, max_size=3).map(tuple))
        | st.builds(ObjectLiteral, st.dictionaries(KEYS, inner, max_size=2).map(lambda d: tuple(d.items())))
        | st.sampled_from(sorted(BUILT_IN)).flatmap(
            lambda name: st.builds(
                Transform,
                inner,
                st.just(name),
                st.lists(inner, min_size=BUILT_IN[name].fewest, max_size=min(2, BUILT_IN[name].most)).map(tuple),
                st.just(0),
            )
        )
    )


TREES = st.recursive(LEAVES, larger, max_leaves=12)


def printed(node: Node) -> str:  # noqa: C901, PLR0911 - one case a kind
    """An expression that means ``node``, with every part in parentheses."""
    match node:
        case Constant():
            return printed_constant(node.value)
        case Name():
            return f".{node.name}" if node.relative else node.name
        case Property():
            return f"({printed(node.subject)}).{node.name}"
        case Filter():
            subject = printed(node.subject)
            return f"{subject}[{printed(node.condition)}]"
        case Transform():
            arguments = ", ".join(map(printed, node.arguments))
            return f"({printed(node.subject)})|{node.name}({arguments})"
        case Not():
            return f"!({printed(node.operand)})"
        case Binary():
            return f"({printed(node.left)}) {node.operator} ({printed(node.right)})"
        case Conditional():
            consequent = "" if node.consequent is None else f"({printed(node.consequent)})"
            return f"({printed(node.test)}) ? {consequent} : ({printed(node.alternate)})"
        case ListLiteral():
            return f"[{', '.join(map(printed, node.items))}]"
        case ObjectLiteral():
            return f"{{{', '.join(f'{key}: {printed(value)}' for key, value in node.entries)}}}"


def printed_constant(value: str | float) -> str:
    """A constant as it is written in an expression."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + value.replace("'", "\\'") + "'"
    return str(value)


def parsed(text: str) -> Node:
    """The tree of an expression, whatever its transforms."""
    return parse(Source(text, 0, len(text)), lambda _name, _count: None)


def shape(node: object) -> object:
    """A tree without what depends on how it is written: positions, weights, and whether a filter is relative."""
    if not isinstance(node, tuple):
        return type(node), node
    names: tuple[str, ...] | None = getattr(node, "_fields", None)
    if names is None:
        return tuple(map(shape, node))
    left_out = {"position", "weight", "relative"} if isinstance(node, Filter) else {"position"}
    return type(node), [(name, shape(getattr(node, name))) for name in names if name not in left_out]


def outcome(expression: str, names: dict[str, Any]) -> str:
    """The value as JSON text, or the error's message."""
    try:
        return json.dumps(ENGINE.evaluate(expression, names), allow_nan=False)
    except ExpressionError as error:
        return str(error)


def fault_of(template: str, names: dict[str, Any]) -> int | None:
    """The position of the fault of a template, if it has one."""
    try:
        checked_copy(ENGINE.transform([template], names))
    except ExpressionError as error:
        return error.position
    return None


@given(tree=TREES)
@settings(derandomize=True, deadline=None, max_examples=80)
def test_a_printed_expression_parses_to_what_was_printed(tree: Node) -> None:
    """Parsing is the inverse of printing."""
    assert shape(parsed(printed(tree))) == shape(tree)


@given(tree=TREES, names=NAMES)
@settings(derandomize=True, deadline=None, max_examples=120)
def test_any_expression_gives_json_or_an_expression_error(tree: Node, names: dict[str, Any]) -> None:
    """No other exception, nothing JSON cannot hold, and the names are left as they were."""
    before = json.dumps(names)
    try:
        result = ENGINE.evaluate(printed(tree), names)
    except ExpressionError:
        return
    finally:
        assert json.dumps(names) == before
    assert checked_copy(result) == result


@given(text=st.text("ab.|?:'\"[]{}()!&=<>+-*/%^,1 0\\é", max_size=12), names=NAMES)
@settings(derandomize=True, deadline=None, max_examples=200)
def test_any_text_gives_json_or_an_expression_error(text: str, names: dict[str, Any]) -> None:
    """As an expression, and as a template; and the same again."""
    assert outcome(text, names) == outcome(text, names)
    for template in (f"{{{{{text}}}}}", f"x{{{{ {text} }}}}{{{{a}}}}"):
        position = fault_of(template, names)
        assert position is None or 0 <= position <= len(template)


@given(value=st.floats(allow_nan=False, allow_infinity=False))
@settings(derandomize=True, deadline=None, max_examples=100)
def test_a_printed_number_reads_back(value: float) -> None:
    """No digit is lost between a number and its text."""
    text = ENGINE.evaluate("'' + v", {"v": value})
    assert isinstance(text, str)
    assert float(text) == value
    back = ENGINE.evaluate("[t|number, v|json|parseJson]", {"t": text, "v": value})
    # Above 2**53 whole digits read back as the integer they spell, which rounds to the same double.
    assert isinstance(back, list)
    assert [float(str(item)) for item in back] == [value, value]


@given(left=st.integers(), right=st.integers())
@settings(derandomize=True, deadline=None, max_examples=100)
def test_integers_are_exact(left: int, right: int) -> None:
    """Sums, differences, products, quotients rounded down and remainders, whatever the size."""
    names = {"a": left, "b": right}
    assert ENGINE.evaluate("[a + b, a - b, a * b]", names) == [left + right, left - right, left * right]
    if right:
        rest = int(math.copysign(1, left)) * (abs(left) % abs(right))
        assert ENGINE.evaluate("[a // b, a % b]", names) == [left // right, rest]


@given(data=JSON_VALUES)
@settings(derandomize=True, deadline=None, max_examples=100)
def test_data_without_expressions_stays_as_it_is(data: Any) -> None:
    """``transform`` is the identity on it."""
    assert json.dumps(ENGINE.transform(data, {})) == json.dumps(data)
