"""``refluxo demo``: workflows run start to end on this machine."""

from __future__ import annotations

import logging

import click

from cli.failures import USAGE, CommandError
from cli.options import PORT, examples, json_option
from cli.output import console

SECTION = "This machine"


@click.command("demo", epilog=examples("refluxo demo", "refluxo demo --port 8080"))
@click.option("--port", type=PORT, metavar="PORT", default=0, help="Port of the HTTP API (default: a free one).")
@json_option
def command(port: int, *, as_json: bool) -> int:
    """Watch the example workflows run start to end.

    Starts the local stack on this machine, runs the examples through it over HTTP, and stops.
    """
    from cli.demo import run_demo  # noqa: PLC0415  (the emulator takes a second to load)
    from engine.errors import InvalidDefinition  # noqa: PLC0415
    from local.stack import PortTaken  # noqa: PLC0415

    logging.getLogger("refluxo").addHandler(logging.NullHandler())  # the demo tells what happens in its own words
    try:
        return run_demo(console(stderr=False), port=port, json_out=as_json)
    except (PortTaken, InvalidDefinition, ValueError) as error:
        raise CommandError(str(error), USAGE) from None
