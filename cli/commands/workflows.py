"""``refluxo workflows``: what can be started."""

from __future__ import annotations

import click

from cli.failures import DONE
from cli.options import Remote, calls_api, examples

SECTION = "Workflows"


@click.command("workflows", epilog=examples("refluxo workflows", "refluxo workflows --json"))
@calls_api
def command(remote: Remote) -> int:
    """List the workflows that can be started.

    Those of the deployed code, and those stored by refluxo put.
    """
    document = remote.api.get("/workflows").document
    if remote.output.as_json:
        remote.output.document(document)
        return DONE
    from rich.table import Table  # noqa: PLC0415  (loaded when used)

    from cli.plain_text import plain  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("WORKFLOW", "VERSION", "FROM", "DESCRIPTION"):
        table.add_column(name, no_wrap=name != "DESCRIPTION")
    workflows = document.get("workflows")
    for each in workflows if isinstance(workflows, list) else ():
        table.add_row(
            plain(each.get("name")),
            plain(each.get("version"), 13),
            plain(each.get("source")),
            plain(each.get("description") or ""),
        )
    remote.output.show(table)
    return DONE
