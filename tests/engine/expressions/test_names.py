"""Names that are read when asked for, and what happens when they cannot be."""

from __future__ import annotations

from collections import UserDict, UserList, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Any

import pytest

from engine.errors import ExpressionError
from engine.expressions import JexlTransformEngine

ENGINE = JexlTransformEngine()


class Unreachable(Exception):
    """A host's storage cannot be read."""


class Lazy(Mapping[str, object]):
    """A mapping that notes what is read and fails where it is told to."""

    def __init__(self, values: dict[str, object]) -> None:
        self.values_by_key = values
        self.read: list[str] = []

    def __getitem__(self, key: str) -> object:
        self.read.append(key)
        value = self.values_by_key[key]
        if isinstance(value, Exception):
            raise value
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_key)

    def __len__(self) -> int:
        return len(self.values_by_key)


class LazyList(Sequence[object]):
    """A sequence that is not a list."""

    def __init__(self, *items: object) -> None:
        self._items = items

    def __getitem__(self, index: Any) -> Any:
        item = self._items[index]
        if isinstance(item, Exception):
            raise item
        return item

    def __len__(self) -> int:
        return len(self._items)


class Colour(StrEnum):
    """Text that is more than text."""

    RED = "red"


class Size(IntEnum):
    """A number that is more than a number."""

    LARGE = 3


def test_only_what_is_asked_for_is_read() -> None:
    """A path reads its own keys, once each, and nothing else."""
    node, names = Lazy({"data": {"v": 21}, "other": Unreachable()}), Lazy({"other": Unreachable()})
    names.values_by_key["node"] = node
    assert ENGINE.evaluate("node.data.v * 2", names) == 42
    assert (names.read, node.read) == (["node"], ["data"])


def test_a_branch_not_taken_is_not_read() -> None:
    """``&&``, ``||`` and both ternaries evaluate what they need."""
    names = Lazy({"yes": True, "no": False, "bad": Unreachable()})
    for expression in ("yes || bad", "no && bad", "yes ? 1 : bad", "no ? bad : 1", "yes ?: bad"):
        ENGINE.evaluate(expression, names)
    assert "bad" not in names.read


@pytest.mark.parametrize(
    "expression",
    [
        "bad",
        "bad.x",
        "bad + 1",
        "bad|default(1)",
        "object",
        "object.bad",
        "object['bad']",
        "object|json",
        "object|values",
        "object|custom",
        "list[1]",
        "list",
        "list + ''",
        "list[.x]",
        "1 in list",
        "[object]",
    ],
)
def test_a_failure_of_the_host_passes_unchanged(expression: str) -> None:
    """An exception of the host's own mapping or sequence is not an error of the expression."""
    failure = Unreachable("table")
    names = Lazy({"bad": failure, "object": Lazy({"bad": failure}), "list": LazyList({"a": 2}, failure)})
    engine = JexlTransformEngine(transforms={"custom": lambda value: value})
    with pytest.raises(Unreachable) as caught:
        engine.evaluate(expression, names)
    assert caught.value is failure


@pytest.mark.parametrize("failure", [KeyError("x"), IndexError("x")])
def test_a_key_error_means_missing(failure: Exception) -> None:
    """What a lazy value does not have is undefined."""
    lazy = Lazy({"x": failure}) if isinstance(failure, KeyError) else LazyList(failure)
    assert ENGINE.evaluate("lazy['x'] == missing && lazy[0] == missing", {"lazy": lazy}) is True


def test_lazy_values_leave_as_plain_json() -> None:
    """Mappings become dicts and sequences lists, all the way down."""
    names = {
        "all": LazyList(Lazy({"data": (1, LazyList("x"))}), MappingProxyType({"a": UserList([UserDict({"b": 1})])}))
    }
    result = ENGINE.evaluate("all", names)
    assert result == [{"data": [1, ["x"]]}, {"a": [{"b": 1}]}]
    assert type(result) is list
    assert [type(item) for item in result] == [dict, dict]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("all[1].data", 2),
        ("all.data", 1),
        ("all['length']", 3),
        ("all[-1]", None),
        ("all[3]", None),
        ("all[.data > 1].data", 2),
        ("all|map('data')|sum", 6),
        ("all|last", {"data": 3}),
        ("all|slice(1)|length", 2),
        ("all|reverse|first", {"data": 3}),
        ("2 in (all|map('data'))", True),
        ("all[0] + ''", "[object Object]"),
        ("all[0]|keys", ["data"]),
        ("all[0]|merge({x: 1})", {"data": 1, "x": 1}),
        ("all ? 1 : 2", 1),
    ],
)
def test_a_lazy_value_behaves_as_a_plain_one(expression: str, value: object) -> None:
    """Paths, filters, operators and transforms make no difference between the two."""
    rows: list[dict[str, object]] = [{"data": 1}, {"data": 2}, {"data": 3}]
    assert ENGINE.evaluate(expression, {"all": rows}) == value
    assert ENGINE.evaluate(expression, {"all": LazyList(*map(Lazy, rows))}) == value


def test_looking_does_not_change_a_mapping() -> None:
    """A defaultdict is asked for what it has, not made to grow."""
    names: defaultdict[str, list[object]] = defaultdict(list)
    assert ENGINE.evaluate("a.b", {"x": names, "a": names}) is None
    assert not names


def test_kinds_of_text_and_number_leave_plain() -> None:
    """Enums and other subclasses become what JSON has."""
    result = ENGINE.evaluate("[c, s, c + s, s * 2]", {"c": Colour.RED, "s": Size.LARGE})
    assert result == ["red", 3, "red3", 6]
    assert [type(item) for item in result] == [str, int, str, int]


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object(), {1: 2}, float("nan"), float("inf"), 1 << 5_000])
def test_a_name_that_is_not_json_cannot_leave(value: object) -> None:
    """It is an error at the boundary, alone or inside, and not before."""
    for expression in ("v", "[v]", "{a: v}"):
        with pytest.raises(ExpressionError):
            ENGINE.evaluate(expression, {"v": value})
    assert ENGINE.evaluate("v.x == missing", {"v": value}) is True
