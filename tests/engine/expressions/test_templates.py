"""Text with expressions in it, trees of them, and how numbers look in text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.errors import ExpressionBudgetExceeded, ExpressionError
from engine.expressions import JexlTransformEngine

if TYPE_CHECKING:
    from engine.json_value import JsonValue

ENGINE = JexlTransformEngine()
NAMES: dict[str, JsonValue] = {
    "n": 5,
    "half": 0.5,
    "text": "abc",
    "yes": True,
    "none": None,
    "list": [1, "x", None],
    "object": {"a": {"b": 1.0}},
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", ""),
        ("plain", "plain"),
        ("{ n }", "{ n }"),
        ("}} {", "}} {"),
        ("{{ n }}", 5),
        ("{{n}}", 5),
        ("{{\n n \t}}", 5),
        (" {{ n }}", " 5"),
        ("{{ n }}{{ n }}", "55"),
        ("{{ yes }}", True),
        ("{{ none }}", None),
        ("{{ missing }}", None),
        ("{{ list }}", [1, "x", None]),
        ("{{ object }}", {"a": {"b": 1}}),
        ("[{{ list }}]", '[[1,"x",null]]'),
        ("-{{ object }}", '-{"a":{"b":1}}'),
        ("-{{ none }}-{{ missing }}-{{ yes }}", "---true"),
        ("{{ '}}' }}", "}}"),
        ("{{ '{{' }}", "{{"),
        ('{{ "}}" }} and {{ "\'}}" }}', "}} and '}}"),
        ("{{ 'it\\'s }}' }}!", "it's }}!"),
        ("{{ {a: {b: n}} }}", {"a": {"b": 5}}),
        ("{{{a: {b: n}}}}", {"a": {"b": 5}}),
        ("{{ {a: '}'}.a }}{{ {} }}", "}{}"),
        ("it's {{ n }}, isn't it", "it's 5, isn't it"),
        ("{{ text|replace('b', '}}') }}", "a}}c"),
        ("{{ '{{ n }}' }}", "{{ n }}"),
    ],
)
def test_a_text_resolves(text: str, value: JsonValue) -> None:
    """Alone an expression keeps its type; beside anything else it becomes text; its result is not resolved again."""
    assert ENGINE.transform(text, NAMES) == value
    ENGINE.validate_template(text)


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("{{", 0),
        ("ab {{ n", 3),
        ("{{ n }", 0),
        ("{{ n }} and {{ 'x }}", 15),
        ("{{}}", 2),
        ("x {{ }} y", 5),
        ("x {{ n }} {{ 1 + }}", 17),
        ("x {{ n }} {{ n|nothing }}", 15),
        ("x {{ n }} {{ 1 + * 2 }}", 17),
        ("{{ {a: 1 }}", 0),
        ("{{ a } }}", 5),
        ("{{ " + "(" * 70 + " }}", 67),
    ],
)
def test_a_fault_has_its_position_in_the_whole_text(text: str, position: int) -> None:
    """``validate_template`` and ``transform`` raise the same error."""
    for use in (ENGINE.validate_template, lambda data: ENGINE.transform([{"k": data}], NAMES)):
        with pytest.raises(ExpressionError) as caught:
            use(text)
        assert (caught.value.position, caught.value.expression) == (position, text)


def test_a_fault_of_evaluation_has_its_position_in_the_whole_text() -> None:
    """The same for what only the values can tell."""
    with pytest.raises(ExpressionError) as caught:
        ENGINE.transform("n is {{ n }}, {{ n|upper }}", NAMES)
    assert caught.value.position == 19
    assert "upper" in str(caught.value)


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (5, "5"),
        (5.0, "5"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (-0.1, "-0.1"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1e-6, "0.000001"),
        (1.5e-6, "0.0000015"),
        (1e-7, "1e-7"),
        (1.25e-7, "1.25e-7"),
        (5e-324, "5e-324"),
        (1e16, "10000000000000000"),
        (123456789012345680000.0, "123456789012345680000"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.5e21, "1.5e+21"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (100.5, "100.5"),
        (1234.5678, "1234.5678"),
        (2**53 + 1, "9007199254740993"),
        (10**21, "1000000000000000000000"),
        (True, "true"),
    ],
)
def test_a_number_prints_as_in_javascript(value: float, printed: str) -> None:
    """In text, in a concatenation and in JSON inside text; an integer with all its digits."""
    assert ENGINE.transform("{{ v }}.", {"v": value}) == printed + "."
    assert ENGINE.evaluate("'' + v", {"v": value}) == printed
    assert ENGINE.transform("{{ [v] }}.", {"v": value}) == f"[{printed}]."


@pytest.mark.parametrize(
    ("value", "result"),
    [(5.0, 5), (-0.0, 0), (2.0**53, 2**53), (2.0**60, 2.0**60), (2**60 + 1, 2**60 + 1), (0.5, 0.5), (1e300, 1e300)],
)
def test_whole_numbers_leave_as_integers(value: float, result: float) -> None:
    """Up to 2**53, where every double is the integer it shows; above, a double stays one."""
    got = ENGINE.evaluate("v", {"v": value})
    assert (got, type(got)) == (result, type(result))


def test_a_tree_is_copied_and_its_keys_stay() -> None:
    """Strings anywhere in it are resolved; keys are not; nothing is shared with what went in."""
    data: JsonValue = {"{{ n }}": ["{{ n }}", {"deep": "n={{ n }}"}, 1, None, True, 0.5], "plain": {"x": []}}
    result = ENGINE.transform(data, NAMES)
    assert result == {"{{ n }}": [5, {"deep": "n=5"}, 1, None, True, 0.5], "plain": {"x": []}}
    assert isinstance(result, dict)
    assert isinstance(data, dict)
    assert result["plain"] is not data["plain"]


def test_a_result_is_a_copy() -> None:
    """Changing a result does not change what it was read from."""
    result = ENGINE.transform({"a": "{{ list }}"}, NAMES)
    assert isinstance(result, dict)
    assert result["a"] == NAMES["list"]
    assert result["a"] is not NAMES["list"]


def test_expressions_of_one_tree_share_a_budget() -> None:
    """Many expensive expressions are no way around the limit of one."""
    names: dict[str, JsonValue] = {"list": list(range(100_000))}
    assert ENGINE.transform(["{{ list|length }}"] * 50, names) == [100_000] * 50
    with pytest.raises(ExpressionBudgetExceeded):
        ENGINE.transform(["{{ list|reverse|length }}"] * 50, names)


def test_data_that_is_too_deep_is_refused() -> None:
    """The tree itself has the depth of JSON values, not Python's."""
    data: JsonValue = "{{ n }}"
    for _ in range(3_000):
        data = [data]
    with pytest.raises(ExpressionBudgetExceeded):
        ENGINE.transform(data, NAMES)


def test_a_long_text_with_many_expressions_is_linear() -> None:
    """Thousands of expressions in one text are fine."""
    assert ENGINE.transform("{{ n }} " * 5_000, NAMES) == "5 " * 5_000


def test_what_was_parsed_is_kept_within_bounds() -> None:
    """Each engine parses once and keeps a bounded number of expressions and texts, the long ones not at all."""
    engine = JexlTransformEngine()
    for index in range(3_000):
        assert engine.evaluate(f"{index}", {}) == index
        assert engine.transform(f"{{{{ {index} }}}}", {}) == index
    assert engine._compiled.cache_info().currsize == 1_024
    assert engine._template.cache_info().currsize == 1_024
    assert engine.transform("x" * 20_000 + "{{ 1 }}", {}) == "x" * 20_000 + "1"
    assert engine._template.cache_info().misses == 3_000
    engine.evaluate("2999", {})
    assert engine._compiled.cache_info().hits == 1
