"""Shapes that fail: on purpose, caught by type, in order, in the handler."""

from __future__ import annotations

from engine.json_value import JsonObject
from tests.engine.corpus.shape import Shape, drawn, node, set_


def _caught(error: str, *edges: str) -> JsonObject:
    return drawn(
        {
            "try": node("test:flaky", {"errors": [error]}),
            "busy": set_("busy"),
            "broken": set_("broken"),
            "any": set_("any"),
            "on": set_("on"),
        },
        "try -> on",
        *edges,
    )


FAILURES = (
    Shape(
        name="fail node",
        definition=drawn(
            {"a": set_({"id": 3}), "stop": node("core:fail", {"error": "NotFound", "message": "no {{ previous.id }}"})},
            "a -> stop",
        ),
        status="failed",
        executed="a stop",
        output={"id": 3},
        error="NotFound: no 3",
    ),
    Shape(
        name="fail node, caught by its own type",
        definition=drawn(
            {
                "stop": node("core:fail", {"error": "NotFound", "message": "gone"}),
                "other": set_("other"),
                "found": set_("{{ nodes.stop.last.error }}"),
            },
            "stop[error:Missing] -> other",
            "stop[error:NotFound] -> found",
        ),
        status="completed",
        executed="stop found",
        output="NotFound: gone",
    ),
    Shape(
        name="catch by type",
        definition=_caught("Broken", "try[error:Busy] -> busy", "try[error:Broken] -> broken"),
        status="completed",
        executed="try broken",
        output="broken",
    ),
    Shape(
        name="catch by a base type",
        definition=_caught("VeryBusy", "try[error:Broken] -> broken", "try[error:Busy] -> busy"),
        status="completed",
        executed="try busy",
        output="busy",
    ),
    Shape(
        name="catch any",
        definition=_caught("Broken", "try[error:Busy] -> busy", "try[error] -> any"),
        status="completed",
        executed="try any",
        output="any",
    ),
    Shape(
        name="catch by Exception",
        definition=_caught("Broken", "try[error:Exception] -> any"),
        status="completed",
        executed="try any",
        output="any",
    ),
    Shape(
        name="the first catch edge that matches is taken",
        definition=_caught("VeryBusy", "try[error] -> any", "try[error:VeryBusy] -> busy"),
        status="completed",
        executed="try any",
        output="any",
    ),
    Shape(
        name="catch edges of other types do not matter",
        definition=_caught("Broken", "try[error:Busy] -> busy"),
        status="failed",
        executed="try",
        error="Broken: attempt 1",
    ),
    Shape(
        name="no failure, no catch",
        definition=drawn(
            {"try": node("test:flaky", {"errors": []}), "any": set_("any"), "on": set_("on")},
            "try -> on",
            "try[error] -> any",
        ),
        status="completed",
        executed="try on",
        output="on",
    ),
    Shape(
        name="caught once retries are exhausted",
        definition=drawn(
            {
                "a": set_("before"),
                "try": node("test:patient", {"errors": ["Busy"] * 9}),
                "any": set_("{{ nodes.try.last.error }} after {{ previous }}"),
            },
            "a -> try",
            "try[error] -> any",
        ),
        status="completed",
        executed="a try try try any",
        output="Busy: attempt 3 after before",
        waits_ms=(100, 100),
    ),
    Shape(
        name="handler that fails too",
        definition=drawn(
            {
                "try": node("test:flaky", {"errors": ["Busy"]}),
                "again": node("test:flaky", {"errors": ["Broken"]}),
                "end": set_("handled"),
            },
            "try[error] -> again",
            "again[error:Broken] -> end",
        ),
        status="completed",
        executed="try again end",
        output="handled",
    ),
    Shape(
        name="a node that catches itself",
        definition=drawn(
            {
                "try": node("test:flaky", {"errors": "{{ (nodes.try.all || [])|length < 2 ? ['Busy'] : [] }}"}),
            },
            "try[error:Busy] -> try",
        ),
        status="completed",
        executed="try try try",
        output={"attempt": 1, "visit": 3},
    ),
    Shape(
        name="expression that cannot be evaluated is not retried",
        definition=drawn(
            {
                "try": node("core:set", "{{ 1 / run.input }}", retry={"maxAttempts": 5, "interval": 1}),
                "bad": set_("caught"),
            },
            "try[error:ExpressionError] -> bad",
        ),
        status="completed",
        executed="try bad",
        input=0,
        output="caught",
    ),
    Shape(
        name="type that only the dispatcher executes",
        definition=drawn({"call": node("core:http", {"method": "GET", "url": "https://example.com"})}),
        status="failed",
        executed="call",
        error="NeedsHost",
    ),
)
