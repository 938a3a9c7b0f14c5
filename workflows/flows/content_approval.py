"""content-approval: two ways out of a decision, and one when nobody decides."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from engine import Flow, RetryPolicy
from workflows.nodes.content import ClassifierUnavailable, classify, publish

INPUT: Final = {
    "type": "object",
    "required": ["title", "text"],
    "properties": {
        "title": {"type": "string", "minLength": 1},
        "text": {"type": "string"},
        "outages": {"type": "integer", "minimum": 0},
    },
    "additionalProperties": False,
}

DECISION: Final = {
    "type": "object",
    "required": ["approved"],
    "properties": {"approved": {"type": "boolean"}, "editor": {"type": "string"}, "reason": {"type": "string"}},
    "if": {"properties": {"approved": {"const": True}}},
    "then": {"required": ["editor"]},
}

flow = Flow(
    "content-approval",
    description="Rates a text, waits for an editor's decision, then publishes or declines.",
    input=INPUT,
)

submitted = flow.trigger("submitted")
rating = flow.node(
    "rating",
    classify,
    {"title": "{{ run.input.title }}", "text": "{{ run.input.text }}", "outages": "{{ run.input.outages || 0 }}"},
    retry=RetryPolicy(4, timedelta(seconds=2), backoff="exponential", retry_on=ClassifierUnavailable),
)
review = flow.wait("review", signal="decision", timeout=timedelta(days=1), schema=DECISION)
approved = flow.if_("approved", "{{ nodes.review.last.data.approved }}")
published = flow.node(
    "published",
    publish,
    {"title": "{{ run.input.title }}", "approved_by": "{{ nodes.review.last.data.editor }}"},
)
declined = flow.set(
    "declined",
    {"title": "{{ run.input.title }}", "declined": True, "reason": "{{ nodes.review.last.data.reason }}"},
)
expired = flow.set("expired", {"title": "{{ run.input.title }}", "declined": True, "reason": "nobody decided"})

submitted >> rating >> review >> approved
review["timeout"] >> expired
approved["true"] >> published
approved["false"] >> declined
