"""By what a run knows its definition."""

from __future__ import annotations

from typing import NamedTuple


class DefinitionRef(NamedTuple):
    """The definition a run is pinned to: its name and the hash of its content."""

    name: str
    version: str
