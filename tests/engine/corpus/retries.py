"""Shapes that try again: fixed, growing, random, by error type, after a wait, by an operator."""

from __future__ import annotations

from engine.json_value import JsonValue
from tests.engine.corpus.shape import Retry, Shape, Signal, drawn, node, set_

BY_TYPE: list[JsonValue] = [
    {"maxAttempts": 3, "interval": 10, "retryOn": ["Busy"]},
    {"maxAttempts": 2, "interval": 70, "retryOn": ["Broken"]},
]

RETRIES = (
    Shape(
        name="retry, then success",
        definition=drawn({"try": node("test:patient", {"errors": ["Busy", "Broken"]}), "end": set_(1)}, "try -> end"),
        status="completed",
        executed="try try try end",
        output=1,
        waits_ms=(100, 100),
    ),
    Shape(
        name="retry exhausted",
        definition=drawn({"try": node("test:patient", {"errors": ["Busy"] * 9}), "end": set_(1)}, "try -> end"),
        status="failed",
        executed="try try try",
        error="Busy: attempt 3",
        waits_ms=(100, 100),
    ),
    Shape(
        name="a node's policy goes before its type's",
        definition=drawn({"try": node("test:patient", {"errors": ["Busy"]}, retry={"maxAttempts": 1, "interval": 0})}),
        status="failed",
        executed="try",
        error="Busy: attempt 1",
    ),
    Shape(
        name="retry list, each with its own count",
        definition=drawn(
            {"try": node("test:flaky", {"errors": ["Busy", "Broken", "VeryBusy"]}, retry=BY_TYPE)},
        ),
        status="completed",
        executed="try try try try",
        output={"attempt": 4, "visit": 1},
        waits_ms=(10, 70, 10),
    ),
    Shape(
        name="retry list, one count exhausted",
        definition=drawn(
            {"try": node("test:flaky", {"errors": ["Busy", "Broken", "Broken"]}, retry=BY_TYPE)},
        ),
        status="failed",
        executed="try try try",
        error="Broken: attempt 3",
        waits_ms=(10, 70),
    ),
    Shape(
        name="retry gives up on a type",
        definition=drawn(
            {
                "try": node(
                    "test:flaky",
                    {"errors": ["Busy", "Broken"]},
                    retry={"maxAttempts": 9, "interval": 1, "giveUpOn": ["Broken"]},
                )
            },
        ),
        status="failed",
        executed="try try",
        error="Broken: attempt 2",
        waits_ms=(1,),
    ),
    Shape(
        name="exponential retry under a cap",
        definition=drawn(
            {
                "try": node(
                    "test:flaky",
                    {"errors": ["Busy"] * 4},
                    retry={"maxAttempts": 5, "interval": 10, "backoff": "exponential", "rate": 3, "maxInterval": 100},
                )
            },
        ),
        status="completed",
        executed="try try try try try",
        output={"attempt": 5, "visit": 1},
        waits_ms=(10, 30, 90, 100),
    ),
    Shape(
        name="retry with jitter",
        definition=drawn(
            {
                "try": node(
                    "test:flaky",
                    {"errors": ["Busy"] * 3},
                    retry={"maxAttempts": 4, "interval": 1000, "backoff": "exponential", "jitter": "full"},
                )
            },
        ),
        status="completed",
        executed="try try try try",
        output={"attempt": 4, "visit": 1},
        waits_ms=None,
    ),
    Shape(
        name="retry numbers are expressions",
        definition=drawn(
            {
                "try": node(
                    "test:flaky",
                    {"errors": ["Busy"] * 9},
                    retry={"maxAttempts": "{{ run.input.tries }}", "interval": "{{ run.input.tries * 4 }}"},
                )
            },
        ),
        status="failed",
        executed="try try",
        input={"tries": 2},
        error="Busy: attempt 2",
        waits_ms=(8,),
    ),
    Shape(
        name="retry of a resumed step keeps its payload",
        definition=drawn(
            {"ask": node("test:ask-then-flaky", {"errors": ["Busy"]}, retry={"maxAttempts": 3, "interval": 20})}
        ),
        status="completed",
        executed="ask ask ask",
        events=(Signal({"ok": 1}),),
        output={"attempt": 2, "visit": 1, "payload": {"ok": 1}},
        waits_ms=(20,),
    ),
    Shape(
        name="resumed step whose retries are exhausted",
        definition=drawn(
            {"ask": node("test:ask-then-flaky", {"errors": ["Busy"] * 9}, retry={"maxAttempts": 2, "interval": 20})}
        ),
        status="failed",
        executed="ask ask ask",
        events=(Signal(1),),
        error="Busy: attempt 2",
        waits_ms=(20,),
    ),
    Shape(
        name="wait of a retried step",
        definition=drawn(
            {
                "ask": node(
                    "test:flaky-then-ask",
                    {"errors": ["Busy"]},
                    retry=[{"maxAttempts": 2, "interval": 5, "retryOn": "Busy"}, {"maxAttempts": 2, "interval": 6}],
                )
            }
        ),
        status="completed",
        executed="ask ask ask",
        events=(Signal(1),),
        output={"attempt": 2, "visit": 1},
        waits_ms=(5,),
    ),
    Shape(
        name="a wait keeps the counts of a retry list",
        definition=drawn(
            {
                "ask": node(
                    "test:ask-between",
                    {"errors": ["Broken", "Busy"]},
                    retry=[
                        {"maxAttempts": 2, "interval": 5, "retryOn": ["Busy"]},
                        {"maxAttempts": 2, "interval": 6, "retryOn": ["Broken"]},
                    ],
                )
            }
        ),
        status="completed",
        executed="ask ask ask ask",
        events=(Signal(1),),
        output={"attempt": 3, "visit": 1},
        waits_ms=(6, 5),
    ),
    Shape(
        name="retry of the start keeps its payload",
        definition=drawn(
            {
                "begin": node("test:begin", {"errors": ["Busy"]}, retry={"maxAttempts": 2, "interval": 9}),
                "tell": set_("{{ previous }} once"),
            },
            "begin -> tell",
        ),
        status="completed",
        executed="begin begin tell",
        input="hello",
        output="hello once",
        waits_ms=(9,),
    ),
    Shape(
        name="an operator retries a failed run",
        definition=drawn(
            {
                "begin": set_(1),
                "try": node("test:flaky", {"errors": "{{ (nodes.try.all || [])|length < 1 ? ['Broken'] : [] }}"}),
            },
            "begin -> try",
        ),
        status="completed",
        executed="begin try try",
        events=(Retry(),),
        output={"attempt": 2, "visit": 1},
        waits_ms=(7,),
    ),
    Shape(
        name="input that breaks its schema is not retried",
        definition=drawn({"n": set_({"n": 9}), "low": node("test:limited", {"n": "{{ previous.n }}"})}, "n -> low"),
        status="failed",
        executed="n low",
        output={"n": 9},
        error="InvalidInput",
    ),
    Shape(
        name="output that breaks its schema is not retried",
        definition=drawn({"low": node("test:limited", {"m": 9})}),
        status="failed",
        executed="low",
        error="InvalidOutput",
    ),
)
