"""The CDK's entry point: ``cdk synth`` runs it, and ``python app.py`` alone writes cdk.out as well."""

from __future__ import annotations

from infra.assembly import synthesize
from workflows import registry

synthesize(event_patterns=[route.pattern for route in registry.routes])
