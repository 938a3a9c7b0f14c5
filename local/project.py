"""The user's own code, as modules of this process: which they are, where their files lie, and importing them afresh.

Own code is what lies under the folder of the registry's package. The kit and whatever is installed are not, wherever
they lie: their modules stay as they are.
"""

from __future__ import annotations

import importlib
import importlib.util
import linecache
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Final

_KIT: Final = frozenset({"engine", "dispatcher", "local", "cli", "infra", "__main__"})

_INSTALLED: Final = frozenset({"site-packages", "dist-packages"})


class Project:
    """The project that a registry belongs to.

    Args:
        registry: ``module:attribute``, imported already.
    """

    def __init__(self, registry: str) -> None:
        top = sys.modules[registry.partition(":")[0].partition(".")[0]]
        paths = [Path(path).resolve() for path in getattr(top, "__path__", ())]
        self.folder = paths[0].parent if paths else Path(top.__file__ or ".").resolve().parent

    def watched(self) -> set[Path]:
        """Folders whose files make the registry what it is.

        The packages in use, or the whole folder as soon as a module of it lies in no package.
        """
        inside = [file.relative_to(self.folder).parts for _, file in self._files()]
        if not inside or any(len(parts) == 1 for parts in inside):
            return {self.folder}
        return {self.folder / parts[0] for parts in inside}

    @contextmanager
    def afresh(self) -> Iterator[None]:
        """Own modules are imported anew inside; if that ends in an error, the ones from before are there again."""
        before = {name: sys.modules[name] for name, _ in self._files()}
        self._forget(before)
        try:
            yield
        except BaseException:
            for name, _ in list(self._files()):
                del sys.modules[name]
            sys.modules.update(before)
            raise

    def _forget(self, modules: Mapping[str, ModuleType]) -> None:
        for name, module in modules.items():
            # Two saves within a second and of one length would look the same to the cache of compiled code.
            if module.__file__ is not None and module.__file__.endswith(".py"):
                with suppress(OSError, NotImplementedError):
                    Path(importlib.util.cache_from_source(module.__file__)).unlink()
            del sys.modules[name]
        importlib.invalidate_caches()
        linecache.checkcache()

    def _files(self) -> Iterator[tuple[str, Path]]:
        """Own modules: name and file."""
        for name, module in sorted(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if not isinstance(file, str) or name.partition(".")[0] in _KIT:
                continue
            path = Path(file).resolve()
            if path.is_relative_to(self.folder) and not self._installed(path):
                yield name, path

    def _installed(self, path: Path) -> bool:
        inside = path.relative_to(self.folder)
        return path.is_relative_to(Path(sys.prefix).resolve()) or not _INSTALLED.isdisjoint(inside.parts)
