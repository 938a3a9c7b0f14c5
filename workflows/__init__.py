"""Your room: node types in Python, workflows as JSON. What is here ships with the functions.

``registry`` is what the environment names as ``REFLUXO_REGISTRY=workflows:registry``. The examples in it are told in
docs/examples.md.
"""

from __future__ import annotations

from pathlib import Path

from engine import Registry
from workflows.nodes import content, files, orders, report

registry = Registry()
for subject in (content, files, orders, report):
    subject.register(registry)
registry.load_folder(Path(__file__).parent / "definitions")

# A file put into the uploads bucket starts a run; a bucket says so when its EventBridge notifications are on.
registry.route(
    {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"bucket": {"name": ["refluxo-uploads"]}}},
    "file-arrived",
    name="uploads",
)

__all__ = ["registry"]
