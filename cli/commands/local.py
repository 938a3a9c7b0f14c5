"""``refluxo local``: the whole product on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from cli.options import PORT, examples, json_option, registry_option

SECTION = "This machine"


@click.command(
    "local",
    epilog=examples(
        "refluxo local",
        "refluxo local --port 0 --registry shop:registry --data .refluxo --json",
        "refluxo local --dynamodb-endpoint http://127.0.0.1:8000 --no-reload",
    ),
)
@click.option(
    "--port", type=PORT, metavar="PORT", default=8080, show_default=True, help="Port of the HTTP API (0: a free one)."
)
@registry_option
@click.option(
    "--data", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER", help="Keep the state in this folder."
)
@click.option("--dynamodb-endpoint", metavar="URL", help="Use the DynamoDB there, such as DynamoDB Local.")
@click.option("--env-file", type=click.Path(path_type=Path), help="Variables for your code (default: .env, if any).")
@click.option("--reload/--no-reload", default=True, show_default=True, help="Load your code afresh when it changes.")
@click.option(
    "--sweep-seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="How often the sweep runs.",
)
@click.option(
    "--payload-format",
    type=click.Choice(["1.0", "2.0"]),
    default="2.0",
    show_default=True,
    help="Form of API Gateway's events: HTTP API (2.0) or REST API (1.0).",
)
@json_option
def command(
    *,
    port: int,
    registry: str,
    data: Path | None,
    dynamodb_endpoint: str | None,
    env_file: Path | None,
    reload: bool,
    sweep_seconds: float,
    payload_format: Literal["1.0", "2.0"],
    as_json: bool,
) -> int:
    """Serve the whole product on this machine.

    It runs over an emulated AWS until Ctrl-C. Its state is in memory, and goes with it, unless --data keeps it.
    What happens to runs is told on standard error. With --json, the first line of standard output is {url,
    emulatorUrl, elsewhere, data, requeued, workflows}, as soon as it serves.
    """
    from local.serve import ServeOptions, serve  # noqa: PLC0415  (the emulator takes a second to load)

    return serve(
        ServeOptions(
            registry=registry,
            port=port,
            data=data,
            dynamodb_endpoint=dynamodb_endpoint,
            env_file=env_file,
            reload=reload,
            sweep_seconds=sweep_seconds,
            payload_format=payload_format,
            as_json=as_json,
        )
    )
