"""The CDK's entry point: ``cdk synth`` runs it, and ``python app.py`` alone writes cdk.out as well."""

from __future__ import annotations

import sys

from infra.assembly import refluxo_app
from infra.package import PackageError
from infra.settings import InvalidSettings
from workflows import registry

try:
    refluxo_app(event_patterns=[route.pattern for route in registry.routes]).synth()
except (InvalidSettings, PackageError) as error:
    sys.exit(str(error))
