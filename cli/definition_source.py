"""Where the definition of a workflow comes from: a file, the registry of this machine, or the API."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cli.failures import FAILED, NOT_FOUND, REFUSED, USAGE, CommandError
from cli.http_client import Api, ApiError, workflow_path

if TYPE_CHECKING:
    from engine import Registry, WorkflowDefinition


def registry_at(path: str) -> Registry:
    """The registry of that path, ``module:attribute``, looked for where the command is called.

    Raises:
        CommandError: there is none.
    """
    from engine.errors import InvalidDefinition  # noqa: PLC0415  (who speaks HTTP alone needs no models)
    from engine.registry_path import registry_at as found_at  # noqa: PLC0415

    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        return found_at(path)
    except (InvalidDefinition, ValueError) as error:
        raise CommandError(f"--registry {path}: {error}", USAGE) from None
    except Exception as error:  # noqa: BLE001  (whatever a module of the user's raises)
        from local.own_errors import told  # noqa: PLC0415  (likewise)

        raise CommandError(f"--registry {path} cannot be loaded:\n{told(error, Path.cwd())}", USAGE) from None


def read_definition(file: Path) -> WorkflowDefinition:
    """The definition in a JSON file.

    Raises:
        InvalidDefinition, OSError, ValueError: there is none in it.
    """
    from engine import WorkflowDefinition  # noqa: PLC0415  (likewise)

    return WorkflowDefinition.parse(json.loads(file.read_text(encoding="utf-8")))


def of_run(api: Api, run: Mapping[str, object], registry: str) -> WorkflowDefinition | None:
    """The definition that a run is pinned to; None when neither the API nor the registry here has that version."""
    reference = run.get("definition")
    if not isinstance(reference, Mapping):
        return None
    name, version = str(reference.get("name")), str(reference.get("version"))
    try:
        return from_api(api, name, version)
    except ApiError as error:
        if error.exit_code not in {NOT_FOUND, REFUSED}:
            raise
    return _of_registry(registry, name, version)


def _of_registry(path: str, name: str, version: str) -> WorkflowDefinition | None:
    try:
        definition = registry_at(path).workflow(name)
    except Exception:  # noqa: BLE001  (the user's own modules are loaded here; a drawing less is no failure)
        return None
    return definition if definition.version == version else None


def from_api(api: Api, name: str, version: str | None = None) -> WorkflowDefinition:
    """A stored definition, or one registered in the code that is deployed.

    Raises:
        ApiError: there is none of that name, or of that version.
        CommandError: it is of no form known here.
    """
    from engine import WorkflowDefinition  # noqa: PLC0415  (likewise)
    from engine.errors import InvalidDefinition  # noqa: PLC0415

    document = api.get(workflow_path(name), {"version": version}).document
    known = {field.alias or key for key, field in WorkflowDefinition.model_fields.items()}
    try:
        return WorkflowDefinition.parse({key: value for key, value in document.items() if key in known})
    except InvalidDefinition as error:
        raise CommandError(f"the API's definition of {name!r} is not understood here: {error}", FAILED) from None
