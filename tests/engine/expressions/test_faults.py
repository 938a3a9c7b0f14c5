"""What is refused, where the fault is said to be, and what an error does not tell."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest

from engine.errors import ExpressionBudgetExceeded, ExpressionError
from engine.expressions import JexlTransformEngine

ENGINE = JexlTransformEngine()


@pytest.mark.parametrize(
    ("expression", "position"),
    [
        ("", 0),
        ("   ", 3),
        ("1 +", 3),
        ("1 + * 2", 4),
        ("a = b", 2),
        ("a & b", 2),
        ("'abc", 0),
        ("a 'abc", 2),
        ("a b", 2),
        ("a.", 2),
        ("a.'b'", 2),
        ("(a", 2),
        ("a)", 1),
        ("a[", 2),
        ("a[0", 3),
        ("a[]", 2),
        ("(a)[0]", 3),
        ("'abc'[0]", 5),
        ("f(1)", 1),
        ("a.f(1)", 3),
        ("a|", 2),
        ("a|nothing", 2),
        ("a|upper('x')", 2),
        ("a|replace('x')", 2),
        ("a|upper ? 1 : 2", 8),
        ("a ? b", 5),
        ("a ? b :", 7),
        ("{'a': 1}", 1),
        ("{a 1}", 3),
        ("{a: 1 b: 2}", 6),
        ("[1 2]", 3),
        ("1e5", 1),
        (".5", 1),
        ("-a", 0),
        ("3 * -(1)", 4),
        ("1 -", 3),
        ("(-)", 1),
        ("a # b", 2),
        ("1" * 1234, 0),
    ],
)
def test_a_fault_of_syntax_is_found_where_it_is(expression: str, position: int) -> None:
    """``validate`` and ``evaluate`` raise the same error, with the offset of the first fault."""
    for use in (ENGINE.validate, lambda text: ENGINE.evaluate(text, {})):
        with pytest.raises(ExpressionError) as caught:
            use(expression)
        assert (caught.value.position, caught.value.expression) == (position, expression)


@pytest.mark.parametrize(
    ("expression", "position"),
    [
        ("missing['a']", 7),
        ("1 + none['a']", 8),
        ("bare.name", 5),
        ("1 + (word|abs)", 10),
        ("word|slice('x')", 5),
        ("word|parseJson", 5),
    ],
)
def test_a_fault_of_evaluation_is_found_where_it_is(expression: str, position: int) -> None:
    """What only the values can tell is valid, and fails when evaluated, with an offset too."""
    ENGINE.validate(expression)
    with pytest.raises(ExpressionError) as caught:
        ENGINE.evaluate(expression, {"none": None, "bare": [], "word": "secret"})
    assert caught.value.position == position
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "expression", ["0 / 0", "1 / 0", "-1 / 0", "[0 / 0]", "{a: {b: [1 / 0]}}", "10 ^ 400", "opaque", "half"]
)
def test_a_result_that_json_cannot_hold_is_an_error(expression: str) -> None:
    """Neither at the top nor inside: NaN, the infinities, foreign objects, half a surrogate pair."""
    with pytest.raises(ExpressionError):
        ENGINE.evaluate(expression, {"opaque": {"x": object()}, "half": "\ud800"})


@pytest.mark.parametrize(
    "expression",
    [
        "__class__",
        "text.__class__",
        "text.__class__.__mro__",
        "text['__class__']",
        "list.__len__",
        "list['append']",
        "number.real",
        "number.bit_length",
        "object.keys",
        "object.items",
        "object['__getitem__']",
        "object.constructor",
        "object.__proto__",
        "object['constructor']['constructor']|default(list.__init__)|default(null)",
        "list[.__class__]",
        "opaque.secret",
        "opaque['secret']",
        "opaque.__dict__",
    ],
)
def test_nothing_of_python_or_javascript_is_reached(expression: str) -> None:
    """Attributes, methods, dunders and prototypes do not exist for an expression."""
    names = {"text": "abc", "list": [{"a": 1}], "number": 7, "object": {"a": 1}, "opaque": Opaque()}
    with suppress(ExpressionError):
        assert ENGINE.evaluate(expression, names) in (None, [])


class Opaque:
    """An object a host might leave among the names by mistake."""

    secret = "s3cret"

    def __bool__(self) -> bool:
        raise AssertionError("asked")

    def __str__(self) -> str:
        raise AssertionError("asked")

    def __len__(self) -> int:
        raise AssertionError("asked")

    def __eq__(self, other: object) -> bool:
        raise AssertionError("asked")

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    "expression", ["!opaque", "opaque + 1", "opaque == 1", "opaque in [1]", "opaque < 1", "opaque ? 1 : 2"]
)
def test_a_foreign_object_is_never_asked(expression: str) -> None:
    """Operators treat it as an object without properties, and call none of its methods."""
    ENGINE.evaluate(expression + " ? 1 : 2" if "?" not in expression else expression, {"opaque": Opaque()})


def nested(depth: int) -> list[Any]:
    """A list in a list in a list."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


BIG: dict[str, Any] = {
    "deep": nested(5_000),
    "list": [{"v": index} for index in range(20_000)],
    "text": "a" * 900_000,
    "huge": 1 << 5_000,
}


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 5_000,
        "[" * 5_000,
        "{a:" * 3_000,
        "a[" * 3_000,
        "a ? " * 2_000,
        "1 ?: " * 1_900 + "1",
        "x|default(" * 900,
        "a" * 10_001,
        "deep",
        "deep + ''",
        "deep|json",
        "deep|unique",
        "deep|flatten(100)",
        "text + text",
        "text|replace('a', 'bb')",
        "list|map('v')|join(text)",
        "text" + "|upper" * 1_000,
        "[" + "text," * 1_900 + "]",
        "[" + "text," * 1_900 + "]|json",
        "list[.v > -1 && list[" + " || ".join([".v > -1"] * 20) + "]]",
        "list[" + " && ".join([".v > -1"] * 200) + "]",
        "list|concat(list)" + "|concat(list)" * 500,
        "huge",
        "huge + ''",
        "brackets|parseJson",
    ],
    ids=lambda text: text[:40],
)
def test_a_budget_ends_what_would_not(expression: str) -> None:
    """Too long, too deep, too large or too much work: always the same error, never a crash or a hang."""
    with pytest.raises(ExpressionBudgetExceeded):
        ENGINE.evaluate(expression, {**BIG, "brackets": "[" * 100_000})


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("+".join(["a"] * 3_000), 3_000),
        ("+".join(["'x'"] * 2_000), "x" * 2_000),
        (" || ".join(["b"] * 1_900) + " || a", 1),
        ("b" + ".b" * 3_000, None),
        ("'x'" + "|upper" * 1_600, "X"),
        ("!" * 9_998 + "a", True),
        ("1" + "-" * 9_000 + "1", 2),
        ("[" + "a," * 3_000 + "]|length", 3_000),
        ("(" * 60 + "a" + ")" * 60, 1),
    ],
    ids=lambda text: str(text)[:20],
)
def test_a_long_chain_has_a_value(expression: str, value: object) -> None:
    """What is long without being deep costs no stack."""
    assert ENGINE.evaluate(expression, {"a": 1}) == value


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("(", ")"),
        ("[", "]"),
        ("{a: ", "}"),
        ("a|default(", ")"),
        ("rows[.v == ", "]"),
        ("rows[", "]"),
        ("1 + (", ")"),
        ("!(", ")"),
        ("1 ? ", " : 2"),
        ("0 ? 2 : ", ""),
        ("0 ?: ", ""),
    ],
)
def test_the_deepest_expression_allowed_leaves_stack_to_spare(opening: str, closing: str) -> None:
    """One level more is a budget; at the limit nothing runs out of stack, whatever it consists of."""
    depth = 1
    with pytest.raises(ExpressionBudgetExceeded):  # noqa: PT012 - the last one allowed is what is looked for
        while True:
            ENGINE.validate(opening * depth + "a" + closing * depth)
            depth += 1
    names = {"a": 1, "rows": [{"v": 1}]}
    assert depth > 30
    with suppress(ExpressionError):
        json.dumps(ENGINE.evaluate(opening * (depth - 1) + "a" + closing * (depth - 1), names))


def test_values_may_be_larger_than_what_an_expression_may_build() -> None:
    """A text above the limit is passed on; only building one is refused."""
    text = "é" * 1_500_000
    assert ENGINE.evaluate("text", {"text": text}) == text
    assert ENGINE.transform({"a": ["{{ text }}"]}, {"text": text}) == {"a": [text]}
    with pytest.raises(ExpressionBudgetExceeded):
        ENGINE.transform("{{ text }}!", {"text": text})
