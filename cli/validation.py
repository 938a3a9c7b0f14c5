"""Definitions checked on this machine, each fault with its place."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from cli.failures import DONE, FAILED
from cli.output import Output
from cli.plain_text import plain
from engine import Registry
from engine.checks import definition_faults, execution_warnings
from engine.errors import Fault, InvalidDefinition

EXECUTED: Final = frozenset({"core:http"})
"""What a deployment executes of the node types that the engine only describes."""


def validate(registry: Registry, files: Sequence[Path], output: Output) -> int:
    """Checks definitions against a registry; tells each fault of each file. 1 when there is any."""
    documents = [_checked(file, registry) for file in files]
    if output.as_json:
        output.document({"files": documents})
    else:
        for document in documents:
            print("\n".join(_lines(document)))
    return DONE if all(document["valid"] for document in documents) else FAILED


def _checked(file: Path, registry: Registry) -> Mapping[str, object]:
    try:
        definition = registry.parse(json.loads(file.read_text(encoding="utf-8")))
    except InvalidDefinition as error:
        return {"file": str(file), "valid": False, "errors": _told(error.faults)}
    except (OSError, ValueError, RecursionError) as error:
        return {"file": str(file), "valid": False, "errors": _told([Fault("$", str(error))])}
    faults = definition_faults(definition, registry.node_definitions, registry.transform_engines)
    unexecuted = execution_warnings(definition, registry.node_definitions, EXECUTED)
    return {
        "file": str(file),
        "valid": not faults,
        "name": definition.name,
        "version": definition.version,
        "errors": _told(faults),
        "warnings": _told([*definition.warnings, *unexecuted]),
    }


def _told(faults: Sequence[Fault]) -> list[dict[str, str]]:
    return [{"path": fault.path, "message": fault.message} for fault in faults]


def _lines(document: Mapping[str, object]) -> Iterator[str]:
    if document["valid"]:
        yield f"✓ {document['file']}: {document['name']}, version {document['version']}"
    else:
        yield f"✗ {document['file']}: not valid"
    for mark, name in ((" ", "errors"), ("!", "warnings")):
        faults = document.get(name)
        for fault in faults if isinstance(faults, list) else ():
            yield f"  {mark} {plain(fault['path'])}: {plain(fault['message'])}"
