"""Shapes that wait: for a signal, with a timeout, twice, asleep, in a loop, for ever."""

from __future__ import annotations

from engine.json_value import JsonObject
from tests.engine.corpus.shape import START_MS, Cancel, Elapsed, Lifted, Shape, Signal, drawn, node, set_

APPROVAL = drawn(
    {
        "wait": node("core:wait", {"signal": "decision", "timeoutMs": 60_000}),
        "ok": node("core:if", {"when": "{{ nodes.wait.last.data.ok }}"}),
        "publish": set_("published"),
        "reject": set_("rejected"),
        "late": set_("nobody answered"),
    },
    "wait -> ok",
    "wait[timeout] -> late",
    "ok[true] -> publish",
    "ok[false] -> reject",
)

SCHEMA: JsonObject = {"type": "object", "required": ["ok"], "properties": {"ok": {"type": "boolean"}}}

WAITS = (
    Shape(
        name="wait and resume",
        definition=APPROVAL,
        status="completed",
        executed="wait wait ok publish",
        events=(Signal({"ok": True}),),
        output="published",
    ),
    Shape(
        name="wait, timeout handled",
        definition=APPROVAL,
        status="completed",
        executed="wait wait late",
        events=(Elapsed(),),
        output="nobody answered",
    ),
    Shape(
        name="wait, timeout left open",
        definition=drawn({"wait": node("core:wait", {"timeoutMs": 0}), "next": set_("next")}, "wait -> next"),
        status="completed",
        executed="wait wait",
        events=(Elapsed(),),
        output=None,
    ),
    Shape(
        name="wait ended by an operator",
        definition=APPROVAL,
        status="completed",
        executed="wait wait ok reject",
        events=(Lifted({"ok": False}),),
        output="rejected",
    ),
    Shape(
        name="wait that nobody ends",
        definition=APPROVAL,
        status="paused",
        executed="wait",
    ),
    Shape(
        name="cancelled while it waits",
        definition=APPROVAL,
        status="cancelled",
        executed="wait",
        events=(Cancel(),),
    ),
    Shape(
        name="payload that fits the schema",
        definition=drawn({"wait": node("core:wait", {"schema": SCHEMA})}),
        status="completed",
        executed="wait wait",
        events=(Signal({"ok": False, "by": "ann"}),),
        output={"ok": False, "by": "ann"},
    ),
    Shape(
        name="payload that breaks the schema, caught",
        definition=drawn(
            {"wait": node("core:wait", {"schema": SCHEMA}), "bad": set_("{{ nodes.wait.last.error }}")},
            "wait[error:InvalidInput] -> bad",
        ),
        status="completed",
        executed="wait wait bad",
        events=(Signal({"ok": "yes"}),),
        output="InvalidInput: the payload breaks the wait's schema: "
        "$.ok: the value is not of type 'boolean' (rule: type)",
    ),
    Shape(
        name="two waits",
        definition=drawn(
            {
                "one": node("core:wait", {"signal": "one"}),
                "two": node("core:wait", {"signal": "two"}),
                "end": set_(["{{ nodes.one.output }}", "{{ nodes.two.output }}"]),
            },
            "one -> two",
            "two -> end",
        ),
        status="completed",
        executed="one one two two end",
        events=(Signal(1), Signal(2)),
        output=[1, 2],
    ),
    Shape(
        name="node that pauses twice",
        definition=drawn({"ask": node("test:ask-twice"), "end": set_({"got": "{{ previous }}"})}, "ask -> end"),
        status="completed",
        executed="ask ask ask end",
        events=(Signal("a"), Signal("b")),
        output={"got": ["a", "b"]},
    ),
    Shape(
        name="signal before the timer",
        definition=drawn({"ask": node("test:ask", {"signal": "go", "until": START_MS + 5000})}),
        status="completed",
        executed="ask ask",
        events=(Signal("early", after_ms=10),),
        output={"by": "signal", "signal": "go", "payload": "early"},
    ),
    Shape(
        name="timer before the timeout",
        definition=drawn({"ask": node("test:ask", {"until": START_MS + 5000, "timeout": 9000})}),
        status="completed",
        executed="ask ask",
        events=(Elapsed(),),
        output={"by": "timer", "signal": None, "payload": None},
    ),
    Shape(
        name="timeout before the timer",
        definition=drawn({"ask": node("test:ask", {"until": START_MS + 5000, "timeout": 900})}),
        status="completed",
        executed="ask ask",
        events=(Elapsed(),),
        output={"by": "timeout", "signal": None, "payload": None},
    ),
    Shape(
        name="sleep for a time",
        definition=drawn({"nap": node("core:sleep", {"ms": 90_000_000})}),
        status="completed",
        executed="nap nap",
        events=(Elapsed(),),
        output={"until": START_MS + 90_000_000},
    ),
    Shape(
        name="sleep until a moment of the past",
        definition=drawn({"nap": node("core:sleep", {"until": 1}), "end": set_("awake")}, "nap -> end"),
        status="completed",
        executed="nap nap end",
        events=(Elapsed(),),
        output="awake",
    ),
    Shape(
        name="wait in a loop",
        definition=drawn(
            {
                "times": node("core:repeat", {"times": 2}),
                "wait": node("core:wait", {"signal": "tick"}),
                "end": set_(["{{ nodes.wait.all[0].data }}", "{{ nodes.wait.all[1].data }}"]),
            },
            "times[loop] -> wait",
            "wait -> times",
            "times[done] -> end",
        ),
        status="completed",
        executed="times wait wait times wait wait times end",
        events=(Signal("x"), Signal("y")),
        output=["x", "y"],
    ),
)
