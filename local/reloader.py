"""Reload on save: a thread that rebuilds the app whenever files of the user's own code have changed.

It is told of changes by an iterator, so whoever has another way to notice them may use that. What cannot be imported
is told with its place, and the app from before goes on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, Self, TypeAlias

from local.own_errors import told
from local.project import Project

_LOG: Final = logging.getLogger("refluxo.local.reload")

Changes: TypeAlias = Iterable[Sequence[Path]]
"""Files that have changed together, time after time."""

Watch: TypeAlias = Callable[[Sequence[Path], threading.Event], Changes]
"""Watches folders until an event is set."""

_SUFFIXES: Final = frozenset({".py", ".json"})
_NOT_SOURCES: Final = ("build", "dist", "cdk.out")


def watch_files(folders: Sequence[Path], stop: threading.Event) -> Iterator[list[Path]]:
    """Sets of changed sources, as the operating system tells of them."""
    from watchfiles import DefaultFilter, watch  # noqa: PLC0415  (a stack that does not reload has no use for it)

    ignored = (*DefaultFilter.ignore_dirs, *_NOT_SOURCES)
    for changes in watch(*folders, watch_filter=DefaultFilter(ignore_dirs=ignored), stop_event=stop):
        paths = sorted({Path(path) for _, path in changes if Path(path).suffix in _SUFFIXES})
        if paths:
            yield paths


class Reloader:
    """Rebuilds, in a thread of its own.

    Args:
        registry: ``module:attribute``, imported already.
        rebuild: makes the new app and puts it in the old one's place; called while own modules are imported afresh.
        watch: tells of changes.
    """

    def __init__(self, registry: str, rebuild: Callable[[], None], watch: Watch) -> None:
        self._project = Project(registry)
        self._rebuild = rebuild
        self._watch = watch
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="reloader", daemon=True)

    def reload(self, changed: Sequence[Path]) -> bool:
        """Rebuilds once; whether that succeeded. If not, why is logged and nothing has changed."""
        names = ", ".join(self._shown(path) for path in changed)
        try:
            with self._project.afresh():
                self._rebuild()
        except Exception as error:  # noqa: BLE001  (a fault of the user's code, to be mended while the stack runs)
            why = told(error, self._project.folder)
            _LOG.error("not reloaded: %s\n%s\nthe code from before goes on", names, why)
            return False
        _LOG.info("reloaded: %s", names)
        return True

    def _follow(self) -> None:
        folders = sorted(self._project.watched())
        for changed in self._watch(folders, self._stop):
            if self._stop.is_set():
                return
            self.reload(changed)
            if sorted(self._project.watched()) != folders:
                # A package is in use that was not before.
                self._follow()
                return

    def _shown(self, path: Path) -> str:
        folder = self._project.folder
        return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=5)
