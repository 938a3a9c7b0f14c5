"""The cloud on a laptop: the real handlers over emulated AWS, and over memory in virtual time for tests."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from local.run import LocalRun
    from local.runner import LocalRunner
    from local.stack import LocalStack

__all__ = ["LocalRun", "LocalRunner", "LocalStack"]

# Imported when asked for: a test of a workflow needs no emulator, which takes a second to load.
_LAZY: Final = {"LocalRun": "local.run", "LocalRunner": "local.runner", "LocalStack": "local.stack"}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)
