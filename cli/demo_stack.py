"""What the demo runs on: the local stack, the small server that a workflow asks, and a bucket to put a file into.

Loading the emulator takes a second or two, so this is imported when there is something to see meanwhile.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

import workflows
from cli.failures import USAGE, CommandError
from local import LocalStack
from local.demo_server import DemoServer
from local.emulator import EmulatorClients
from local.events import UPLOAD_BUCKET_NAME
from local.stack import PortTaken

_REGISTRY: Final = "workflows:registry"
_ENVIRONMENT: Final = {"HTTP_ALLOWED_NETWORKS": "127.0.0.0/8"}
"""The small server is on this machine, which ``core:http`` else refuses to call."""

_ORDERS: Final = Path(str(workflows.__file__)).parent / "data" / "orders.csv"


class DemoStack:
    """All of it, while the ``with`` block lasts.

    Args:
        port: of the HTTP API; 0 takes a free one.

    Raises:
        CommandError: on entry, when the port is in use.
    """

    def __init__(self, *, port: int) -> None:
        self._stack = LocalStack(registry=_REGISTRY, port=port, environment=_ENVIRONMENT)
        self._shop = DemoServer()
        self._exits = ExitStack()
        self.definitions = workflows.registry.workflows

    def __enter__(self) -> Self:
        with ExitStack() as exits:
            exits.enter_context(self._shop)
            try:
                exits.enter_context(self._stack)
            except PortTaken as taken:
                raise CommandError(str(taken), USAGE) from None
            self._exits = exits.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    @property
    def url(self) -> str:
        """Address of the HTTP API."""
        return self._stack.url

    @property
    def emulator_url(self) -> str:
        """Address of the emulated AWS."""
        return self._stack.emulator_url

    @property
    def shop_url(self) -> str:
        """Address of the small server."""
        return self._shop.url

    def upload(self, key: str) -> int:
        """Puts the file of orders that ships with the kit into the bucket, as any client of S3 would.

        Returns:
            Its size in bytes.
        """
        body = _ORDERS.read_bytes()
        EmulatorClients(self.emulator_url).s3().put_object(Bucket=UPLOAD_BUCKET_NAME, Key=key, Body=body)
        return len(body)
