"""``refluxo graph``: a workflow as text or as Mermaid, with how far a run has come."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from cli.definition_source import from_api, of_run, read_definition, registry_at
from cli.failures import DONE, FAILED, NOT_FOUND, UNREACHABLE, CommandError
from cli.graph_view import graph_view
from cli.http_client import ApiError, run_path
from cli.options import Remote
from engine import Snapshot, WorkflowDefinition, mermaid, mermaid_run
from engine.errors import InvalidDefinition, InvalidSnapshot, UnknownWorkflow
from engine.json_value import checked_copy


def draw(
    remote: Remote, workflow: str, *, run_id: str | None, form: Literal["text", "mermaid"] | None, registry: str
) -> int:
    """Prints a workflow's graph, or a run of it.

    Raises:
        CommandError: there is no such workflow or run, or the run is of another workflow.
    """
    definition = _named(remote, workflow, registry)
    run = None if run_id is None else remote.api.get(run_path(run_id)).document
    if run is not None:
        definition = _of_same_version(remote, definition, run, registry)
    if remote.output.as_json:
        drawing = _mermaid(definition, run)
        name, version = definition.name, definition.version
        remote.output.document(
            {"name": name, "version": version, "mermaid": drawing, "definition": definition.to_json()}
        )
    elif form == "text" or (form is None and remote.output.console.is_terminal):
        remote.output.show(graph_view(definition, run))
    else:
        print(_mermaid(definition, run))
    return DONE


def _named(remote: Remote, workflow: str, registry: str) -> WorkflowDefinition:
    path = Path(workflow)
    try:
        if path.suffix == ".json":
            return read_definition(path)
        return registry_at(registry).workflow(workflow)
    except (InvalidDefinition, OSError, ValueError) as error:
        raise CommandError(str(error), FAILED) from None
    except (UnknownWorkflow, CommandError) as error:
        try:
            return from_api(remote.api, workflow)
        except ApiError as refused:
            if refused.exit_code == UNREACHABLE:
                raise CommandError(f"{error}; and {refused}", NOT_FOUND, advice=refused.advice) from None
            raise CommandError(str(error), NOT_FOUND, advice=refused.advice) from None


def _of_same_version(
    remote: Remote, definition: WorkflowDefinition, run: Mapping[str, object], registry: str
) -> WorkflowDefinition:
    """The version that the run is pinned to, of the workflow that is asked for."""
    reference = run.get("definition")
    if not isinstance(reference, Mapping) or reference.get("version") == definition.version:
        return definition
    if reference.get("name") != definition.name:
        told = f"run {run.get('workflowId')!r} is of {reference.get('name')!r}, not of {definition.name!r}"
        raise CommandError(told, FAILED)
    pinned = of_run(remote.api, run, registry)
    if pinned is None:
        remote.output.note("the run began with another version; what is drawn is the one here")
        return definition
    return pinned


def _mermaid(definition: WorkflowDefinition, run: Mapping[str, object] | None) -> str:
    if run is None:
        return mermaid(definition)
    document = checked_copy(run)
    try:
        return mermaid_run(definition, Snapshot.from_json(document if isinstance(document, dict) else {}))
    except InvalidSnapshot as error:
        raise CommandError(f"the run is of no form known here: {error}", FAILED) from None
