"""``refluxo health``: whether the service is well."""

from __future__ import annotations

import click

from cli.failures import DONE, FAILED
from cli.options import Remote, calls_api, examples

SECTION = "Service"


@click.command("health", epilog=examples("refluxo health", "refluxo health --json"))
@calls_api
def command(remote: Remote) -> int:
    """Tell whether the service is well.

    Whether table and queue answer, and whether runs are overdue. Exit code 0 when all is well, 1 when runs
    are overdue, 5 when a part does not answer.
    """
    document = remote.api.get("/health").document
    well = document.get("status") == "ok"
    if remote.output.as_json:
        remote.output.document(document)
    else:
        from rich.text import Text  # noqa: PLC0415  (loaded when used)

        from cli.plain_text import plain  # noqa: PLC0415

        line = Text(plain(document.get("status")), style="bold green" if well else "bold yellow")
        facts = (f"{plain(name)} {plain(value)}" for name, value in document.items() if name != "status")
        remote.output.show(line.append("  " + ", ".join(facts), style="default not bold"))
    return DONE if well else FAILED
