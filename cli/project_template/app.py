"""The cloud stack; its settings are in cdk.json."""

from pathlib import Path

from infra.assembly import synthesize
from workflows import registry

synthesize(root=Path(__file__).resolve().parent, event_patterns=[route.pattern for route in registry.routes])
