"""The cloud stack; its settings are in cdk.json."""

from pathlib import Path

from infra.assembly import refluxo_app

refluxo_app(root=Path(__file__).resolve().parent).synth()
