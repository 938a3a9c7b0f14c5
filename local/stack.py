"""The whole product in one process: emulator, front, pollers and schedule around the real handlers."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from dispatcher import bootstrap
from dispatcher.dead_letter_handler import handle_dead_letters
from dispatcher.handler import handle
from dispatcher.settings import Settings
from dispatcher.sweep_handler import handle_schedule
from local.emulator import Emulator, EmulatorClients
from local.endpoints import Endpoints, endpoints_from
from local.events import FUNCTION_NAME, UPLOAD_BUCKET_NAME, EventDelivery, provision_events
from local.front import Front, PayloadFormat
from local.gate import KEEPER
from local.keeper import SAVE_SECONDS, Keeper
from local.own_routes import OwnRoutes
from local.poller import FunctionContext, Poller
from local.provision import BUCKET_NAME, Resources, ensure_bucket, provision
from local.reloader import Reloader, Watch
from local.requeue import requeue
from local.state_folder import StateFolder
from local.ticker import Ticker

DEFAULT_REGISTRY: Final = "workflows:registry"

PASSED_ON: Final = (
    "CORS_ORIGINS",
    "HTTP_ALLOWED_NETWORKS",
    "LOG_LEVEL",
    "REFLUXO_PLUGINS",
    "RETENTION_DAYS",
    "RUN_STEPS_MAX",
    "STEPS_PER_INVOCATION",
)
"""Variables of the caller's environment that the functions get too."""

IDLE_POLL_SECONDS: Final = 1.0
"""Nobody waits for a dead letter, so an idle stack asks for one less often than for a step."""


class PortTaken(RuntimeError):
    """Another process serves the port that was asked for."""


class LocalStack:
    """Everything the cloud stack has, on this machine, while the ``with`` block lasts.

    Args:
        registry: the user's registry, ``module:attribute``.
        port: of the HTTP front; 0 takes a free one. The emulator takes the next one if that is free.
        sweep_seconds: how often the sweep runs.
        data: folder in which the state is kept; without one it is in memory and goes with the stack.
        dynamodb_endpoint: address of another DynamoDB than the emulator's.
        endpoints: addresses of services that stand elsewhere, by boto3's names.
        environment: variables for the functions, besides those of the caller's own that are passed on.
        payload_format: of the events that requests become: ``2.0`` of an HTTP API, ``1.0`` of a REST API.
        watch: tells when the registry's files change, and has it loaded afresh then; without it nothing is watched.

    Raises:
        PortTaken: on entry, when the port is in use.
        InvalidEndpoint: an address is no URL.
        InvalidSettings, InvalidDefinition: on entry, when the registry or a variable that is passed on cannot be used.
        StateUnusable: on entry, when the folder cannot be used.
        WrongTable: on entry, when the table elsewhere is not one of this product's.
    """

    def __init__(
        self,
        *,
        registry: str = DEFAULT_REGISTRY,
        port: int = 0,
        sweep_seconds: float = 60,
        data: Path | None = None,
        dynamodb_endpoint: str | None = None,
        endpoints: Endpoints | None = None,
        environment: Mapping[str, str] | None = None,
        payload_format: PayloadFormat = "2.0",
        watch: Watch | None = None,
    ) -> None:
        self._registry = registry
        self._port = port
        self._sweep_seconds = sweep_seconds
        self._data = data
        self.elsewhere: Endpoints = {**(endpoints or {}), **endpoints_from({}, dynamodb=dynamodb_endpoint)}
        self._variables = dict(environment or {})
        self._payload_format: PayloadFormat = payload_format
        self._watch = watch
        self._exits = ExitStack()
        self.requeued = 0
        """Runs in motion that were found at the start, and sent to the queue again."""

    def __enter__(self) -> Self:
        with ExitStack() as exits:
            # The front first: its address is part of the functions' environment, and a taken port is told at
            # once. It answers when all is built.
            try:
                self._front = Front(self._answer, port=self._port, payload_format=self._payload_format)
            except OSError as error:
                raise PortTaken(
                    f"port {self._port} is in use ({error.strerror}); choose another by --port, or 0 for a free one"
                ) from None
            exits.callback(self._front.close)
            self._clients, resources = self._provide(exits)
            self._settings = self._settings_for(resources)
            self._rebuild()
            if self._data is not None or not resources.table_made:
                self.requeued = requeue(self._app)
            self._start_functions(exits, resources)
            if self._watch is not None:
                exits.enter_context(Reloader(self._registry, self._rebuild, self._watch))
            exits.enter_context(self._front)
            self._exits = exits.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        # All at once: each would otherwise wait for the one before.
        for function in self._functions:
            function.stop()
        self._exits.close()

    def _provide(self, exits: ExitStack) -> tuple[EmulatorClients, Resources]:
        """Everything that is no code: tables, queues, buckets, with what was kept in them."""
        folder = exits.enter_context(StateFolder(self._data)) if self._data is not None else None
        before = folder.load() if folder is not None else None
        emulator = exits.enter_context(Emulator(self._port + 1 if self._port else 0))
        self.emulator_url = emulator.url
        own = emulator.clients()
        clients = emulator.clients(self.elsewhere) if self.elsewhere else own
        signing_secret = before.signing_secret if before is not None else secrets.token_urlsafe(32)
        resources = provision(clients, signing_secret=signing_secret)
        ensure_bucket(own.s3(), UPLOAD_BUCKET_NAME)
        if folder is not None:
            keeper = Keeper(
                folder,
                emulator.clients(user_agent=KEEPER),
                emulator.gate,
                signing_secret=signing_secret,
                with_table="dynamodb" not in self.elsewhere,
                buckets=(UPLOAD_BUCKET_NAME,) if "s3" in self.elsewhere else (BUCKET_NAME, UPLOAD_BUCKET_NAME),
                before=before,
            )
            keeper.restore()
            exits.callback(keeper.save_if_changed)
            exits.enter_context(Ticker(keeper.save_if_changed, name="saving", period_seconds=SAVE_SECONDS))
        # After what was kept is back: an object that is put back is no upload.
        self._events_queue_url = provision_events(own)
        self._emulator_sqs = own.sqs()
        return clients, resources

    def _settings_for(self, resources: Resources) -> Settings:
        self.environment = resources.environment(self._front.url, self._registry)
        self.environment.update({name: os.environ[name] for name in PASSED_ON if name in os.environ})
        self.environment.update(self._variables)
        return Settings.from_env(self.environment)

    def _rebuild(self) -> None:
        """Puts an app of the code as it is now in the place of the one before, which ends what it has begun."""
        app = bootstrap.build(self._settings, self._clients)
        # A registry that cannot be used is told now, not by the first request.
        _ = app.registry
        self._app = app

    def _start_functions(self, exits: ExitStack, resources: Resources) -> None:
        sqs, events_sqs = self._clients.sqs(), self._emulator_sqs
        steps = Poller(sqs, resources.queue_url, self._handle_batch)
        dead_letters = Poller(
            sqs,
            resources.dead_letter_queue_url,
            self._handle_dead_letters,
            function_name="refluxo-dead-letters",
            poll_seconds=IDLE_POLL_SECONDS,
        )
        delivery = EventDelivery(lambda: self._app)
        events = Poller(events_sqs, self._events_queue_url, delivery.handle_batch, function_name=FUNCTION_NAME)
        sweep = Ticker(lambda: handle_schedule(self._app), period_seconds=self._sweep_seconds)
        self._functions: Sequence[Poller | Ticker] = (steps, dead_letters, events, sweep)
        self._own_routes = OwnRoutes(
            steps=steps,
            dead_letters=dead_letters,
            app=lambda: self._app,
            sqs=events_sqs,
            events_queue_url=self._events_queue_url,
        )
        for function in self._functions:
            exits.enter_context(function)

    @property
    def url(self) -> str:
        """Address of the HTTP API."""
        return self._front.url

    @property
    def app(self) -> bootstrap.App:
        """The app of the moment."""
        return self._app

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
        own = self._own_routes.answer(event)
        if own is not None:
            return own
        response = handle(self._app, event, FunctionContext())
        return response if isinstance(response, dict) else {"statusCode": 500}
