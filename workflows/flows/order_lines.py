"""order-lines: a loop over the lines of a CSV, and a way round those that cannot be delivered."""

from __future__ import annotations

from typing import Final

from engine import Flow
from engine.errors import InvalidInput
from workflows.nodes.orders import read, reserve

INPUT: Final = {
    "type": ["object", "null"],
    "properties": {
        "file": {"type": "string", "description": "a file of workflows/data; orders.csv when left out"},
        "largeCents": {
            "type": "integer",
            "minimum": 0,
            "description": "from which a line is large; 10000 when left out",
        },
    },
    "additionalProperties": False,
}

RESERVED: Final = "nodes.reserve.all[.data]|map('data')"
"""What every good line has given; a bad one has left no data."""

flow = Flow(
    "order-lines",
    description="Reserves the goods of each line of a CSV, notes the lines that are wrong, and sums up.",
    input=INPUT,
)

file = flow.node("file", read, {"file": "{{ run.input.file || 'orders.csv' }}"})
each = flow.loop("each", "{{ nodes.file.last.data.lines }}")
reserved = flow.node("reserve", reserve, "{{ nodes.each.last.data.item }}")
large = flow.if_("large", "{{ nodes.reserve.last.data.cents >= (run.input.largeCents || 10000) }}")
marked = flow.set(
    "marked", {"line": "{{ nodes.reserve.last.data.line }}", "order": "{{ nodes.reserve.last.data.order }}"}
)
wrong = flow.set(
    "wrong", {"line": "{{ nodes.each.last.data.item.line|number }}", "why": "{{ nodes.reserve.last.error }}"}
)
summary = flow.set(
    "summary",
    {
        "file": "{{ nodes.file.last.data.file }}",
        "orders": f"{{{{ {RESERVED}|map('order')|unique|length }}}}",
        "lines": f"{{{{ {RESERVED}|length }}}}",
        "euros": f"{{{{ ({RESERVED}|map('cents')|sum) / 100 }}}}",
        "largest": f"{{{{ ({RESERVED}|sort('cents')|last).product }}}}",
        "large": "{{ nodes.marked.all[.data]|map('data') }}",
        "wrong": "{{ nodes.wrong.all[.data]|map('data') }}",
    },
)

file >> each
each["loop"] >> reserved >> large
large["true"] >> marked >> each
large["false"] >> each
reserved.catch(InvalidInput) >> wrong >> each
each["done"] >> summary
