"""Compiles what ships, where the interpreter here makes the target's bytecode: missing .pyc files double a cold start.

The functions' own folder is read-only, so Lambda would compile anew at each cold start. A .pyc names no time and is
not held against its source (PEP 552, unchecked): archives change times, and nobody edits a deployed package.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

TASK_ROOT: Final = "/var/task"
"""Where Lambda unpacks the package: so tracebacks and debuggers name files that are there."""


def compile_folders(folders: Iterable[Path], *, package: Path) -> None:
    """Puts the bytecode of every module beside it; one that does not compile ships as it is.

    In a fresh interpreter, for what is alive in this one would show in the files.
    """
    command = [sys.executable, "-I", "-m", "compileall", "-q", "-q", "-f", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(package), "-p", TASK_ROOT, *map(str, folders)]
    subprocess.run(command, check=False)  # noqa: S603 (no shell, no user input)
