"""``refluxo demo NAME``: one workflow of the user's, from start to end, on a local stack of its own.

It plays whoever the run waits for: each wait for a signal is answered with what it is told to answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Final

from cli.definition_source import registry_at
from cli.failures import USAGE, CommandError
from cli.http_client import Api, workflow_path
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
        player = _Player(remote.api, answer)
        code = watch_run(
            remote,
            str(started["workflowId"]),
            registry=registry,
            interval_seconds=_INTERVAL_SECONDS,
            seen=player if answers else None,
        )
        for signal in player.answered:
            output.note(f"the wait for {signal!r} was answered with {json.dumps(answer, ensure_ascii=False)}")
        return code


class _Player:
    """Answers each wait for a signal once, by its link."""

    def __init__(self, api: Api, answer: object) -> None:
        self._api = api
        self._answer = answer
        self._links: set[str] = set()
        self.answered: list[object] = []
        """The signals that were waited for, in order."""

    def __call__(self, run: Mapping[str, object]) -> None:
        wait = run.get("wait")
        link = wait.get("callbackUrl") if isinstance(wait, Mapping) else None
        if isinstance(wait, Mapping) and isinstance(link, str) and link not in self._links:
            self._links.add(link)
            self._api.post(link, self._answer)
            self.answered.append(wait.get("signal"))
