"""Shapes with a choice: if, switch, handles that a node chooses, joins behind them."""

from __future__ import annotations

from engine.json_value import JsonValue
from tests.engine.corpus.shape import Shape, drawn, node, set_

DIAMOND = drawn(
    {
        "ask": set_({"cents": "{{ run.input.cents }}"}),
        "big": node("core:if", {"when": "{{ nodes.ask.last.data.cents > 1000 }}"}),
        "review": set_("reviewed"),
        "skip": set_("skipped"),
        "end": set_({"way": "{{ previous }}", "reviews": "{{ (nodes.review.all || [])|length }}"}),
    },
    "ask -> big",
    "big[true] -> review",
    "big[false] -> skip",
    "review -> end",
    "skip -> end",
)

SWITCH = drawn(
    {
        "kind": node("core:switch", {"value": "{{ run.input }}", "cases": ["tea", 2, True, None]}),
        "tea": set_("leaves"),
        "two": set_("pair"),
        "yes": set_("agreed"),
        "none": set_("nothing"),
        "other": set_("else: {{ previous }}"),
    },
    "kind[tea] -> tea",
    "kind[2] -> two",
    "kind[true] -> yes",
    "kind[null] -> none",
    "kind[default] -> other",
)


def _switched(value: JsonValue, taken: str, output: str) -> Shape:
    return Shape(
        name=f"switch on {value!r}",
        definition=SWITCH,
        status="completed",
        executed=f"kind {taken}",
        input=value,
        output=output,
    )


BRANCHES = (
    Shape(
        name="diamond, true",
        definition=DIAMOND,
        status="completed",
        executed="ask big review end",
        input={"cents": 5000},
        output={"way": "reviewed", "reviews": 1},
    ),
    Shape(
        name="diamond, false",
        definition=DIAMOND,
        status="completed",
        executed="ask big skip end",
        input={"cents": 5},
        output={"way": "skipped", "reviews": 0},
    ),
    _switched("tea", "tea", "leaves"),
    _switched(2, "two", "pair"),
    _switched(True, "yes", "agreed"),
    _switched(None, "none", "nothing"),
    _switched(1, "other", "else: 1"),
    Shape(
        name="switch without a default edge ends the run",
        definition=drawn({"kind": node("core:switch", {"value": "x", "cases": ["a"]}), "a": set_("a")}, "kind[a] -> a"),
        status="completed",
        executed="kind",
        output="x",
    ),
    Shape(
        name="unmatched handle fails the step",
        definition=drawn(
            {"pick": node("test:choose", {"handle": "rihgt", "value": 1}), "right": set_("right")},
            "pick[right] -> right",
        ),
        status="failed",
        executed="pick",
        error="UnmatchedHandle: 'pick' chose handle 'rihgt', which has no edge; edges leave by: 'right'",
    ),
    Shape(
        name="unmatched handle is caught",
        definition=drawn(
            {
                "pick": node("test:choose", {"handle": "nowhere"}, retry={"maxAttempts": 5, "interval": 1}),
                "lost": set_("lost"),
            },
            "pick[error:UnmatchedHandle] -> lost",
        ),
        status="completed",
        executed="pick lost",
        output="lost",
    ),
    Shape(
        name="declared handle left open ends the run",
        definition=drawn(
            {"pick": node("test:ports", {"handle": "right", "value": 9}), "left": set_("left")},
            "pick[left] -> left",
        ),
        status="completed",
        executed="pick",
        output=9,
    ),
    Shape(
        name="previous reads across a join",
        definition=drawn(
            {
                "start": set_(1),
                "pick": node("test:choose", {"handle": "{{ run.input }}", "value": "{{ previous + 1 }}"}),
                "up": set_("{{ previous * 10 }}"),
                "join": set_({"came": "{{ previous }}"}),
                "end": set_("{{ previous.came + 1 }}"),
            },
            "start -> pick",
            "pick[up] -> up",
            "pick[on] -> join",
            "up -> join",
            "join -> end",
        ),
        status="completed",
        executed="start pick join end",
        input="on",
        output=3,
    ),
)
