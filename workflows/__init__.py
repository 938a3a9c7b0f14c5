"""Your room: node types in Python, workflows as JSON. What is here ships with the functions.

``registry`` is what the environment names as ``REFLUXO_REGISTRY=workflows:registry``.
"""

from __future__ import annotations

import json
from pathlib import Path

from engine import Registry
from workflows.nodes import content

registry = Registry()
content.register(registry)

for path in sorted((Path(__file__).parent / "definitions").glob("*.json")):
    registry.add(json.loads(path.read_text(encoding="utf-8")))

__all__ = ["registry"]
