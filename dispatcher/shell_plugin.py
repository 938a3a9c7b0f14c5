"""What the shell's plugins are told beyond the engine's hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.plugin import Plugin

if TYPE_CHECKING:
    from dispatcher.sweep import SweepReport


class ShellPlugin(Plugin):
    """A plugin of a function, not of a run alone."""

    def on_sweep(self, report: SweepReport) -> None:
        """A sweep has ended."""

    def on_invocation_end(self) -> None:
        """The function is about to answer, or to fail: whatever is kept back must go out now."""
