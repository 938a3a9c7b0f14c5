"""A user's own project on the kit: the files of ``project_template/`` under a name of the user's.

It writes a folder that is not there yet, whole or not at all, and touches nothing else.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Final

_TEMPLATE: Final = Path(__file__).parent / "project_template"

# Files that would act on this repository under the name they are to have.
_NAMES: Final = {"gitignore": ".gitignore", "env.example": ".env.example"}

# What a project has in common with the kit: the CDK's settings, and the versions that were tried together.
_OF_THE_KIT: Final = ("cdk.json", "constraints.txt")

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", re.ASCII)
_NAME_CHARACTERS_MAX: Final = 64

_DISTRIBUTION: Final = "refluxo-dispatcher"


class CannotCreate(ValueError):
    """The project cannot be made; the message says why and what to do. Nothing was written."""


def create_project(name: str, parent: Path, *, kit: str | None = None) -> Sequence[Path]:
    """Makes the folder ``parent/name`` with a project in it.

    Args:
        name: the project's name, and its folder's.
        parent: the folder it is made in.
        kit: how pip is told of this kit (``== 1.2.3`` or ``@ URL``); by default, as it was installed here.

    Returns:
        The files, relative to the project, in order.

    Raises:
        CannotCreate: the name cannot be used, or the folder is there already.
        OSError: the disk refuses.
    """
    if len(name) > _NAME_CHARACTERS_MAX or not _NAME.fullmatch(name):
        raise CannotCreate(
            f"{name!r} cannot be the name: take lower case letters and digits, in words joined by -, such as my-shop"
        )
    folder = parent / name
    if folder.exists():
        raise CannotCreate(f"{folder} is there already; choose another name, or remove it")
    if not parent.is_dir():
        raise CannotCreate(f"there is no folder {parent}; make it first")
    values = {"name": name, "kit": kit if kit is not None else installed_kit()}
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=parent) as made:
        project = Path(made) / name
        for source in _sources():
            target = project / source.relative_to(_TEMPLATE).with_name(_NAMES.get(source.name, source.name))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_filled(source.read_text("utf-8"), values), encoding="utf-8")
        for own in _OF_THE_KIT:
            shutil.copyfile(_of_the_kit(own), project / own)
        project.rename(folder)
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def installed_kit() -> str:
    """How pip is told to install what is installed here: by version, or by the address it came from (PEP 610)."""
    distribution = metadata.distribution(_DISTRIBUTION)
    origin = distribution.read_text("direct_url.json")
    if origin is None:
        return f"== {distribution.version}"
    document = json.loads(origin)
    version_control = document.get("vcs_info")
    if isinstance(version_control, dict):
        return f"@ {version_control['vcs']}+{document['url']}@{version_control['commit_id']}"
    return f"@ {document['url']}"


def _sources() -> Sequence[Path]:
    return sorted(path for path in _TEMPLATE.rglob("*") if path.is_file() and path.suffix != ".pyc")


def _filled(text: str, values: dict[str, str]) -> str:
    # Two braces are the templates' own as well, so only our names are looked for.
    for name, value in values.items():
        text = text.replace(f"{{{{{name}}}}}", value)
    return text


def _of_the_kit(name: str) -> Path:
    """A file of the kit's root: beside its code in a checkout, within it where it is installed."""
    spec = find_spec("infra")
    if spec is None or spec.origin is None:
        raise CannotCreate(f"{_DISTRIBUTION} is not installed whole: its package infra is missing; install it again")
    infra = Path(spec.origin).parent
    return next(path for path in (infra / name, infra.parent / name) if path.is_file())
