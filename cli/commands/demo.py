"""``refluxo demo``: workflows run start to end on this machine."""

from __future__ import annotations

import logging

import click
from click.core import ParameterSource

from cli.completions import workflow_names
from cli.failures import USAGE, CommandError
from cli.options import PORT, Json, examples, json_option, registry_option
from cli.output import Output, console

SECTION = "This machine"

_EXAMPLE = "content-approval"
_COMMAND_LINE = ParameterSource.COMMANDLINE


@click.command(
    "demo",
    epilog=examples(
        "refluxo demo",
        'refluxo demo content-approval --input \'{"title": "Hi", "text": "Hello"}\''
        ' --answer \'{"approved": true, "editor": "Ana"}\'',
    ),
)
@click.argument("workflow", metavar="[NAME]", required=False, shell_complete=workflow_names)
@click.option("--input", "run_input", type=Json(), help="The input of NAME's run.")
@click.option("--answer", type=Json(), help="What each wait of NAME's run is answered with.")
@click.option("--port", type=PORT, metavar="PORT", default=0, help="Port of the HTTP API (default: a free one).")
@registry_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    workflow: str | None,
    *,
    run_input: object,
    answer: object,
    port: int,
    registry: str,
    as_json: bool,
) -> int:
    """Watch the example workflows, or one of yours, run start to end.

    Starts the local stack on this machine, runs the examples through it over HTTP, and stops. With NAME it is that
    workflow of your registry.
    """
    logging.getLogger("refluxo").addHandler(logging.NullHandler())  # the demo tells what happens in its own words
    given = [name for name in ("run_input", "answer") if context.get_parameter_source(name) is _COMMAND_LINE]
    if workflow is not None:
        from cli.demo_one import run_one  # noqa: PLC0415  (the emulator takes a second to load)

        output = Output(as_json=as_json)
        return run_one(
            workflow, run_input, answer=answer, answers="answer" in given, registry=registry, port=port, output=output
        )
    if given:
        raise click.UsageError("--input and --answer are for one workflow: say which, as in refluxo demo NAME")
    _must_hold_examples(registry)
    from cli.demo import run_demo  # noqa: PLC0415  (loaded when used)

    return run_demo(console(stderr=False), port=port, json_out=as_json)


def _must_hold_examples(path: str) -> None:
    from cli.definition_source import registry_at  # noqa: PLC0415  (loaded when used)

    registry = registry_at(path)
    if _EXAMPLE not in registry.workflows:
        known = ", ".join(sorted(registry.workflows)) or "none"
        raise CommandError(
            f"the example workflows are not in {path}", USAGE, advice=f"refluxo demo NAME plays one of yours: {known}"
        )
