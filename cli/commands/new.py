"""``refluxo new``: a project of one's own on the kit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.failures import USAGE, CommandError
from cli.options import examples, json_option
from cli.output import Output
from cli.plain_text import plain

if TYPE_CHECKING:
    from rich.tree import Tree

SECTION = "This machine"


@click.command("new", epilog=examples("refluxo new my-shop", "refluxo new my-shop --in ~/projects"))
@click.argument("name")
@click.option(
    "--in",
    "parent",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    metavar="FOLDER",
    help="Where the project's folder is made (default: here).",
)
@json_option
def command(name: str, *, parent: Path, as_json: bool) -> int:
    """Make a project of your own on the kit.

    It has a node, a workflow, their tests, what ships with the functions, and a Makefile with demo, test and deploy.
    """
    from cli.project import CannotCreate, create_project, installed_kit  # noqa: PLC0415  (loaded when used)

    kit = installed_kit()
    try:
        files = create_project(name, parent.expanduser(), kit=kit)
    except (CannotCreate, OSError) as error:
        raise CommandError(str(error), USAGE) from None
    folder = parent.expanduser() / name
    output = Output(as_json=as_json)
    if as_json:
        output.document({"folder": str(folder.resolve()), "files": [str(path) for path in files]})
        return 0
    output.show(_tree(folder, files))
    if "file://" in kit:
        output.note(f"the kit is taken from {kit.removeprefix('@ ')}: set KIT in the Makefile before you share this")
    output.note(f"next: cd {folder} && make demo")
    return 0


def _tree(folder: Path, files: Sequence[Path]) -> Tree:
    from rich.tree import Tree  # noqa: PLC0415  (loaded when used)

    tree = Tree(f"{plain(folder)}/")
    branches = {Path(): tree}
    for path in files:
        for parent in reversed(path.parents):
            if parent not in branches:
                branches[parent] = branches[parent.parent].add(f"{parent.name}/")
        branches[path.parent].add(path.name)
    return tree
