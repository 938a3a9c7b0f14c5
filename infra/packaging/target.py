"""What a package is built for: Lambda on arm64, or this machine, so that the recipe's result can be run here."""

from __future__ import annotations

import sys
import sysconfig
from dataclasses import dataclass
from typing import Final, Literal

PythonVersion = Literal["3.12", "3.13", "3.14"]
"""Lambda's Python runtimes on Amazon Linux 2023 (glibc 2.34); 3.11 is on Amazon Linux 2 (2.26)."""

DEFAULT_PYTHON_VERSION: Final[PythonVersion] = "3.13"

_ARM64_PLATFORMS: Final = ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")


@dataclass(frozen=True, kw_only=True)
class Target:
    """An interpreter to build for: ``folder`` under ``build/``, and the wheels it takes."""

    folder: str
    python_version: str
    platforms: tuple[str, ...]
    """Wheel platform tags; empty means this very interpreter."""

    @property
    def matches_this_python(self) -> bool:
        """Whether bytecode made here is the target's own: it depends on the version, not on the processor."""
        return sys.implementation.name == "cpython" and self.python_version == sysconfig.get_python_version()

    @property
    def machine(self) -> str:
        """The processor, for people."""
        return "arm64" if self.platforms else "this machine"


def lambda_target(python_version: str = DEFAULT_PYTHON_VERSION) -> Target:
    """Lambda on arm64, which costs a fifth less than x86_64 (AWS Lambda pricing)."""
    return Target(folder="package", python_version=python_version, platforms=_ARM64_PLATFORMS)


def host_target() -> Target:
    """This machine."""
    return Target(folder="package-host", python_version=sysconfig.get_python_version(), platforms=())
