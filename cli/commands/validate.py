"""``refluxo validate``: definitions held against a registry."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from cli.options import examples, json_option, registry_option
from cli.output import Output

SECTION = "Workflows"


@click.command(
    "validate",
    epilog=examples(
        "refluxo validate workflows/definitions/content_approval.json", "refluxo validate a.json b.json --json"
    ),
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@registry_option
@json_option
def command(files: Sequence[Path], registry: str, *, as_json: bool) -> int:
    """Check JSON definitions against your registry.

    Every fault is told with its place. Exit code 1 when any is faulty. With --json: {"files": [{"file",
    "valid", "name", "version", "errors",
    "warnings"}]}.
    """
    from cli.definition_source import registry_at  # noqa: PLC0415  (the engine's models take a while to load)
    from cli.validation import validate  # noqa: PLC0415
    from engine.loading import leaving_out_faulty  # noqa: PLC0415

    # They may be in a folder that the registry loads.
    with leaving_out_faulty(files):
        found = registry_at(registry)
    return validate(found, files, Output(as_json=as_json))
