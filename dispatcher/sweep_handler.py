"""Entry point of the sweep function: one scheduled event a minute."""

from __future__ import annotations

from collections.abc import Mapping

from dispatcher import bootstrap


def handler(_event: Mapping[str, object], _context: object) -> dict[str, int]:
    """Runs one sweep and says what it did."""
    return handle_schedule(bootstrap.app())


def handle_schedule(app: bootstrap.App) -> dict[str, int]:
    """As :func:`handler`, over a given app."""
    with app.invocation():
        report = app.sweep.run()
        if app.plugins:
            from dispatcher.plugins import tell_of_sweep  # noqa: PLC0415  (only if any is named)

            tell_of_sweep(app.plugins, report)
    return {
        "lookedAt": report.looked_at,
        "sent": report.sent,
        "pushed": report.pushed,
        "removed": report.removed,
    }
