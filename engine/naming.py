"""Names: which may be given, which are reserved, and how the fields of Python are spelt in JSON.

Apart from the definition's models (engine/definition.py), for steps need names and no models.
"""

from __future__ import annotations

import re
from typing import Final

from engine.limits import NAME_CHARACTERS_MAX

ERROR_HANDLE = "error"
"""Handles that begin with this are catch edges: ``error`` takes any error, ``error:Type`` that type."""

# Ids become parts of DynamoDB keys and of paths: no separator, no white space, nothing a URL must escape.
NAME_PATTERN: Final = rf"[A-Za-z0-9_][A-Za-z0-9_.:@-]{{0,{NAME_CHARACTERS_MAX - 1}}}"


def valid_name(name: str) -> bool:
    """Whether a workflow, run, node or signal may have that name."""
    return re.fullmatch(NAME_PATTERN, name) is not None


def is_error_handle(handle: str | None) -> bool:
    """Whether a handle is reserved for catch edges."""
    return handle is not None and handle.startswith(ERROR_HANDLE)


def camel_case(name: str) -> str:
    """``max_interval`` as ``maxInterval``; pydantic's own compiles six regular expressions, which an import pays."""
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
