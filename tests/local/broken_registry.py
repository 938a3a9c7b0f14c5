"""A registry with a fault in it."""

from __future__ import annotations

from engine import Registry

registry = Registry()
registry.add(
    {"name": "broken", "nodes": [{"id": "a", "type": "core:set"}], "edges": [{"source": "a", "target": "nowhere"}]}
)
