"""Worker processes over an emulated AWS, to be killed with SIGKILL: nothing of them runs after that.

Each worker is forked from a parent that has imported everything, so that another takes its place at once. Real
processes live in real time; nothing here waits for a time to pass, only for something to happen.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, NoReturn, Self

from dispatcher.bootstrap import App, aws_adapters
from dispatcher.queue_handler import handle_batch
from dispatcher.settings import Settings
from engine import Registry
from local.emulator import EmulatorClients
from local.poller import FunctionContext, failed_ids, queue_event
from local.provision import Resources

POLL_SECONDS: Final = 1

_SERVER: Final = """
import sys
from local.emulator import Emulator
with Emulator() as emulator:
    print(emulator.url, flush=True)
    sys.stdin.read()
"""


@contextmanager
def emulated_aws() -> Iterator[str]:
    """Moto's server in a process of its own, and its address."""
    with subprocess.Popen(  # noqa: S603  (our own server)
        [sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.kill()


def new_app(url: str, resources: Resources, registry: Registry) -> App:
    """A process's app, over clients of its own."""
    settings = Settings.from_env(resources.environment("https://api.test", "tests:registry"))
    return App(settings, aws_adapters(settings, EmulatorClients(url)), registry)


class Workers:
    """Workers that take one message at a time; each tells by one byte that it has handled one."""

    def __init__(self, url: str, resources: Resources, registry: Registry, *, count: int) -> None:
        self._url = url
        self._resources = resources
        self._registry = registry
        self._told, self._tells = os.pipe()
        self.kills = 0
        self._pids = [self._fork() for _ in range(count)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self._pids:
            _kill(pid)
        os.close(self._told)
        os.close(self._tells)

    def handled(self, *, patience_seconds: float) -> int:
        """Messages handled since the last look; waits for the first of them, and 0 when none comes for a while."""
        ready, _, _ = select.select([self._told], [], [], patience_seconds)
        return len(os.read(self._told, 64)) if ready else 0

    def kill(self, number: int) -> None:
        """Kills a worker wherever it is, and starts another in its place."""
        _kill(self._pids[number])
        self.kills += 1
        self._pids[number] = self._fork()

    def _fork(self) -> int:
        pid = os.fork()
        if pid == 0:
            self._work()
        return pid

    def _work(self) -> NoReturn:
        try:
            app = new_app(self._url, self._resources, self._registry)
            sqs = EmulatorClients(self._url).sqs()
            while True:
                answer = sqs.receive_message(
                    QueueUrl=self._resources.queue_url,
                    MaxNumberOfMessages=1,
                    WaitTimeSeconds=POLL_SECONDS,
                    MessageSystemAttributeNames=["All"],
                )
                for message in answer.get("Messages", []):
                    response = handle_batch(app, queue_event([message]), FunctionContext())
                    if message["MessageId"] not in failed_ids(response):
                        sqs.delete_message(QueueUrl=self._resources.queue_url, ReceiptHandle=message["ReceiptHandle"])
                    os.write(self._tells, b".")
        finally:
            # Not sys.exit: what the parent has registered is not the child's to run.
            os._exit(1)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
