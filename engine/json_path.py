"""Where a fault is: pydantic's locations as JSON paths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def location_in(document: object, location: tuple[int | str, ...], *, missing: bool) -> tuple[int | str, ...]:
    """A pydantic location without what is pydantic's own: the names of a union's members, a list put around one."""
    kept: list[int | str] = []
    here: Any = document
    for part in location:
        if (
            part in here
            if isinstance(here, Mapping)
            else isinstance(here, list | tuple) and isinstance(part, int) and part < len(here)
        ):
            here = here[part]
            kept.append(part)
    return (*kept, location[-1]) if missing else tuple(kept)


def json_path(location: tuple[int | str, ...]) -> str:
    """A pydantic location as a JSON path."""
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
