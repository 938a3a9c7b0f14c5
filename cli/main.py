"""``refluxo``: reads the command line, and imports what a command needs when it is called."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from engine import Registry

DEFAULT_PORT: Final = 8080
PORT_MAX: Final = 65_535
EXAMPLE: Final = "content-approval"
DEFAULT_REGISTRY: Final = "workflows:registry"

LOCAL_EXTRA: Final = frozenset({"boto3", "botocore", "moto", "flask", "flask_cors", "rich"})
"""Modules of the extra ``[local]``."""

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command. Exit code 0: done; 1: it failed; 2: it could not be tried, and why is said."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in LOCAL_EXTRA:
            raise  # a module that the user's own code lacks: the traceback names the file
        sys.stderr.write(
            f"refluxo: {error.name} is not installed; install the extra: pip install 'refluxo-dispatcher[local]'\n"
        )
        return EXIT_USAGE
    except KeyboardInterrupt:
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="refluxo", description="Durable workflows on AWS with nothing to operate.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="watch one workflow run start to end on this machine",
        description="Starts the local stack, runs the content-approval workflow through it over HTTP, and stops.",
        epilog="example: refluxo demo",
    )
    demo.add_argument("--port", type=_port, default=0, help="port of the HTTP API (default: a free one)")
    demo.set_defaults(command=_demo)
    local = commands.add_parser(
        "local",
        help="the whole product on this machine, until Ctrl-C",
        description="Serves the HTTP API over an emulated AWS. Its state is in memory and goes with it.",
        epilog="example: refluxo local --port 8080 --registry workflows:registry",
    )
    local.add_argument(
        "--port", type=_port, default=DEFAULT_PORT, help=f"port (default: {DEFAULT_PORT}; 0: a free one)"
    )
    local.add_argument("--registry", default=DEFAULT_REGISTRY, help="your registry, as module:attribute")
    local.set_defaults(command=_local)
    validate = commands.add_parser(
        "validate",
        help="check workflow definitions",
        description="Checks JSON definitions against your registry and tells every fault with its place.",
        epilog="example: refluxo validate workflows/definitions/content_approval.json",
    )
    validate.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a definition as JSON")
    validate.add_argument("--registry", default=DEFAULT_REGISTRY, help="your registry, as module:attribute")
    validate.set_defaults(command=_validate)
    graph = commands.add_parser(
        "graph",
        help="draw a workflow, or a run of it, as Mermaid",
        description="Prints a Mermaid flowchart; with --run its nodes are coloured by how far the run has come.",
        epilog="example: refluxo graph content-approval --run r1 --url http://127.0.0.1:8080",
    )
    graph.add_argument("workflow", help="a workflow's name, or a JSON file")
    graph.add_argument("--run", help="id of a run to colour it by")
    graph.add_argument("--url", default=f"http://127.0.0.1:{DEFAULT_PORT}", help="address of the HTTP API")
    graph.add_argument("--registry", default=DEFAULT_REGISTRY, help="your registry, as module:attribute")
    graph.set_defaults(command=_graph)
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > PORT_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; it must be 0 (a free one) to {PORT_MAX}")
    return int(text)


def _validate(options: argparse.Namespace) -> int:
    from cli.definitions import validate  # noqa: PLC0415

    return validate(_registry(options.registry), options.files)


def _graph(options: argparse.Namespace) -> int:
    from cli.definitions import graph  # noqa: PLC0415
    from cli.http_client import ApiError  # noqa: PLC0415

    try:
        return graph(_registry(options.registry), options.workflow, run_id=options.run, url=options.url)
    except ApiError as error:
        sys.stderr.write(f"refluxo: {error}; is the stack running (refluxo local), and is this its --url?\n")
        return EXIT_FAILED


def _registry(path: str) -> Registry:
    from engine.errors import InvalidDefinition  # noqa: PLC0415
    from engine.registry_path import registry_at  # noqa: PLC0415

    sys.path.insert(0, "")  # the registry is looked for where the command is called
    try:
        return registry_at(path)
    except (InvalidDefinition, ValueError) as error:
        sys.stderr.write(f"refluxo: --registry {path}: {error}\n")
        raise SystemExit(EXIT_USAGE) from None


def _demo(options: argparse.Namespace) -> int:
    from rich.console import Console  # noqa: PLC0415  (each command imports what it needs)

    from cli.demo import run_demo  # noqa: PLC0415
    from engine.errors import InvalidDefinition  # noqa: PLC0415
    from local.stack import PortTaken  # noqa: PLC0415

    logging.getLogger("refluxo").addHandler(logging.NullHandler())  # the demo tells what happens in its own words
    try:
        return run_demo(Console(highlight=False), port=options.port)
    except (PortTaken, InvalidDefinition, ValueError) as error:
        sys.stderr.write(f"refluxo: {error}\n")
        return EXIT_USAGE


def _local(options: argparse.Namespace) -> int:
    from engine.errors import InvalidDefinition  # noqa: PLC0415
    from local import LocalStack  # noqa: PLC0415
    from local.stack import PortTaken  # noqa: PLC0415

    sys.path.insert(0, "")  # the registry is looked for where the command is called
    _tell_what_happens()
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    try:
        with LocalStack(registry=options.registry, port=options.port) as stack:
            print(f"Refluxo serves {stack.url} over an emulated AWS at {stack.emulator_url}")
            print("Its state is in memory: it goes when you stop it with Ctrl-C. Start a run:\n")
            print(_curl(stack.url, stack.workflows))
            sys.stdout.flush()
            stopped.wait()
    except (PortTaken, InvalidDefinition, ValueError) as error:
        sys.stderr.write(f"refluxo: {error}\n")
        return EXIT_USAGE
    return 0


def _curl(url: str, workflows: Sequence[str]) -> str:
    name = EXAMPLE if EXAMPLE in workflows else next(iter(workflows), "NAME")
    body = """{"input": {"title": "Hi", "text": "Hello"}}""" if name == EXAMPLE else """{"input": {}}"""
    return f"  curl -s {url}/workflows/{name}/runs \\\n    -H 'content-type: application/json' -d '{body}'\n"


def _tell_what_happens() -> None:
    """Has the steps of all runs told on standard error, a line each."""
    handler = logging.StreamHandler()
    handler.setFormatter(StepLines())
    logger = logging.getLogger("refluxo")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


class StepLines(logging.Formatter):
    """A log record as one line: what happened, then its facts."""

    FACTS = ("workflow_id", "version", "status", "node_id", "error", "message_id", "reason", "shard")

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        facts = [f"{name}={value}" for name in self.FACTS if (value := getattr(record, name, None)) is not None]
        line = "  ".join([self.formatTime(record, "%H:%M:%S"), record.getMessage(), *facts])
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


if __name__ == "__main__":
    sys.exit(main())
