"""The whole product in one process: emulator, front, pollers and schedule around the real handlers."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Final, Self

from dispatcher import bootstrap
from dispatcher.dead_letter_handler import handle_dead_letters
from dispatcher.handler import handle
from dispatcher.settings import Settings
from local.emulator import Emulator
from local.front import Front
from local.poller import FunctionContext, Poller
from local.provision import provision
from local.ticker import Ticker

DEFAULT_REGISTRY: Final = "workflows:registry"

PASSED_ON: Final = ("RETENTION_DAYS",)
"""Variables of the caller's environment that the functions get too."""

DEAD_LETTER_POLL_SECONDS: Final = 1.0
"""Nobody waits for a dead letter, so an idle stack asks for one less often than for a step."""

_STATS_PATH: Final = "/local/stats"


class PortTaken(RuntimeError):
    """Another process serves the port that was asked for."""


class LocalStack:
    """Everything the cloud stack has, on this machine, while the ``with`` block lasts.

    Args:
        registry: the user's registry, ``module:attribute``.
        port: of the HTTP front; 0 takes a free one.
        sweep_seconds: how often the sweep runs.

    Raises:
        PortTaken: on entry, when the port is in use.
        InvalidSettings, InvalidDefinition: on entry, when the registry or a variable that is passed on cannot be used.
    """

    def __init__(self, *, registry: str = DEFAULT_REGISTRY, port: int = 0, sweep_seconds: float = 60) -> None:
        self._registry = registry
        self._port = port
        self._sweep_seconds = sweep_seconds
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as exits:
            # The front first: its address is part of the functions' environment, and a taken port is told at
            # once. It answers when all is built.
            try:
                self._front = Front(self._answer, port=self._port)
            except OSError as error:
                raise PortTaken(f"port {self._port} is in use ({error.strerror}); choose another, or 0") from None
            exits.callback(self._front.close)
            emulator = exits.enter_context(Emulator())
            clients = emulator.clients()
            resources = provision(clients, signing_secret=secrets.token_urlsafe(32))
            self.environment = resources.environment(self._front.url, self._registry)
            self.environment.update({name: os.environ[name] for name in PASSED_ON if name in os.environ})
            self._app = bootstrap.build(Settings.from_env(self.environment), clients)
            self._poller = exits.enter_context(Poller(clients.sqs(), resources.queue_url, self._handle_batch))
            self._dead_letter_poller = exits.enter_context(
                Poller(
                    clients.sqs(),
                    resources.dead_letter_queue_url,
                    self._handle_dead_letters,
                    function_name="refluxo-dead-letters",
                    poll_seconds=DEAD_LETTER_POLL_SECONDS,
                )
            )
            exits.enter_context(Ticker(self._app.sweep.run, period_seconds=self._sweep_seconds))
            exits.enter_context(self._front)
            self.emulator_url = emulator.url
            self._exits = exits.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    @property
    def url(self) -> str:
        """Address of the HTTP API."""
        return self._front.url

    @property
    def workflows(self) -> Sequence[str]:
        """Names of the workflows that can be started."""
        return sorted(self._app.registry.workflows)

    def _handle_batch(self, event: Mapping[str, object], context: FunctionContext) -> Mapping[str, object]:
        response = handle(self._app, event, context)
        return response if isinstance(response, dict) else {}

    def _handle_dead_letters(self, event: Mapping[str, object], context: FunctionContext) -> Mapping[str, object]:
        return handle_dead_letters(self._app, event, context)

    def _answer(self, event: Mapping[str, object]) -> Mapping[str, object]:
        if event.get("rawPath") == _STATS_PATH:
            return self._stats()
        response = handle(self._app, event, FunctionContext())
        return response if isinstance(response, dict) else {"statusCode": 500}

    def _stats(self) -> Mapping[str, object]:
        """Counts of the emulated platform, which the product itself has no route for."""
        counts = self._poller.counts
        body = {
            "batches": counts.batches,
            "deliveries": counts.deliveries,
            "failures": counts.failures,
            "deadLetters": self._dead_letter_poller.counts.deliveries,
        }
        return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}
