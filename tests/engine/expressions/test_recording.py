"""What npm jexl 2.3.0 makes of thousands of expressions, held against what we make of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.errors import ExpressionError
from engine.expressions import JexlTransformEngine

HERE = Path(__file__).parent
ENGINE = JexlTransformEngine()


def double(digits: str) -> int | float:
    """A whole number as JavaScript wrote it: above 2**53 its digits are those of a double."""
    return int(digits) if abs(int(digits)) <= 2**53 else float(digits)


RECORDING: dict[str, Any] = json.loads((HERE / "jexl-2.3.0.json").read_text("utf-8"), parse_int=double)
CASES: list[dict[str, Any]] = RECORDING["cases"]
INPUT: dict[str, Any] = json.loads((HERE / "cases.json").read_text("utf-8"))
DIFFERENCES: list[dict[str, Any]] = json.loads((HERE / "differences.json").read_text("utf-8"))
NOT_JSON = {"NaN", "Infinity", "-Infinity", "function"}


class Refused(Exception):
    """The expression has no JSON value."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Refused)

    def __hash__(self) -> int:
        return 0


def different_cases() -> dict[tuple[str, str], dict[str, Any]]:
    """The cases where we differ on purpose, by context and expression."""
    return {(case["context"], case["expression"]): case for entry in DIFFERENCES for case in entry["cases"]}


DIFFERENT = different_cases()


def as_json(recorded: Any) -> Any:
    """The JSON value of a recorded one: undefined is null, -0 is 0.

    Raises:
        Refused: JSON cannot hold it.
    """
    if isinstance(recorded, list):
        return [as_json(item) for item in recorded]
    if not isinstance(recorded, dict):
        return recorded
    name = recorded.get("$")
    if name in NOT_JSON:
        raise Refused
    if name is not None:
        return {"undefined": None, "-0": 0}[name]
    return {key: as_json(item) for key, item in recorded.items()}


def recorded_outcome(case: dict[str, Any]) -> Any:
    """What jexl made of a case, seen through JSON; :class:`Refused` for an error."""
    try:
        if "beyond" in case:
            return as_json({"$": case["beyond"]})
        return as_json(case["value"]) if "value" in case else Refused()
    except Refused as refused:
        return refused


def our_outcome(case: dict[str, Any]) -> Any:
    """What we make of a case; :class:`Refused` for an error."""
    try:
        return ENGINE.evaluate(case["expression"], INPUT["contexts"][case["context"]])
    except ExpressionError:
        return Refused()


def same(left: Any, right: Any) -> bool:
    """Equality of JSON values; neither true nor 1.0 is 1, for a whole number is always written as one."""
    if isinstance(left, dict) and isinstance(right, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    small = isinstance(left, int) and abs(left) <= 2**53
    return (type(left) is type(right) or not small) and bool(left == right)


def label(case: dict[str, Any]) -> str:
    """A test's name: the group and the expression."""
    return f"{case['group']}: {case['expression']}".encode("unicode_escape").decode()


@pytest.mark.parametrize("case", CASES, ids=label)
def test_each_expression_means_what_it_means_to_jexl(case: dict[str, Any]) -> None:
    """One recorded expression has the recorded outcome, or the one that differs on purpose."""
    different = DIFFERENT.get((case["context"], case["expression"]))
    expected = recorded_outcome(case) if different is None else different.get("value", Refused())
    assert same(expected, our_outcome(case))


@pytest.mark.parametrize("case", [case for case in CASES if case.get("error") == "parse"], ids=label)
def test_what_jexl_cannot_parse_is_refused_before_it_is_evaluated(case: dict[str, Any]) -> None:
    """``validate`` refuses what jexl's parser refuses, and says where."""
    if (case["context"], case["expression"]) in DIFFERENT:
        return
    with pytest.raises(ExpressionError) as caught:
        ENGINE.validate(case["expression"])
    assert caught.value.position is not None
    assert 0 <= caught.value.position <= len(case["expression"])


def test_every_difference_is_one() -> None:
    """Each entry of the list of differences has a reason, is recorded, and does differ."""
    recorded = {(case["context"], case["expression"]): case for case in CASES}
    for entry in DIFFERENCES:
        assert entry["reason"]
        assert entry["cases"], entry["difference"]
    for key, case in DIFFERENT.items():
        assert not same(recorded_outcome(recorded[key]), case.get("value", Refused())), key


def test_the_recording_is_of_the_cases_beside_it() -> None:
    """Nothing was added to cases.json without recording it, and it is the version we speak."""
    pairs = INPUT["pairs"]
    count = len(pairs["operators"]) * len(pairs["operands"]) ** 2
    written = {(group["context"], text) for group in INPUT["groups"] for text in group["expressions"]}
    assert RECORDING["jexl"] == "2.3.0"
    assert len(CASES) - count == sum(len(group["expressions"]) for group in INPUT["groups"])
    assert written <= {(case["context"], case["expression"]) for case in CASES}
