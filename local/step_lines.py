"""What happens to all runs, told a line each."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final

_FACTS: Final = (
    "workflow_id",
    "version",
    "status",
    "node_id",
    "error",
    "source",
    "detail_type",
    "routes",
    "message_id",
    "reason",
    "shard",
)


class StepLines(logging.Formatter):
    """A log record as one line: what happened, then its facts; with an exception, its traceback below."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        facts = [f"{name}={value}" for name in _FACTS if (value := getattr(record, name, None)) is not None]
        line = "  ".join([self.formatTime(record, "%H:%M:%S"), record.getMessage(), *facts])
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


@contextmanager
def telling_steps(stream: IO[str] | None = None) -> Iterator[None]:
    """The product's log is told on standard error, or on a stream, while the block lasts."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(StepLines())
    logger = logging.getLogger("refluxo")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
