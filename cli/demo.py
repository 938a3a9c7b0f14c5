"""``refluxo demo``: the five workflows that ship, side by side, over HTTP alone, on an emulated AWS.

It starts the local stack and a small server for one of the workflows to ask, then behaves like anybody outside: starts
runs, posts to the link that one of them shows, puts a file into a bucket. What happens is told when it is seen.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING

from rich.console import Console

from cli.demo_close import close, close_json
from cli.demo_director import Director
from cli.demo_examples import Pace
from cli.demo_screen import screen_for
from cli.failures import DONE, FAILED
from cli.http_client import Api

if TYPE_CHECKING:
    from cli.demo_stack import DemoStack


def run_demo(console: Console, *, port: int = 0, json_out: bool = False, pace: Pace | None = None) -> int:
    """Runs the demo.

    Args:
        console: where it is shown.
        port: of the HTTP API; 0 takes a free one.
        json_out: shows nothing, and prints what became of it as JSON.
        pace: how long things take; made to be watched, if None.

    Returns:
        The exit code: 0 when every run ended as it should, else 1.

    Raises:
        CommandError: the port is in use, or the stack did not do what it was asked.
    """
    if not json_out:
        console.print("\n[bold]Refluxo[/]: five workflows on an emulated AWS, over HTTP alone")
    try:
        with ExitStack() as exits:
            with nullcontext() if json_out else console.status("starting it"):
                stack = exits.enter_context(_stack(port))
            return _played(console, stack, json_out=json_out, pace=pace or Pace())
    except KeyboardInterrupt:
        if not json_out:
            console.print("Stopped; nothing is left behind.")
        raise


def _stack(port: int) -> DemoStack:
    from cli.demo_stack import DemoStack  # noqa: PLC0415  (a second or two, spent while it is said what it takes)

    return DemoStack(port=port)


def _played(console: Console, stack: DemoStack, *, json_out: bool, pace: Pace) -> int:
    if not json_out:
        console.print(f"HTTP API {stack.url}   AWS {stack.emulator_url}\n", soft_wrap=True)
    api = Api(stack.url)
    director = Director(api, api_url=stack.shop_url, upload=stack.upload, pace=pace)
    began = time.monotonic()
    with screen_for(console, stack.definitions, silent=json_out) as screen:
        for happenings in director.play():
            screen.show(director.runs, happenings)
    seconds = time.monotonic() - began
    deliveries = int(str(api.get("/local/stats").document["deliveries"]))
    (close_json if json_out else close)(console, director.runs, deliveries=deliveries, seconds=seconds)
    return DONE if all(run.went_well for run in director.runs) else FAILED
