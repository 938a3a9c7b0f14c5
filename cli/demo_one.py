"""``refluxo demo NAME``: one workflow of the user's, from start to end, on a local stack of its own.

It plays whoever the run waits for: each wait for a signal is answered with what it is told to answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Final

from cli.definition_source import registry_at
from cli.failures import USAGE, CommandError
from cli.http_client import workflow_path
from cli.options import Remote
from cli.output import Output
from cli.watching import watch_run
from engine.errors import InvalidDefinition
from local import LocalStack
from local.stack import PortTaken

_INTERVAL_SECONDS: Final = 0.2


def run_one(
    workflow: str, run_input: object, *, answer: object, answers: bool, registry: str, port: int, output: Output
) -> int:
    """Starts a run and watches it until it ends.

    Args:
        workflow: the workflow's name.
        run_input: the run's input.
        answer: what each wait for a signal is answered with.
        answers: whether they are answered at all; else they are left to whoever watches.
        registry: where the workflow is, ``module:attribute``.
        port: of the HTTP API; 0 takes a free one.
        output: where it is shown.

    Returns:
        0 when the run completed, else 1.

    Raises:
        CommandError: the stack cannot be started, or the workflow refuses its start.
    """
    registry_at(registry)  # what is wrong with it is told before anything starts
    with ExitStack() as exits:
        with output.progress("starting the local stack"):
            try:
                stack = exits.enter_context(LocalStack(registry=registry, port=port))
            except (PortTaken, InvalidDefinition, ValueError) as error:
                raise CommandError(str(error), USAGE) from None
        remote = Remote(stack.url, output, sign=False)
        started = remote.api.post(workflow_path(workflow, "runs"), {"input": run_input}).document
        said = json.dumps(answer, ensure_ascii=False)

        def waits(signal: object, link: str) -> None:
            if answers:
                remote.api.post(link, answer)
                output.note(f"the wait for {signal!r} is answered with {said}")
            else:
                output.note(f"it waits for {signal!r}: --answer JSON would answer, or: refluxo resume {link} JSON")

        return watch_run(
            remote,
            str(started["workflowId"]),
            registry=registry,
            interval_seconds=_INTERVAL_SECONDS,
            seen=_EachWait(waits),
        )


class _EachWait:
    """Tells of each wait for a signal once, by its link."""

    def __init__(self, waits: Callable[[object, str], None]) -> None:
        self._waits = waits
        self._links: set[str] = set()

    def __call__(self, run: Mapping[str, object]) -> None:
        wait = run.get("wait")
        link = wait.get("callbackUrl") if isinstance(wait, Mapping) else None
        if isinstance(wait, Mapping) and isinstance(link, str) and link not in self._links:
            self._links.add(link)
            self._waits(wait.get("signal"), link)
