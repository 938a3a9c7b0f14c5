"""Event patterns: the examples of EventBridge's user guide, what that would refuse, and laws over anything."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import Fault
from engine.event_pattern import CHOICES_MAX, PATTERN_CHARACTERS_MAX, EventPattern

_repeatable = settings(derandomize=True, deadline=None)


def _read(document: object) -> EventPattern:
    faults: list[Fault] = []
    pattern = EventPattern(document, "$", faults)
    assert not faults
    return pattern


def _matches(document: object, event: dict[str, Any]) -> bool:
    return _read(document).matches(event)


def _field(wanted: object, value: object) -> bool:
    """Whether a field with that value is one that the list means."""
    return _matches({"detail": {"it": wanted}}, {"detail": {"it": value}})


def _faults(document: object) -> list[str]:
    faults: list[Fault] = []
    EventPattern(document, "$", faults)
    return [fault.path for fault in faults]


INSTANCE = {
    "version": "0",
    "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "account": "111122223333",
    "time": "2017-12-22T18:43:48Z",
    "region": "us-west-1",
    "resources": ["arn:aws:ec2:us-west-1:123456789012:instance/i-1", "arn:aws:other:2"],
    "detail": {
        "state": "terminated",
        "c-count": 5,
        "x-limit": 301.8,
        "source-ip": "10.0.0.33",
        "owner": None,
        "name": "",
    },
}


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": ["aws.ec2"]},
        {"source": ["aws.fargate", "aws.ec2"], "detail": {"state": ["terminated"]}},
        {"time": [{"prefix": "2017-12-22"}]},
        {"resources": ["arn:aws:none", "arn:aws:other:2"]},
        {"resources": [{"suffix": "instance/i-1"}]},
        {"detail": {"x-limit": [{"numeric": ["=", 3.018e2]}], "c-count": [{"numeric": [">", 0, "<=", 5]}]}},
        {"detail": {"source-ip": [{"cidr": "10.0.0.0/24"}]}},
        {"detail": {"owner": [None], "name": [""]}},
        {"detail": {"owner": [{"exists": True}], "gone": [{"exists": False}]}},
        {"detail": {"state": [{"anything-but": ["stopped", "overloaded"]}]}},
        {"source": ["aws.ec2"], "$or": [{"region": ["eu-west-1"]}, {"account": ["111122223333"]}]},
        {"detail": {"$or": [{"c-count": [{"numeric": [">", 9]}]}, {"state": ["terminated"], "x-limit": [301.8]}]}},
        {"$or": [{"source": ["no"]}, {"source": ["aws.ec2"], "$or": [{"id": ["no"]}, {"version": ["0"]}]}]},
    ],
    ids=str,
)
def test_an_event_matches_when_every_field_does(pattern: object) -> None:
    """Fields are and, the values of a list are or; what the pattern does not name does not count."""
    assert _matches(pattern, INSTANCE)


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": ["aws"]},
        {"Source": ["aws.ec2"]},
        {"source": ["aws.ec2"], "detail": {"state": ["running"]}},
        {"detail": {"owner": [""], "name": [None]}},
        {"detail": {"state": [{"exists": False}]}},
        {"detail": {"gone": [{"exists": True}]}},
        {"detail": {"gone": [{"anything-but": "x"}]}},
        {"detail": [{"exists": True}]},
        {"source": {"deeper": ["aws.ec2"]}},
        {"source": ["aws.ec2"], "$or": [{"region": ["eu-west-1"]}, {"account": ["9"]}]},
        {"$or": [{"source": ["aws.ec2"]}, {"id": ["x"]}], "detail": {"$or": [{"state": ["a"]}, {"c-count": [6]}]}},
    ],
    ids=str,
)
def test_one_field_that_does_not_match_is_enough(pattern: object) -> None:
    """Case, type and place count, and an object is no leaf."""
    assert not _matches(pattern, INSTANCE)


@pytest.mark.parametrize(
    ("matcher", "well", "ill"),
    [
        ({"prefix": "init"}, ["init", "initial"], ["Init", "in", 5, None]),
        ({"prefix": {"equals-ignore-case": "EventB"}}, ["eventbridge", "EVENTB"], ["event", 1]),
        ({"suffix": ".png"}, ["a.png", ".png"], ["a.PNG", "png.", 5]),
        ({"suffix": {"equals-ignore-case": ".png"}}, ["a.PnG"], ["a.jpg", True]),
        ({"equals-ignore-case": "alice"}, ["ALICE", "alice"], ["alic", "alicee", None]),
        ({"wildcard": "dir/*.png"}, ["dir/a.png", "dir/x/y.png", "dir/.png"], ["dir/a.pngx", "dir.png", 3]),
        ({"wildcard": "*/lib/*"}, ["a/lib/b", "/lib/"], ["lib", "/lib"]),
        ({"wildcard": "a*a"}, ["aa", "aba"], ["a", "ab"]),
        ({"wildcard": "*"}, ["", "x"], [0]),
        ({"wildcard": "exact"}, ["exact"], ["exactly"]),
        ({"wildcard": r"2\*3\\*"}, [r"2*3\6"], ["2x3", r"2*3"]),
        ({"anything-but": "initializing"}, ["running", "", 5, None, True], ["initializing"]),
        ({"anything-but": 123}, [124, "123", True], [123, 123.0]),
        ({"anything-but": [100, 200]}, [300], [100, 200]),
        ({"anything-but": {"prefix": "us-"}}, ["eu-west-1", 7], ["us-east-1"]),
        ({"anything-but": {"prefix": ["us-", "eu-"]}}, ["ap-east-1"], ["us-east-1", "eu-west-1"]),
        ({"anything-but": {"suffix": ".png"}}, ["a.jpg"], ["a.png"]),
        ({"anything-but": {"equals-ignore-case": ["a", "B"]}}, ["c"], ["A", "b"]),
        ({"anything-but": {"wildcard": "*/lib/*"}}, ["/bin/x"], ["/usr/lib/x"]),
        ({"numeric": ["<", 10]}, [9.99, -5], [10, "9", True, None]),
        ({"numeric": [">=", 10, "<", 20]}, [10, 19.5], [20, 9]),
        ({"cidr": "10.0.0.0/24"}, ["10.0.0.0", "10.0.0.255"], ["10.0.1.0", "x", 10, "::a00:1"]),
        ({"cidr": "2001:db8::/32"}, ["2001:db8::1"], ["2001:db9::1", "10.0.0.1"]),
        ({"cidr": "10.0.0.8/24"}, ["10.0.0.8", "10.0.0.9"], ["10.0.0.7"]),
        ({"exists": True}, ["", None, 0, False], [[], {}, {"a": 1}]),
        ({"exists": False}, [[], {}, {"a": 1}], ["", None]),
    ],
    ids=str,
)
def test_a_matcher_takes_what_it_says_and_nothing_else(matcher: object, well: list[object], ill: list[object]) -> None:
    """Each alone in its list, on values of every kind."""
    assert [value for value in well if not _field([matcher], value)] == []
    assert [value for value in ill if _field([matcher], value)] == []


@pytest.mark.parametrize(
    ("wanted", "value", "same"),
    [
        (1, True, False),
        (True, 1, False),
        (0, False, False),
        (300, 300.0, True),
        ("300", 300, False),
        (None, "null", False),
    ],
)
def test_values_are_json_s(wanted: object, value: object, same: bool) -> None:
    """True is no number, a text of digits is none either, and 300 is 3.0e2."""
    assert _field([wanted], value) is same


def test_a_list_of_the_event_stands_for_its_elements() -> None:
    """However deep; of another matcher in the same list any may match."""
    assert _field(["b"], [["a"], ["b", []]])
    assert not _field(["b"], [["a"], []])
    assert _field([{"anything-but": "a"}], ["a", "b"])
    assert _field(["x", {"numeric": [">", 3]}, {"exists": False}], [1, 4])
    assert _field(["x", {"exists": False}], [])


EMPLOYEES = {
    "employees": [
        [{"first": "John", "last": "Doe"}, {"first": "Anna", "last": "Smith"}],
        [{"first": "Peter", "last": "Jones", "office": {"floor": 3}}],
    ]
}


def test_fields_within_a_list_hold_for_one_element() -> None:
    """Event Ruler's own example: there is an Anna and a Jones, but no Anna Jones."""
    assert _matches({"employees": {"first": ["Anna"]}}, EMPLOYEES)
    assert _matches({"employees": {"first": ["Anna"], "last": ["Smith"]}}, EMPLOYEES)
    assert not _matches({"employees": {"first": ["Anna"], "last": ["Jones"]}}, EMPLOYEES)
    assert _matches({"employees": {"$or": [{"first": ["Eve"]}, {"last": ["Jones"]}], "first": ["Peter"]}}, EMPLOYEES)


def test_a_field_is_absent_when_no_element_has_it() -> None:
    """The whole of the list counts, and what is absent has no fields either."""
    assert not _matches({"employees": {"office": {"floor": [{"exists": False}]}}}, EMPLOYEES)
    assert _matches({"employees": {"office": {"room": [{"exists": False}]}}}, EMPLOYEES)
    assert _matches({"gone": {"far": {"below": [{"exists": False}]}}}, EMPLOYEES)
    assert not _matches({"gone": {"far": {"below": [{"exists": False}], "x": [1]}}}, EMPLOYEES)
    assert _matches({"detail": {"$or": [{"a": [{"exists": False}]}, {"b": [1]}]}}, {"detail": "a text"})


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({}, "$"),
        ([], "$"),
        ("aws.s3", "$"),
        ({"detail": {}}, "$.detail"),
        ({"source": "aws.s3"}, "$.source"),
        ({"source": []}, "$.source"),
        ({"source": [["aws.s3"]]}, "$.source[0]"),
        ({"source": ["ok", {"prefix": "a", "suffix": "b"}]}, "$.source[1]"),
        ({"source": [{}]}, "$.source[0]"),
        ({"source": [{"regex": ".*"}]}, "$.source[0]"),
        ({"source": [{"prefix": 5}]}, "$.source[0].prefix"),
        ({"source": [{"prefix": {"wildcard": "a"}}]}, "$.source[0].prefix"),
        ({"source": [{"suffix": {"equals-ignore-case": 1}}]}, "$.source[0].suffix.equals-ignore-case"),
        ({"source": [{"equals-ignore-case": None}]}, "$.source[0].equals-ignore-case"),
        ({"source": [{"wildcard": "a**b"}]}, "$.source[0].wildcard"),
        ({"source": [{"wildcard": "a\\b"}]}, "$.source[0].wildcard"),
        ({"source": [{"wildcard": "a\\"}]}, "$.source[0].wildcard"),
        ({"source": [{"wildcard": 7}]}, "$.source[0].wildcard"),
        ({"source": [{"exists": "yes"}]}, "$.source[0].exists"),
        ({"source": [{"cidr": "10.0.0.0"}]}, "$.source[0].cidr"),
        ({"source": [{"cidr": "10.0.0.0/33"}]}, "$.source[0].cidr"),
        ({"source": [{"cidr": "10.0.0.1/32"}]}, "$.source[0].cidr"),
        ({"source": [{"cidr": 10}]}, "$.source[0].cidr"),
        ({"source": [{"numeric": 5}]}, "$.source[0].numeric"),
        ({"source": [{"numeric": []}]}, "$.source[0].numeric"),
        ({"source": [{"numeric": [">"]}]}, "$.source[0].numeric"),
        ({"source": [{"numeric": ["!=", 5]}]}, "$.source[0].numeric"),
        ({"source": [{"numeric": [["="], 5]}]}, "$.source[0].numeric"),
        ({"source": [{"numeric": [">", "5"]}]}, "$.source[0].numeric"),
        ({"source": [{"numeric": [">", True]}]}, "$.source[0].numeric"),
        ({"source": [{"numeric": ["<", 5, ">", 1]}]}, "$.source[0].numeric"),
        ({"source": [{"numeric": ["=", 5, "<", 9]}]}, "$.source[0].numeric"),
        ({"source": [{"numeric": [">", 5, "<", 5]}]}, "$.source[0].numeric"),
        ({"source": [{"numeric": [">", 1, "<", 2, "<", 3]}]}, "$.source[0].numeric"),
        ({"source": [{"numeric": ["<", 5_000_000_001]}]}, "$.source[0].numeric"),
        ({"source": [{"anything-but": []}]}, "$.source[0].anything-but"),
        ({"source": [{"anything-but": ["a", 1]}]}, "$.source[0].anything-but"),
        ({"source": [{"anything-but": None}]}, "$.source[0].anything-but"),
        ({"source": [{"anything-but": 6e9}]}, "$.source[0].anything-but"),
        ({"source": [{"anything-but": {"numeric": ["=", 1]}}]}, "$.source[0].anything-but"),
        ({"source": [{"anything-but": {"prefix": ""}}]}, "$.source[0].anything-but.prefix"),
        ({"source": [{"anything-but": {"suffix": [1]}}]}, "$.source[0].anything-but.suffix"),
        ({"source": [{"anything-but": {"wildcard": "**"}}]}, "$.source[0].anything-but.wildcard"),
        ({"$or": {"source": ["a"]}}, "$.$or"),
        ({"$or": [{"source": ["a"]}]}, "$.$or"),
        ({"$or": [{"source": ["a"]}, {}]}, "$.$or[1]"),
        ({"$or": [{"source": ["a"]}, "b"]}, "$.$or[1]"),
        ({"$or": [{"source": ["a"]}, {"prefix": ["b"]}]}, "$.$or[1].prefix"),
        ({"detail": {"$or": [{"a": [1]}, {"b": {"numeric": [2]}}]}}, "$.detail.$or[1].b.numeric"),
    ],
    ids=str,
)
def test_what_eventbridge_would_refuse_is_refused_by_its_place(document: object, path: str) -> None:
    """When the route is made, not when the stack is deployed."""
    assert _faults(document) == [path]


def test_all_faults_are_found_at_once() -> None:
    """Each at its place, the good fields between them notwithstanding."""
    document = {"source": "a", "detail": {"ok": [1], "k": [{"exists": 1}, {"prefix": 2}]}, "$or": []}
    assert _faults(document) == ["$.source", "$.detail.k[0].exists", "$.detail.k[1].prefix", "$.$or"]


def test_a_pattern_has_limits() -> None:
    """In its length, and in the patterns that its choices stand for."""
    assert _faults({"source": ["x" * PATTERN_CHARACTERS_MAX]}) == ["$"]
    ten: Any = [{"a": [number]} for number in range(10)]
    nested = {"$or": ten, "detail": {"$or": ten, "b": {"$or": ten}}}
    assert CHOICES_MAX == 1000
    assert _faults(nested) == []
    assert _faults({**nested, "$or": [*ten, {"a": [10]}]}) == ["$"]


@_repeatable
@given(st.text("ab*", max_size=12), st.text("ab", max_size=14))
def test_a_wildcard_is_what_a_regular_expression_would_be(pattern: str, text: str) -> None:
    """On all that one can write; the expression may take exponential time for it, this may not."""
    pattern = re.sub(r"\*+", "*", pattern)
    expected = re.fullmatch(pattern.replace("*", ".*"), text) is not None
    assert _field([{"wildcard": pattern}], text) is expected


def test_no_wildcard_takes_long() -> None:
    """The classic that makes a backtracking matcher run for years."""
    began = time.process_time()
    assert not _field([{"wildcard": "a*" * 500 + "b"}], "a" * 200_000)
    assert time.process_time() - began < 2


_LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab", max_size=2)
_EVENTS = st.dictionaries(
    st.sampled_from("xyz"),
    st.recursive(
        _LEAVES,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
        max_leaves=8,
    ),
)
_LISTS = st.lists(
    _LEAVES | st.sampled_from([{"exists": True}, {"exists": False}, {"prefix": "a"}, {"anything-but": "a"}]),
    min_size=1,
    max_size=3,
)
_PATTERNS = st.recursive(
    st.dictionaries(st.sampled_from("xyz"), _LISTS, min_size=1, max_size=2),
    lambda inner: (
        st.dictionaries(st.sampled_from("xyz"), _LISTS | inner, min_size=1, max_size=2)
        | st.lists(inner, min_size=2, max_size=3).map(lambda options: {"$or": options})
    ),
    max_leaves=6,
)


@_repeatable
@given(_PATTERNS, _EVENTS)
def test_a_choice_is_either(pattern: dict[str, Any], event: dict[str, Any]) -> None:
    """``$or`` matches exactly when one of its options alone would."""
    other = {"x": ["a", {"exists": False}]}
    either = _matches({"$or": [pattern, other]}, event)
    assert either is (_matches(pattern, event) or _matches(other, event))


@_repeatable
@given(_PATTERNS, _EVENTS)
def test_a_list_of_one_is_its_element(pattern: dict[str, Any], event: dict[str, Any]) -> None:
    """Wherever it stands: lists are seen through."""

    def wrapped(value: Any) -> Any:
        return [{name: wrapped(item) for name, item in value.items()}] if isinstance(value, dict) else [value]

    listed = {name: wrapped(value) for name, value in event.items()}
    assert _matches(pattern, listed) is _matches(pattern, event)


@_repeatable
@given(_LISTS, _EVENTS)
def test_exists_is_one_or_the_other(wanted: list[object], event: dict[str, Any]) -> None:
    """A field is there or it is not, and what matches a value is there."""
    there, gone = ({"x": [{"exists": exists}]} for exists in (True, False))
    assert _matches(there, event) is not _matches(gone, event)
    if {"exists": False} not in wanted and _matches({"x": wanted}, event):
        assert _matches(there, event)


@_repeatable
@given(_PATTERNS, _EVENTS)
def test_fields_that_are_not_named_do_not_count(pattern: dict[str, Any], event: dict[str, Any]) -> None:
    """More in the event changes nothing; nor does a way through JSON."""
    more = json.loads(json.dumps({**event, "w": [{"x": "a"}]}))
    assert _matches(pattern, more) is _matches(pattern, event)


def test_many_elements_take_no_long_time() -> None:
    """Time grows with the event, not with the pairs of its elements: 60,000 objects in three lists."""
    event = {"detail": {name: [{"a": n, "b": -n} for n in range(20_000)] for name in "xyz"}}
    never = {"detail": {name: {"a": [{"numeric": [">", 0]}], "b": [{"exists": False}, 1]} for name in "xyz"}}
    began = time.process_time()
    assert not _matches(never, event)
    assert time.process_time() - began < 4
