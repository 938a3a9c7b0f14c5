"""The checklist of ``refluxo smoke``: a line for each check when it is done, a spinner for the one that runs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final, Self

from rich.status import Status
from rich.text import Text

from cli.failures import DONE, FAILED
from cli.output import Output
from cli.plain_text import plain
from cli.smoke import Outcome

_NAME_CELLS: Final = 15


class Checklist:
    """Tells outcomes as they come, while the ``with`` block lasts."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._spinner = Status("", console=output.errors) if output.errors.is_terminal else None
        self.told: list[Outcome] = []

    def __enter__(self) -> Self:
        if self._spinner is not None:
            self._spinner.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._spinner is not None:
            self._spinner.stop()

    def begins(self, name: str) -> None:
        """Says what is being checked."""
        if self._spinner is not None:
            self._spinner.update(name)

    def tell(self, outcome: Outcome) -> None:
        """A line for a check that is done."""
        self.told.append(outcome)
        mark = ("✓ ", "green") if outcome.ok else ("✗ ", "bold red")
        line = Text.assemble(mark, outcome.name.ljust(_NAME_CELLS), (f"{outcome.seconds:6.1f} s  ", "dim"))
        self._output.show(line.append(plain(outcome.saw), "" if outcome.ok else "red"))

    def close(self, url: str) -> int:
        """The end: with --json the one document.

        Returns:
            0 when all is well, else 1.
        """
        ok = all(outcome.ok for outcome in self.told)
        seconds = round(sum(outcome.seconds for outcome in self.told), 3)
        if self._output.as_json:
            checks = [asdict(outcome) for outcome in self.told]
            self._output.document({"url": url, "ok": ok, "seconds": seconds, "checks": checks})
        else:
            verdict = ("well", "bold green") if ok else ("not well", "bold red")
            self._output.show(Text.assemble(f"{plain(url)} is ", verdict, (f"  {seconds:.1f} s", "dim")))
        return DONE if ok else FAILED
