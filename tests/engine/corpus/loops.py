"""Shapes that go round: over items, while, repeat, nested, by a node's own handle."""

from __future__ import annotations

from tests.engine.corpus.shape import Shape, drawn, node, set_

OVER_ITEMS = drawn(
    {
        "each": node("core:loop", {"items": "{{ run.input }}"}),
        "body": node("test:remember", {"value": "{{ nodes.each.last.data.item }}"}),
        "end": set_({"count": "{{ previous.count }}", "seen": "{{ nodes.body.last.data.earlier }}"}),
    },
    "each[loop] -> body",
    "body -> each",
    "each[done] -> end",
)

NESTED = drawn(
    {
        "rows": node("core:loop", {"items": ["a", "b"]}),
        "columns": node("core:loop", {"items": [1, 2]}),
        "cell": set_("{{ nodes.rows.last.data.item }}{{ nodes.columns.last.data.item }}"),
        "end": set_("{{ nodes.cell.all[0].data }} to {{ nodes.cell.last.data }}, {{ nodes.cell.all|length }}"),
    },
    "rows[loop] -> columns",
    "columns[loop] -> cell",
    "cell -> columns",
    "columns[done] -> rows",
    "rows[done] -> end",
)

WHILE = drawn(
    {
        "below": node("core:while", {"when": "{{ (nodes.total.output || 0) < run.input }}"}),
        "total": set_("{{ (nodes.total.output || 0) + 2 }}"),
        "end": set_({"rounds": "{{ nodes.below.last.data.count }}", "total": "{{ nodes.total.output }}"}),
    },
    "below[loop] -> total",
    "total -> below",
    "below[done] -> end",
)

REPEAT = drawn(
    {"times": node("core:repeat", {"times": "{{ run.input }}"}), "knock": set_("{{ previous.index }}")},
    "times[loop] -> knock",
    "knock -> times",
)

LOOPS = (
    Shape(
        name="loop over items",
        definition=OVER_ITEMS,
        status="completed",
        executed="each body each body each body each end",
        input=["x", None, {"y": 1}],
        output={"count": 3, "seen": ["x", None]},
    ),
    Shape(
        name="empty loop",
        definition=OVER_ITEMS,
        status="completed",
        executed="each end",
        input=[],
        output={"count": 0, "seen": None},
    ),
    Shape(
        name="nested loops",
        definition=NESTED,
        status="completed",
        executed=" ".join(["rows", *["columns cell columns cell columns rows"] * 2, "end"]),
        output="a1 to b2, 4",
    ),
    Shape(
        name="while",
        definition=WHILE,
        status="completed",
        executed="below total below total below total below end",
        input=5,
        output={"rounds": 3, "total": 6},
    ),
    Shape(
        name="while that never holds",
        definition=WHILE,
        status="completed",
        executed="below end",
        input=0,
        output={"rounds": 0, "total": None},
    ),
    Shape(
        name="repeat",
        definition=REPEAT,
        status="completed",
        executed="times knock times knock times",
        input=2,
        output={"count": 2},
    ),
    Shape(
        name="repeat no times",
        definition=REPEAT,
        status="completed",
        executed="times",
        input=0,
        output={"count": 0},
    ),
    Shape(
        name="self loop by a handle",
        definition=drawn(
            {
                "again": node(
                    "test:choose",
                    {
                        "handle": "{{ (nodes.again.all || [])|length < 3 ? 'more' : 'enough' }}",
                        "value": "{{ (nodes.again.all || [])|length }}",
                    },
                ),
                "end": set_("{{ previous }}"),
            },
            "again[more] -> again",
            "again[enough] -> end",
        ),
        status="completed",
        executed="again again again again end",
        output=3,
    ),
    Shape(
        name="loop whose body fails and is caught",
        definition=drawn(
            {
                "each": node("core:loop", {"items": [[], ["Broken"], []]}),
                "try": node("test:flaky", {"errors": "{{ nodes.each.last.data.item }}"}),
                "note": set_("{{ nodes.try.last.error }}"),
                "end": set_({"tried": "{{ nodes.try.all|length }}", "note": "{{ nodes.note.output }}"}),
            },
            "each[loop] -> try",
            "try -> each",
            "try[error] -> note",
            "note -> each",
            "each[done] -> end",
        ),
        status="completed",
        executed="each try each try note each try each end",
        output={"tried": 3, "note": "Broken: attempt 1"},
    ),
    Shape(
        name="retries are counted afresh in each round",
        definition=drawn(
            {
                "twice": node("core:repeat", {"times": 2}),
                "try": node("test:flaky", {"errors": ["Busy", "Busy"]}, retry={"maxAttempts": 3, "interval": 5}),
            },
            "twice[loop] -> try",
            "try -> twice",
        ),
        status="completed",
        executed="twice try try try twice try try try twice",
        output={"count": 2},
        waits_ms=(5, 5, 5, 5),
    ),
)
