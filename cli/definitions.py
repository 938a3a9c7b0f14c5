"""``refluxo validate`` and ``refluxo graph``: definitions checked and drawn, on this machine."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from cli.http_client import ApiClient
from engine import Registry, Snapshot, WorkflowDefinition, mermaid, mermaid_run
from engine.checks import definition_faults
from engine.errors import InvalidDefinition, UnknownWorkflow
from engine.json_value import checked_copy

EXIT_FAULTY = 1


def validate(registry: Registry, files: list[Path]) -> int:
    """Checks definitions against a registry; prints each fault with its place. 1 when there is any."""
    faulty = 0
    for file in files:
        try:
            definition = _checked(file, registry)
        except (InvalidDefinition, OSError, ValueError) as error:
            faulty += 1
            print(f"✗ {file}: {_told(error)}")
            continue
        print(f"✓ {file}: {definition.name}, version {definition.version}")
        for warning in definition.warnings:
            print(f"  ! {warning}")
    return EXIT_FAULTY if faulty else 0


def graph(registry: Registry, workflow: str, *, run_id: str | None, url: str) -> int:
    """Prints the Mermaid drawing of a workflow, given by name or as a file, or of a run of it."""
    try:
        path = Path(workflow)
        definition = _read(path) if path.suffix == ".json" else registry.workflow(workflow)
    except (InvalidDefinition, UnknownWorkflow, OSError, ValueError) as error:
        sys.stderr.write(f"refluxo: {_told(error)}\n")
        return EXIT_FAULTY
    if run_id is None:
        print(mermaid(definition))
    else:
        document = checked_copy(ApiClient(url).get(f"/runs/{run_id}").document)
        snapshot = Snapshot.from_json(document if isinstance(document, dict) else {})
        reference = snapshot.definition
        if reference is not None and reference.name != definition.name:
            sys.stderr.write(f"refluxo: run {run_id!r} is of {reference.name!r}, not of {definition.name!r}\n")
            return EXIT_FAULTY
        if reference is not None and reference.version != definition.version:
            sys.stderr.write("refluxo: the run began with another version; what is drawn is the one here\n")
        print(mermaid_run(definition, snapshot))
    return 0


def _checked(file: Path, registry: Registry) -> WorkflowDefinition:
    definition = _read(file)
    faults = definition_faults(definition, registry.node_definitions, registry.transform_engines)
    if faults:
        raise InvalidDefinition(definition.name, faults)
    return definition


def _read(file: Path) -> WorkflowDefinition:
    return WorkflowDefinition.parse(json.loads(file.read_text(encoding="utf-8")))


def _told(error: Exception) -> str:
    if isinstance(error, InvalidDefinition):
        return "\n".join(["not valid", *(f"  {fault}" for fault in error.faults)])
    return str(error)
