"""Gets the locked wheels with pip, as it is configured on this machine.

It refuses to compile anything: a dependency without a wheel for the target is an error. pip judges
environment markers (``; python_version < "3.13"``) by the interpreter that runs it, not by the target.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from infra.packaging.errors import PackageError
from infra.packaging.project import LOCK, USER_REQUIREMENTS, Project
from infra.packaging.target import Target

Install = Callable[[Project, Target, Path], None]
"""Puts the dependencies that a project names for a target into an empty folder."""

_UNREACHABLE: Final = re.compile(
    r"Max retries exceeded|NewConnectionError|NameResolutionError|name resolution|Connection refused"
    r"|ConnectTimeout|ReadTimeout|Network is unreachable|ProxyError|SSLError"
)


def pip_install(project: Project, target: Target, into: Path) -> None:
    """Install the locked wheels.

    Raises:
        PackageError: with the remedy, and pip's own last words where it has any.
    """
    command = [sys.executable, "-m", "pip", "install", "--no-input", "--no-compile", "--progress-bar=off"]
    command += ["--disable-pip-version-check", "--no-warn-conflicts", "--only-binary=:all:"]
    command += ["--target", str(into)]
    for platform in target.platforms:
        command += ["--platform", platform]
    if target.platforms:
        command += ["--implementation", "cp", "--python-version", target.python_version]
    for path in project.requirement_files:
        command += ["--requirement", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (no shell, no user input)
    if done.returncode == 0:
        return
    errors = _error_lines(done.stderr)
    if "No module named pip" in done.stderr:
        raise PackageError(f"{sys.executable} has no pip, which fetches the wheels: run `python -m ensurepip` with it.")
    if _UNREACHABLE.search(done.stderr) and "ResolutionImpossible" not in errors:
        raise PackageError(
            "The package index is out of reach. Building the package needs it once; afterwards it is used "
            f"again only when {LOCK} or {USER_REQUIREMENTS} changes. Check the network and pip's "
            f"configuration, then build again.\n{errors}"
        )
    raise PackageError(
        f"pip could not install the dependencies for Python {target.python_version}. The pins of {LOCK} hold, so "
        f"{USER_REQUIREMENTS} must agree with them; and only wheels are taken, so a distribution that has none for "
        f"this target must be replaced or pinned to a version that has.\n{errors}"
    )


def _error_lines(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if line.startswith("ERROR"))
