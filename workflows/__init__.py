"""Your room: node types in Python, workflows as JSON. What is here ships with the functions.

``registry`` is what the environment names as ``REFLUXO_REGISTRY=workflows:registry``.
"""

from __future__ import annotations

from pathlib import Path

from engine import Registry
from workflows.nodes import content

registry = Registry()
content.register(registry)
registry.load_folder(Path(__file__).parent / "definitions")

__all__ = ["registry"]
