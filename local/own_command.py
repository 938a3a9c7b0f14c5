"""How to type the ``refluxo`` command here, for the hints that whoever ran it by ``make`` is given."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

NAME: Final = "refluxo"


def own_command() -> str:
    """Its name where the shell finds it; else its path, beside the Python that runs, from the current folder if below.

    An environment that is not activated is not on the path, and ``make`` activates none.
    """
    beside = Path(sys.executable).with_name(NAME)
    if shutil.which(NAME) is not None or not beside.exists():
        return NAME
    return str(beside.relative_to(Path.cwd()) if beside.is_relative_to(Path.cwd()) else beside)
