"""Node type of the file-arrived example: note a file that has come.

It looks at what the event says of the file, never into the file, so it needs no client of any store.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated

from pydantic import BaseModel, Field

from engine import Registry, Step


class Arrival(BaseModel):
    """A file as the event tells of it. ``size`` is in bytes."""

    bucket: str
    key: Annotated[str, Field(min_length=1)]
    size: Annotated[int, Field(ge=0)]


class Entry(BaseModel):
    """A file in the register: its suffix in small letters, without the dot, and an entry that repetitions share."""

    file: str
    suffix: str
    size: int
    entry: str


def record(arrival: Arrival, step: Step) -> Entry:
    """Notes a file in the register; the idempotency key is what makes a repeated step the same entry."""
    suffix = PurePosixPath(arrival.key).suffix.removeprefix(".").lower()
    return Entry(
        file=f"s3://{arrival.bucket}/{arrival.key}", suffix=suffix, size=arrival.size, entry=step.idempotency_key
    )


def register(registry: Registry) -> None:
    """Adds this module's node types."""
    registry.node("files:record")(record)
