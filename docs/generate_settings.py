"""Writes docs/settings.md from the stack's settings: ``python docs/generate_settings.py``.

With ``--check`` it changes nothing and exits 1 when the page is not what the code says; a test calls it so.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from infra.settings import CONTEXT_PREFIX, StackSettings  # noqa: E402  (the root is put on the path above)

PAGE: Final = ROOT / "docs" / "settings.md"

SECTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "Stage and data": ("stage", "retention_days", "point_in_time_recovery", "upload_bucket"),
    "HTTP": (
        "api_authorizer",
        "jwt_issuer",
        "jwt_audience",
        "tenant_claim",
        "api_rate_per_second",
        "api_burst",
        "cors_origins",
        "domain_name",
        "certificate_arn",
        "hosted_zone_id",
    ),
    "Running": ("steps_per_invocation", "batch_size", "max_concurrency", "run_steps_max", "http_allowed_networks"),
    "Functions": (
        "python_version",
        "snap_start",
        "tracing",
        "plugins",
        "log_level",
        "log_retention_days",
        "dispatcher_memory_mb",
        "front_door_memory_mb",
        "sweep_memory_mb",
        "dead_letters_memory_mb",
        "events_memory_mb",
        "dispatcher_timeout_seconds",
        "dead_letters_timeout_seconds",
        "events_timeout_seconds",
    ),
    "Watching": (
        "dashboard",
        "alarms",
        "alarm_email",
        "alarm_queue_age_seconds",
        "alarm_function_errors",
        "alarm_function_throttles",
        "alarm_runs_failed",
        "alarm_runs_overdue",
        "alarm_invocations_per_step",
        "alarm_dollars_per_day",
    ),
}


def settings_page() -> str:
    """The page.

    Raises:
        KeyError: a setting is in no section.
    """
    lines = [
        "# Settings of the stack",
        "",
        "This page is written by `docs/generate_settings.py` from `infra/settings.py`. A setting is a key of CDK",
        f"context, `{CONTEXT_PREFIX}` and its name: in `cdk.json`, under `context`, or for one call as",
        f"`make deploy CDK_ARGS='-c {CONTEXT_PREFIX}stage=prod'`. All are checked when the stack is synthesized,",
        "before anything is deployed, and every fault is told with its remedy; a key that is no setting is one, too.",
        "",
        "What is a resource is an argument of `infra.RefluxoDispatcher` instead, for a stack of your own: table, VPC,",
        "key, event bus, buckets, alarm topic, and variables for your nodes.",
    ]
    fields = dict(StackSettings.model_fields)
    for section, names in SECTIONS.items():
        lines += ["", f"## {section}", "", "| Setting | By default | Give it |", "|---|---|---|"]
        for name in names:
            field = fields.pop(name)
            lines.append(f"| `{name}` | {_shown(field.default)} | {field.description} |")
    if fields:
        raise KeyError(f"in no section of {__file__}: {sorted(fields)}")
    return "\n".join(lines) + "\n"


def _shown(value: object) -> str:
    """A value as it is written in cdk.json, and nothing where nothing is set."""
    match value:
        case bool():
            return f"`{str(value).lower()}`"
        case "":
            return ""
        case _:
            return f"`{value}`"


def main(arguments: list[str]) -> int:
    """Writes the page, or with ``--check`` compares it."""
    text = settings_page()
    is_stale = not PAGE.exists() or PAGE.read_text("utf-8") != text
    if "--check" in arguments:
        if is_stale:
            sys.stderr.write("docs/settings.md is not what the code says; run python docs/generate_settings.py\n")
        return int(is_stale)
    if is_stale:
        PAGE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
