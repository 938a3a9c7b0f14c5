"""nightly-report: sleeps until a time of day, night after night; a bad night does not stop the next."""

from __future__ import annotations

from typing import Final

from engine import Flow
from workflows.nodes.report import figures, write

DAY_MS: Final = 86_400_000

INPUT: Final = {
    "type": "object",
    "required": ["at"],
    "properties": {
        "at": {"type": "string", "description": "the first night's time, such as 2026-11-22T02:00:00Z"},
        "nights": {"type": "integer", "minimum": 1, "maximum": 366, "description": "how many; 1 when left out"},
        "everyMs": {"type": "integer", "minimum": 1, "description": "from one to the next; a day when left out"},
    },
    "additionalProperties": False,
}

flow = Flow(
    "nightly-report",
    description="Sleeps until the night's hour, gathers the figures of the day before and writes the report.",
    input=INPUT,
)

night = flow.repeat("night", "{{ run.input.nights || 1 }}")
asleep = flow.sleep(
    "asleep",
    until=f"{{{{ (run.input.at|fromIso) + nodes.night.last.data.index * (run.input.everyMs || {DAY_MS}) }}}}",
)
gathered = flow.node(
    "figures", figures, {"day": f"{{{{ (nodes.asleep.last.data.until - {DAY_MS})|toIso|slice(0, 10) }}}}"}
)
written = flow.node("report", write, "{{ nodes.figures.last.data }}")
missed = flow.set("missed", {"night": "{{ nodes.night.last.data.index + 1 }}", "why": "{{ nodes.figures.last.error }}"})
summary = flow.set(
    "summary",
    {
        "reports": "{{ nodes.report.all[.data]|map('data')|map('text') }}",
        "missed": "{{ nodes.missed.all[.data]|map('data') }}",
    },
)

night["loop"] >> asleep >> gathered >> written >> night
gathered.error >> missed >> night
night["done"] >> summary
