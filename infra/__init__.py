"""The AWS side: a stack that composes and grants, over constructs that each own one thing.

`RefluxoDispatcher` is the whole installation as one construct, for a stack of one's own; `StackSettings` are its
choices.

The one effect at import: jsii starts Node as soon as ``aws_cdk`` is imported, so the Node that came with this
environment is named here, before any module of the package can do that. It comes before a Node on the PATH,
whose age nobody knows; one that the user named in ``JSII_NODE`` wins.
"""

from __future__ import annotations

import os
import shutil
import sysconfig
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.constructs.network import Network
    from infra.dispatcher import RefluxoDispatcher
    from infra.settings import StackSettings

__all__ = ["Network", "RefluxoDispatcher", "StackSettings"]

_NODE = shutil.which("node", path=sysconfig.get_path("scripts"))
if _NODE:
    os.environ.setdefault("JSII_NODE", _NODE)


def __getattr__(name: str) -> object:
    """What is exported, imported when it is asked for: the constructs start Node, which the settings do without."""
    match name:
        case "Network":
            from infra.constructs.network import Network  # noqa: PLC0415

            return Network
        case "RefluxoDispatcher":
            from infra.dispatcher import RefluxoDispatcher  # noqa: PLC0415

            return RefluxoDispatcher
        case "StackSettings":
            from infra.settings import StackSettings  # noqa: PLC0415

            return StackSettings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
