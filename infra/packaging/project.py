"""What goes into a package: the kit's rooms and lock, and a project's own room and requirements.

In the kit's repository both are one folder. A user's project has ``workflows/`` alone, and the kit is wherever it is
installed: its rooms beside this one, its lock inside this one, where the wheel puts it.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.packaging.errors import PackageError

LOCK: Final = "requirements-lambda.txt"
USER_REQUIREMENTS: Final = "workflows/requirements.txt"

KIT_ROOMS: Final = ("engine", "dispatcher")
USER_ROOM: Final = "workflows"
ROOMS: Final = (*KIT_ROOMS, USER_ROOM)

INSTALLED_KIT: Final = Path(__file__).resolve().parents[2]

AWS_SERVICES: Final = ("cloudwatch", "dynamodb", "s3", "secretsmanager", "sqs", "xray")
"""What the kit itself calls, and X-Ray, whose SDK makes a client when it is imported. A workflow's own services are
added in pyproject.toml: ``[tool.refluxo.package] aws-services = ["ses"]``."""

ZIPPED_MEGABYTES_MAX: Final = 12
"""A cold start loads the archive: more than this is a dependency too many, until somebody says that it is not."""


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project and the kit that it is built with.

    Args:
        root: the folder that has ``workflows/``, and gets ``build/``.
        kit: the folder that has the kit's rooms.
    """

    root: Path
    kit: Path = INSTALLED_KIT

    @property
    def requirement_files(self) -> tuple[Path, ...]:
        """The kit's lock, and what the project's workflows import beside it.

        Raises:
            PackageError: the kit came without its lock.
        """
        user = self.root / USER_REQUIREMENTS
        return (self._lock, *([user] if user.is_file() else []))

    @property
    def rooms(self) -> dict[str, Path]:
        """Where the folders are that ship.

        Raises:
            PackageError: one is missing.
        """
        rooms = {room: (self.root if room == USER_ROOM else self.kit) / room for room in ROOMS}
        for room, folder in rooms.items():
            if not folder.is_dir():
                raise PackageError(
                    f"The folder {room}/ is missing in {folder.parent}: the functions cannot run without it."
                )
        return rooms

    @property
    def aws_services(self) -> tuple[str, ...]:
        """The services whose botocore data ships, sorted: the kit's and those named in pyproject.toml."""
        added = self._setting("aws-services", [])
        if not (isinstance(added, list) and all(isinstance(service, str) for service in added)):
            raise PackageError(
                f"pyproject.toml, [tool.refluxo.package]: aws-services is {added!r}; "
                'give a list of names, as in ["ses"].'
            )
        return tuple(sorted({*AWS_SERVICES, *added}))

    @property
    def zipped_bytes_max(self) -> int:
        """How large the archive may be, in bytes."""
        megabytes = self._setting("zipped-megabytes-max", ZIPPED_MEGABYTES_MAX)
        if isinstance(megabytes, bool) or not isinstance(megabytes, int) or megabytes < 1:
            raise PackageError(
                f"pyproject.toml, [tool.refluxo.package]: zipped-megabytes-max is {megabytes!r}; give a whole number."
            )
        return megabytes * 1_000_000

    @property
    def build_command(self) -> str:
        """What makes the package here."""
        return "make package" if (self.root / "Makefile").is_file() else "python -m infra.package"

    @property
    def _lock(self) -> Path:
        for lock in (self.kit / "infra" / LOCK, self.kit / LOCK):
            if lock.is_file():
                return lock
        raise PackageError(f"The kit in {self.kit} has no {LOCK}, which names what ships: install the kit again.")

    def _setting(self, name: str, default: object) -> object:
        pyproject = self.root / "pyproject.toml"
        document: object = tomllib.loads(pyproject.read_text(encoding="utf-8")) if pyproject.is_file() else {}
        for key in ("tool", "refluxo", "package", name):
            document = document.get(key) if isinstance(document, dict) else None
        return default if document is None else document
