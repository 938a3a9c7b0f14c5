"""Node types of the order-lines example: read a CSV of order lines, reserve the goods of each.

Owns the shape of such a file. What a line of it must be says ``OrderLine``; whatever breaks that fails its step alone.
"""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, Field

from engine import Registry, Step

DATA: Final = Path(__file__).resolve().parent.parent / "data"
"""The files that ship with the functions."""


class UnknownFile(Exception):
    """There is no file of that name; trying again would not make one."""


class OrderFile(BaseModel):
    """Which file to read; a plain name, so that no other folder can be asked for."""

    file: Annotated[str, Field(pattern=r"^[a-z0-9-]+\.csv$")]


class Lines(BaseModel):
    """What a file holds: its lines as they are written, each with its number in the file."""

    file: str
    lines: list[dict[str, str]]


class OrderLine(BaseModel):
    """A line that can be delivered. ``price`` is for one piece, in euros."""

    line: int
    order: Annotated[str, Field(pattern=r"^A-\d{4}$")]
    sku: Annotated[str, Field(pattern=r"^[A-Z]{3}-\d{3}$")]
    product: Annotated[str, Field(min_length=1)]
    quantity: Annotated[int, Field(ge=1, le=1000)]
    price: Annotated[Decimal, Field(gt=0, decimal_places=2)]

    @property
    def cents(self) -> int:
        """The price of the whole line, in cents: sums of them are exact."""
        return int(self.price * 100) * self.quantity


class Reservation(BaseModel):
    """Goods set aside for a line. ``reservation`` is the same however often the step is executed."""

    line: int
    order: str
    product: str
    cents: int
    reservation: str


def rows_of(file: str) -> list[dict[str, str]]:
    """The lines of a file in ``workflows/data``, by column, with their numbers; the heading is line 1.

    Raises:
        UnknownFile: there is none of that name.
    """
    path = DATA / file
    if not path.is_file():
        raise UnknownFile(f"there is no {file} in workflows/data")
    with path.open(encoding="utf-8", newline="") as opened:
        reader = csv.DictReader(opened)
        return [{"line": str(reader.line_num), **row} for row in reader]


def read(order_file: OrderFile) -> Lines:
    """Reads a CSV of order lines; what is in them is checked line by line, later."""
    return Lines(file=order_file.file, lines=rows_of(order_file.file))


def reserve(line: OrderLine, step: Step) -> Reservation:
    """Sets the goods of a line aside; the idempotency key keeps a repeated step from doing so twice."""
    return Reservation(
        line=line.line,
        order=line.order,
        product=line.product,
        cents=line.cents,
        reservation=step.idempotency_key,
    )


def register(registry: Registry) -> None:
    """Adds this module's node types."""
    registry.node("orders:read")(read)
    registry.node("orders:reserve")(reserve)
