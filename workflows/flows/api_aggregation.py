"""api-aggregation: three services asked over HTTP, and no Python node at all."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from engine import Flow, RetryPolicy

INPUT: Final = {
    "type": "object",
    "required": ["api", "customer"],
    "properties": {
        "api": {"type": "string", "pattern": "^https?://", "description": "where the services are"},
        "customer": {"type": "string", "pattern": "^C-[0-9]+$"},
    },
    "additionalProperties": False,
}

ORDERS: Final = "nodes.orders.last.data.body.orders"

flow = Flow(
    "api-aggregation",
    description="Asks three services for a customer, their orders and a rate, and makes one answer of it.",
    input=INPUT,
)

# The services are down now and then: five attempts, and a wait as long as they ask for (Retry-After).
patience = RetryPolicy(5, timedelta(seconds=1), backoff="exponential", jitter="full")

customer = flow.http(
    "customer", "GET", "{{ run.input.api }}/customers/{{ run.input.customer }}", timeout=5_000, retry=patience
)
orders = flow.http(
    "orders",
    "GET",
    "{{ run.input.api }}/orders",
    query={"customer": "{{ run.input.customer }}"},
    timeout=5_000,
    retry=patience,
)
rate = flow.http(
    "rate",
    "GET",
    "{{ run.input.api }}/rates/{{ nodes.customer.last.data.body.currency }}",
    timeout=5_000,
    retry=patience,
)
answer = flow.set(
    "answer",
    {
        "customer": "{{ nodes.customer.last.data.body.name }}",
        "orders": f"{{{{ {ORDERS}|length }}}}",
        "euros": f"{{{{ ({ORDERS}|map('cents')|sum) / 100 }}}}",
        "currency": "{{ nodes.customer.last.data.body.currency }}",
        "spent": f"{{{{ (({ORDERS}|map('cents')|sum) / 100 * nodes.rate.last.data.body.rate)|round(2) }}}}",
    },
)
unknown = flow.set("unknown", {"customer": "{{ run.input.customer }}", "unknown": True})

customer >> orders >> rate >> answer
customer["rejected"] >> unknown
