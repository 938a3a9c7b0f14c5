"""What a command prints: one JSON document, or text for people; progress on standard error, on a terminal alone."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

_PIPE_CELLS: Final = 240
"""Width of what goes into a pipe: nothing that has a use there is cut."""


class Output:
    """Standard output and standard error of one command.

    Args:
        as_json: whether the caller asked for JSON: then nothing else goes to standard output.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def document(self, document: object) -> None:
        """One JSON document, indented."""
        self._write(document, indent=2)

    def json_line(self, document: object) -> None:
        """One JSON document on a line of its own; what follows something prints several."""
        self._write(document, indent=None)

    def _write(self, document: object, *, indent: int | None) -> None:
        # Plain text where the encoding can hold it; escapes are the same JSON.
        text = json.dumps(document, ensure_ascii=False, indent=indent)
        try:
            text.encode(sys.stdout.encoding or "utf-8")
        except UnicodeEncodeError:
            text = json.dumps(document, indent=indent)
        print(text, flush=True)

    def show(self, *renderables: RenderableType) -> None:
        """Text for people, unless JSON was asked for."""
        if self.as_json:
            return
        if self.console.is_terminal:
            self.console.print(*renderables, sep="\n")
            return
        with self.console.capture() as captured:
            self.console.print(*renderables, sep="\n")
        # Tables fill their lines with spaces, which only a terminal does not show.
        print("\n".join(line.rstrip() for line in captured.get().splitlines()), flush=True)

    def line(self, line: Text) -> None:
        """One line for people: cut to a terminal's width, whole in a pipe."""
        if self.as_json:
            return
        if self.console.is_terminal:
            line.truncate(self.console.width, overflow="ellipsis")
            self.console.print(line)
        else:
            print(line.plain.rstrip(), flush=True)

    def unbroken(self, text: str) -> None:
        """A line for people that goes on beyond a terminal's edge, so that it can be copied."""
        if not self.as_json:
            self.console.print(text, markup=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """A remark beside the result, on standard error."""
        if not self.as_json:
            self.errors.print(text, style="dim", markup=False, soft_wrap=True)

    @contextmanager
    def progress(self, text: str) -> Iterator[None]:
        """Says that something is going on, while it does."""
        if not self.errors.is_terminal:
            yield
            return
        with self.errors.status(text):
            yield

    @cached_property
    def console(self) -> Console:
        """Standard output: colours and the terminal's width on a terminal, plain and wide in a pipe."""
        return console(stderr=False)

    @cached_property
    def errors(self) -> Console:
        """Standard error."""
        return console(stderr=True)


def console(*, stderr: bool) -> Console:
    """A rich console for people."""
    from rich.console import Console  # noqa: PLC0415  (who only asks for help does not wait for it)

    made = Console(stderr=stderr, highlight=False)
    if made.is_terminal or "COLUMNS" in os.environ:
        return made
    return Console(stderr=stderr, highlight=False, width=_PIPE_CELLS)
