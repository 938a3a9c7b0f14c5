"""What the demo runs: the five workflows that ship, the input each is given, and what shows that it went well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

APPROVAL: Final = "content-approval"
ARRIVAL: Final = "file-arrived"

BUCKET: Final = "refluxo-uploads"
"""The emulated bucket whose events start runs; the route is in workflows/__init__.py."""

UPLOAD_KEY: Final = "incoming/orders.csv"

CUSTOMER: Final = "C-1042"
NIGHTS: Final = 2
DECISION: Final[Mapping[str, object]] = {"approved": True, "editor": "Ana"}


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take, in seconds: slow enough to be watched, or as fast as a test likes it.

    Args:
        editor: how long the editor thinks before the link is posted to.
        upload: how long after the start the file arrives.
        night: from now to the night that is slept until; the one before it, a day earlier, is caught up with at once.
        poll: between two looks at the runs.
        patience: a demo that has not ended by then never will.
    """

    editor: float = 2.0
    upload: float = 3.0
    night: float = 2.5
    poll: float = 0.2
    patience: float = 60.0


@dataclass(frozen=True, slots=True)
class Example:
    """One workflow. ``shows``: why it is in the demo; ``expects``: what its output must hold, among other things."""

    workflow: str
    shows: str
    expects: Mapping[str, object] = field(default_factory=dict)


EXAMPLES: Final = (
    Example(APPROVAL, "a retry, then a person who decides by a link", {"approved_by": "Ana"}),
    Example("api-aggregation", "HTTP calls, two of them answered by 503", {"customer": "Livraria Aurora", "orders": 3}),
    Example("order-lines", "a loop over a CSV, one line of which is wrong", {"lines": 15, "euros": 717.5}),
    Example("nightly-report", "a night that was missed, then sleep until the next", {"missed": []}),
    Example(ARRIVAL, "started by an upload to S3", {"as": "table"}),
)


def inputs(*, api_url: str, now_ms: int, pace: Pace) -> Mapping[str, Mapping[str, object]]:
    """The input of each workflow that is started by a call, by its name; the others are started by an event.

    Args:
        api_url: where the services of api-aggregation are.
        now_ms: epoch milliseconds.
        pace: tells the nights.
    """
    last = datetime.fromtimestamp(now_ms / 1000 + pace.night, tz=UTC)
    first = (last - timedelta(days=NIGHTS - 1)).isoformat(timespec="milliseconds")
    return {
        APPROVAL: {
            "title": "Durable workflows with nothing to operate",
            "text": "One Lambda, one table, one queue. Every step is committed before the next. NOTHING is lost.",
            "outages": 1,
        },
        "api-aggregation": {"api": api_url, "customer": CUSTOMER},
        "order-lines": {},
        "nightly-report": {"at": first, "nights": NIGHTS},
    }
