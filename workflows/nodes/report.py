"""Node types of the nightly-report example: gather the figures of a day, write them down."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Annotated

from pydantic import BaseModel, Field

from engine import Registry, Step
from workflows.nodes.orders import rows_of


class Day(BaseModel):
    """A day that is over, and the file its sales are in."""

    day: date
    file: Annotated[str, Field(pattern=r"^[a-z0-9-]+\.csv$")] = "orders.csv"


class Figures(BaseModel):
    """What was sold on a day. ``cents``: what it came to; lines that cannot be read are counted, not guessed."""

    day: date
    orders: int
    lines: int
    unreadable: int
    cents: int


class Report(BaseModel):
    """A report that has been written. ``receipt`` is the same however often the step is executed."""

    name: str
    text: str
    receipt: str


def figures(asked: Day) -> Figures:
    """Gathers what was sold on a day: the shipped file holds one week, which stands for every week."""
    sold = [row for row in rows_of(asked.file) if date.fromisoformat(row["date"]).weekday() == asked.day.weekday()]
    cents = [_cents(row) for row in sold]
    return Figures(
        day=asked.day,
        orders=len({row["order"] for row in sold}),
        lines=len(sold),
        unreadable=cents.count(None),
        cents=sum(each for each in cents if each is not None),
    )


def write(found: Figures, step: Step) -> Report:
    """Writes the report of a day; the idempotency key would name it to whatever store keeps it."""
    told = [f"{found.cents / 100:.2f} EUR", _counted(found.orders, "order"), _counted(found.lines, "line")]
    if found.unreadable:
        told.append(f"{found.unreadable} of them unreadable")
    text = f"{found.day:%A}, {found.day}: {', '.join(told)}"
    return Report(name=f"report-{found.day}.txt", text=text, receipt=step.idempotency_key)


def register(registry: Registry) -> None:
    """Adds this module's node types."""
    registry.node("report:figures")(figures)
    registry.node("report:write")(write)


def _cents(row: dict[str, str]) -> int | None:
    try:
        return int(Decimal(row["price"]) * 100) * int(row["quantity"])
    except (ValueError, InvalidOperation):
        return None


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
