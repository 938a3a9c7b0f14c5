"""A registry with routes: uploads and orders start a run that ends at once."""

from __future__ import annotations

from engine import Registry

registry = Registry()
registry.add({"name": "keep", "nodes": [{"id": "n", "type": "core:set", "data": "{{ run.input }}"}], "edges": []})
registry.route(
    {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"object": {"key": [{"suffix": ".csv"}]}}},
    "keep",
    input={"key": "{{ event.detail.object.key }}", "time": "{{ event.time }}"},
    name="upload",
)
registry.route({"source": ["shop"], "detail": {"total": [{"numeric": [">", 10]}]}}, "keep", name="order")
