"""``refluxo local``: the local stack until somebody stops it, with what a person at a terminal wants to know."""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final, Self

from botocore.exceptions import BotoCoreError, ClientError

from engine.errors import InvalidDefinition
from engine.registry_path import registry_at
from local.endpoints import endpoints_from
from local.env_file import load_env_file
from local.front import PayloadFormat
from local.greeting import DEFAULT_PORT, document_of, greeting
from local.own_errors import told
from local.reloader import watch_files
from local.stack import DEFAULT_REGISTRY, LocalStack, PortTaken
from local.step_lines import telling_steps

STOPPED: Final = 0
CANNOT_START: Final = 2

_SIGNAL_POLL_SECONDS: Final = 0.1

# Powertools' own, as the cloud stack sets them; the plugins read them.
_POWERTOOLS: Final = {"POWERTOOLS_METRICS_NAMESPACE": "Refluxo", "POWERTOOLS_SERVICE_NAME": "refluxo-local"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What can be said on the command line.

    Args:
        registry: ``module:attribute``, looked for from the current folder.
        port: of the HTTP API; 0 takes a free one.
        data: folder in which the state is kept; None keeps it in memory.
        dynamodb_endpoint: address of another DynamoDB.
        env_file: variables for the user's code; None is ``.env``, if there is one.
        reload: whether the registry is loaded afresh when its files change.
        sweep_seconds: how often the sweep runs.
        payload_format: of the events that requests become.
        as_json: whether it says where it serves in one line of JSON, for programs, and an error as a problem document
            (RFC 9457).
    """

    registry: str = DEFAULT_REGISTRY
    port: int = DEFAULT_PORT
    data: Path | None = None
    dynamodb_endpoint: str | None = None
    env_file: Path | None = None
    reload: bool = True
    sweep_seconds: float = 60
    payload_format: PayloadFormat = "2.0"
    as_json: bool = False


def serve(options: ServeOptions) -> int:
    """Serves until Ctrl-C or SIGTERM. Called in the main thread, which signals reach.

    Returns:
        0 when it was stopped, 2 when it could not start, and why is said.
    """
    sys.path.insert(0, "")  # the registry is looked for where the command is called
    try:
        with telling_steps(), _Signals() as signals:
            load_env_file(options.env_file, os.environ)
            if (why := _unusable(options.registry)) is not None:
                return _cannot_start(why, as_json=options.as_json)
            with _stack(options) as stack:
                _say(document_of(stack, data=options.data) if options.as_json else _greeting(stack, options))
                signals.wait()
                if not options.as_json:
                    _say("\nstopping")
    except (PortTaken, InvalidDefinition, ValueError) as error:
        return _cannot_start(str(error), as_json=options.as_json)
    except (BotoCoreError, ClientError) as error:
        advice = "are --dynamodb-endpoint and the AWS_ENDPOINT_URL variables right, and is what they name up?"
        return _cannot_start(f"{error}; {advice}", as_json=options.as_json)
    # The process ends now, and what is loaded with it: to look it through for garbage first would take seconds.
    gc.freeze()
    return STOPPED


def _greeting(stack: LocalStack, options: ServeOptions) -> str:
    return greeting(stack, data=options.data, reloads=options.reload)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()  # a pipe's reader waits for it


def _cannot_start(why: str, *, as_json: bool) -> int:
    problem = json.dumps({"type": "about:blank", "title": "Command failed", "detail": why})
    sys.stderr.write(f"{problem if as_json else f'refluxo: {why}'}\n")
    return CANNOT_START


def _unusable(registry: str) -> str | None:
    """Why the user's own code cannot be loaded, if it cannot: told before all that takes a second."""
    try:
        registry_at(registry)
    except ValueError as error:
        return f"--registry {registry}: {error}"
    except Exception as error:  # noqa: BLE001  (whatever a module of theirs raises)
        return told(error, Path.cwd())
    return None


def _stack(options: ServeOptions) -> LocalStack:
    for name, value in _POWERTOOLS.items():
        os.environ.setdefault(name, value)
    return LocalStack(
        registry=options.registry,
        port=options.port,
        sweep_seconds=options.sweep_seconds,
        data=options.data,
        endpoints=endpoints_from(os.environ, dynamodb=options.dynamodb_endpoint),
        payload_format=options.payload_format,
        watch=watch_files if options.reload else None,
    )


class _Signals:
    """Ctrl-C and SIGTERM, taken while the block lasts; a second one while it stops ends the process as ever."""

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._came = False

    def wait(self) -> None:
        """Until one comes."""
        # Not by an Event: a handler that sets one while its owner is about to wait for it would wait for its owner.
        while not self._came:
            time.sleep(_SIGNAL_POLL_SECONDS)

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        self._restore()
        self._came = True

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._take) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()
