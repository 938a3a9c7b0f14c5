"""What of the dependencies no function ever reads.

Only what is surely unused goes: a workflow's own nodes may import anything of what ships, Powertools included.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

from infra.packaging.files import children, remove

_INSTALL_RECORDS: Final = frozenset({"RECORD", "INSTALLER", "REQUESTED", "WHEEL", "direct_url.json"})
UNUSED_NAMES: Final = frozenset({"__pycache__", "tests", "examples-1.json"})
_UNUSED_SUFFIXES: Final = frozenset({".pyi", ".pyc", ".c", ".h"})

_UNUSED_PATHS: Final = (
    "bin",
    "boto3/examples",
    # The page by which Powertools' own event handler shows its API to a browser; nothing is served by it here.
    "aws_lambda_powertools/event_handler/openapi/swagger_ui/swagger-ui-bundle.min.js",
    "aws_lambda_powertools/event_handler/openapi/swagger_ui/swagger-ui.min.css",
    # Middleware of web servers, which a function is not. The patchers of client libraries stay.
    "aws_xray_sdk/ext/bottle",
    "aws_xray_sdk/ext/django",
    "aws_xray_sdk/ext/flask",
    "aws_xray_sdk/ext/flask_sqlalchemy",
    # Type stubs alone.
    "wrapt-stubs",
)


def prune(folder: Path, services: Collection[str]) -> None:
    """Remove other services' models, tests, stubs, scripts, C sources, install records, and the paths listed here.

    A distribution's ``METADATA`` and ``entry_points.txt`` stay, for node types are found by entry points,
    and so do its licences. The shared files of ``botocore/data`` stay: every client reads them.
    """
    for name in _UNUSED_PATHS:
        remove(folder / name)
    for data in (folder / "botocore" / "data", folder / "boto3" / "data"):
        for entry in children(data):
            if entry.is_dir() and entry.name not in services:
                remove(entry)
    for path in sorted(folder.rglob("*"), reverse=True):
        record = path.parent.suffix == ".dist-info" and path.name in _INSTALL_RECORDS
        if record or path.name in UNUSED_NAMES or path.suffix in _UNUSED_SUFFIXES:
            remove(path)
