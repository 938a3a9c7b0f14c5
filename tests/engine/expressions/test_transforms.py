"""Transforms: registered ones, host-bound ones, and what the built-in ones refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine import expressions
from engine.errors import ExpressionBudgetExceeded, ExpressionError
from engine.expressions import HostTransform, JexlTransformEngine, TransformCall

if TYPE_CHECKING:
    from collections.abc import Mapping

ENGINE = JexlTransformEngine()


def test_the_package_offers_its_names() -> None:
    """The rest of it is its own business."""
    assert expressions.__all__ == ["HostTransform", "JexlTransformEngine", "Reference", "TransformCall"]
    assert all(hasattr(expressions, name) for name in expressions.__all__)


def test_a_function_is_given_plain_values() -> None:
    """The value and the arguments, as JSON, with None for what is undefined; and copies, to keep."""
    seen: list[object] = []

    def note(value: object, *arguments: object) -> int:
        seen.extend([value, *arguments])
        return 1

    items = [1.0, {"a": (2,)}]
    engine = JexlTransformEngine(transforms={"note": note})
    assert engine.evaluate("items|note(missing, 'x', null) + 1", {"items": items}) == 2
    assert seen == [[1, {"a": [2]}], None, "x", None]
    assert seen[0] is not items


def test_a_registered_transform_takes_the_place_of_a_built_in_one() -> None:
    """Its own number of arguments counts then."""
    engine = JexlTransformEngine(transforms={"upper": lambda value, mark: f"{value}{mark}"})
    assert engine.evaluate("'a'|upper('!')", {}) == "a!"
    assert ENGINE.evaluate("'a'|upper", {}) == "A"


@pytest.mark.parametrize(
    "failure", [ValueError("no"), KeyError("no"), RuntimeError("no"), ExpressionError("no", expression="x")]
)
def test_what_a_function_raises_becomes_an_expression_error(failure: Exception) -> None:
    """It names the transform and its place, and keeps the cause."""

    def fail(_value: object) -> None:
        raise failure

    engine = JexlTransformEngine(transforms={"fail": fail})
    with pytest.raises(ExpressionError, match=r"'fail'.*no") as caught:
        engine.evaluate("1 + (2|fail)", {})
    assert (caught.value.position, caught.value.expression) == (7, "1 + (2|fail)")
    assert caught.value.__cause__ is failure


def test_the_wrong_number_of_arguments_is_an_expression_error() -> None:
    """Python's own TypeError is one of those."""
    with pytest.raises(ExpressionError, match="'one'"):
        JexlTransformEngine(transforms={"one": lambda value: value}).evaluate("1|one(2)", {})


def test_what_ends_a_process_passes() -> None:
    """Only an Exception is caught."""

    def stop(_value: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        JexlTransformEngine(transforms={"stop": stop}).evaluate("1|stop", {})


@pytest.mark.parametrize("result", [{1, 2}, float("nan"), object(), {1: 2}, b"x"])
def test_a_result_that_is_not_json_is_refused(result: object) -> None:
    """Where it is returned, even if it would not have left the expression."""
    engine = JexlTransformEngine(transforms={"bad": lambda _value: result})
    with pytest.raises(ExpressionError):
        engine.evaluate("(1|bad) && 1", {})


@pytest.mark.parametrize("name", ["", "a-b", "a b", "1a", "true", "in", "a.b"])
def test_a_name_no_expression_could_spell_is_refused(name: str) -> None:
    """At registration, where the mistake is."""
    with pytest.raises(ValueError, match="transform"):
        JexlTransformEngine(transforms={name: lambda value: value})


def callback_url(call: TransformCall, signal: object) -> str:
    """A transform as a host would bind it: it reads the run it is called in."""
    if not isinstance(signal, str):
        raise call.fault("expected the name of a signal")
    run: Mapping[str, str] = call.names["run"]  # type: ignore[assignment]
    return f"https://example.test/{run['id']}/{signal}"


def test_a_host_transform_reads_the_names_of_its_evaluation() -> None:
    """One engine serves many runs; each call sees its own."""
    engine = JexlTransformEngine(transforms={"callbackUrl": HostTransform(callback_url)})
    for run_id in ("r1", "r2"):
        text = engine.transform("Go to {{ 'decision'|callbackUrl }}", {"run": {"id": run_id}})
        assert text == f"Go to https://example.test/{run_id}/decision"


def test_a_host_transform_refuses_with_a_place_and_fails_as_itself() -> None:
    """A bad argument is the expression's error; whatever else it raises is the host's."""
    engine = JexlTransformEngine(transforms={"callbackUrl": HostTransform(callback_url)})
    with pytest.raises(ExpressionError, match="'callbackUrl': expected the name") as caught:
        engine.evaluate("5|callbackUrl", {"run": {"id": "r"}})
    assert caught.value.position == 2
    with pytest.raises(KeyError):
        engine.evaluate("'x'|callbackUrl", {})


@pytest.mark.parametrize(
    "expression",
    [
        "5|upper",
        "missing|lower",
        "[]|trim",
        "'a'|split(1)",
        "'a'|replace('', 'x')",
        "'a'|replace('a', 1)",
        "'a'|startsWith(1)",
        "'a'|endsWith(missing)",
        "5|base64",
        "'*'|fromBase64",
        "'é'|fromBase64",
        "'/w=='|fromBase64",
        "5|length",
        "missing|length",
        "true|slice(1)",
        "'a'|slice(0.5)",
        "'a'|slice('1')",
        "'a'|slice(1 / 0)",
        "5|reverse",
        "{a: 1}|contains('a')",
        "'a'|contains(1)",
        "'a'|join",
        "[1]|join(1)",
        "'a'|first",
        "{a: 1}|last",
        "['a']|sum",
        "[true]|sum",
        "[1, 'a']|sort",
        "[true]|sort",
        "[0 / 0]|sort",
        "[{a: 1}]|sort",
        "[{a: 1}]|sort('b')",
        "5|unique",
        "[1]|map(1)",
        "{a: 1}|map('a')",
        "[1]|flatten(-1)",
        "[1]|concat(2)",
        "[1]|keys",
        "'a'|values",
        "missing|entries",
        "[1]|fromEntries",
        "[['a']]|fromEntries",
        "[[1, 2]]|fromEntries",
        "{a: 1}|merge([1])",
        "['1']|max",
        "5|min('1')",
        "[0 / 0]|max",
        "'1'|abs",
        "missing|round",
        "1.5|round(16)",
        "1.5|round(0.5)",
        "'x'|number",
        "''|number",
        "[1]|number",
        "'{'|parseJson",
        "'NaN'|parseJson",
        "'1e999'|parseJson",
        "'\"\\ud800\"'|parseJson",
        "5|parseJson",
        "[0 / 0]|json",
        "'x'|toIso",
        "10 ^ 20|toIso",
        "(0 / 0)|toIso",
        "(1 / 0)|toIso",
        "'x'|fromIso",
        "5|fromIso",
    ],
)
def test_a_built_in_transform_refuses_what_it_cannot_take(expression: str) -> None:
    """Always as an ExpressionError that names it."""
    name = expression.rpartition("|")[2].partition("(")[0]
    with pytest.raises(ExpressionError) as caught:
        ENGINE.evaluate(expression, {})
    assert f"'{name}'" in str(caught.value) or name in {"parseJson", "json", "toIso"}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("[]|sum", 0),
        ("[]|min", None),
        ("[]|sort", []),
        ("''|split(',')", [""]),
        ("''|split('')", []),
        ("''|length", 0),
        ("{}|length", 0),
        ("[3, 1, 2]|slice(-2)", [1, 2]),
        ("'abc'|slice(0, -1)", "ab"),
        ("[[1, 'a'], [1, 'a']]|unique", [[1, "a"]]),
        ("[1, true, 1.0, '1']|unique", [1, True, "1"]),
        ("[{a: 1, b: 2}, {b: 2, a: 1}]|unique|length", 1),
        ("[missing, 'a']|join('-')", "-a"),
        ("[0.1, 0.2]|sum", 0.30000000000000004),
        ("(-2.5)|round", -2),
        ("1.005|round(2)", 1),
        ("10 ^ 300|floor", 1e300),
        ("9007199254740993|round(2)", 9007199254740993),
        ("9007199254740993|abs", 9007199254740993),
        ("'9007199254740993'|number", 9007199254740993),
        ("true|number", 1),
        ("'2024-02-29'|fromIso", 1709164800000),
        ("(-62135596800000)|toIso", "0001-01-01T00:00:00.000Z"),
        ("[1, [2]]|json|parseJson", [1, [2]]),
        ("missing|json", "null"),
        ("missing|string", ""),
        ("{a: 1}|string", '{"a":1}'),
    ],
)
def test_a_built_in_transform_at_its_edges(expression: str, value: object) -> None:
    """Empty lists, negative positions, halves, large integers."""
    assert ENGINE.evaluate(expression, {}) == value


def test_a_transform_cannot_make_text_without_end() -> None:
    """Repeated, a transform that makes its text grow meets the limit before memory does."""
    with pytest.raises(ExpressionBudgetExceeded):
        ENGINE.evaluate("'aa'" + "|replace('a', 'aaaaaaaaaaaaaaaa')" * 200, {})
    with pytest.raises(ExpressionBudgetExceeded):
        ENGINE.evaluate("'aa'" + "|base64" * 500, {})
    with pytest.raises(ExpressionBudgetExceeded):
        ENGINE.evaluate("'aa'" + "|split('')|join('aaaaaaaaaaaaaaaa')" * 200, {})
