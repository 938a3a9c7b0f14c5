"""``refluxo node-types``: what definitions are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import click

from cli.failures import DONE
from cli.options import Remote, calls_api, examples

SECTION = "Workflows"


@click.command("node-types", epilog=examples("refluxo node-types", "refluxo node-types --json"))
@calls_api
def command(remote: Remote) -> int:
    """List the node types of the deployed code.

    What they do, their fields (* must be there) and handles. With --json as editors get them, schemas included.
    """
    document = remote.api.get("/node-types").document
    if remote.output.as_json:
        remote.output.document(document)
        return DONE
    from rich.table import Table  # noqa: PLC0415  (loaded when used)

    from cli.plain_text import plain  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("TYPE", "FIELDS", "HANDLES", "DESCRIPTION"):
        table.add_column(name, no_wrap=name == "TYPE")
    found = document.get("nodeTypes")
    for each in found if isinstance(found, list) else ():
        table.add_row(
            plain(each.get("type")),
            plain(" ".join(_fields(each.get("input")))),
            plain(_handles(each)),
            plain(_said(each)),
        )
    remote.output.show(table)
    return DONE


def _handles(told: Mapping[str, object]) -> str:
    handles = told.get("handles")
    if isinstance(handles, list):
        return " ".join(map(str, handles))
    return "by its data" if told.get("handlesByData") else "not declared"


def _said(told: Mapping[str, object]) -> str:
    first, *_ = str(told.get("description") or "").splitlines() or [""]
    described = "Cannot be executed yet. " if told.get("executed") is False else ""
    return described + first.replace("``", "")


def _fields(schema: object) -> Iterator[str]:
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    required = schema.get("required", ()) if isinstance(schema, Mapping) else ()
    for name in properties if isinstance(properties, Mapping) else ():
        yield f"{name}*" if name in required else str(name)
