"""The plugins that come with the shell: where each is, and who tells them.

A plugin is imported only when it is named: the libraries behind them take longer to load than the shell itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from dispatcher.shell_plugin import ShellPlugin
from engine.plugin import Plugin, Plugins

if TYPE_CHECKING:
    from dispatcher.sweep import SweepReport


def made(names: Iterable[str], *, log_level: str) -> Sequence[ShellPlugin]:
    """The plugins of these names, each of ``settings.PLUGIN_NAMES``, in the order of their making."""
    plugins: list[ShellPlugin] = []
    for name in names:
        match name:
            case "logger":
                from dispatcher.powertools_logger import PowertoolsLogger  # noqa: PLC0415  (only if named)

                plugins.append(PowertoolsLogger(log_level))
            case "metrics":
                from dispatcher.powertools_metrics import PowertoolsMetrics  # noqa: PLC0415

                plugins.append(PowertoolsMetrics())
            case "tracer":
                from dispatcher.powertools_tracer import PowertoolsTracer  # noqa: PLC0415

                plugins.append(PowertoolsTracer())
    return plugins


def tell_of_sweep(plugins: Sequence[ShellPlugin], report: SweepReport) -> None:
    """Calls ``on_sweep`` of each plugin, whatever one of them does."""

    def tell(plugin: Plugin) -> None:
        if isinstance(plugin, ShellPlugin):
            plugin.on_sweep(report)

    Plugins(plugins).tell(tell)


def tell_the_end(plugins: Sequence[Plugin]) -> None:
    """Calls ``on_invocation_end`` of the plugins that have it, a user's own too, whatever one of them does."""

    def tell(plugin: Plugin) -> None:
        hook = getattr(plugin, "on_invocation_end", None)
        if hook is not None:
            hook()

    Plugins(plugins).tell(tell)
