"""AWS on a port of this machine: moto's server, and clients that speak to it over HTTP."""

from __future__ import annotations

import logging
import socket
import threading
import urllib.request
from functools import cache
from typing import TYPE_CHECKING, Final, Literal, Self

import boto3
from botocore.config import Config

from local.endpoints import Endpoints, on_this_machine
from local.gate import Gate

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from werkzeug.serving import BaseWSGIServer

REGION: Final = "us-east-1"

# Any credentials do for an emulator; none of the caller's own are ever sent to it.
_ACCESS_KEY: Final = "local"

# A session makes one client at a time; some are made late, and the functions are threads here.
_MAKING: Final = threading.Lock()

_STOP_POLL_SECONDS: Final = 0.05

_Service = Literal["cloudwatch", "dynamodb", "events", "s3", "secretsmanager", "sqs"]


class EmulatorClients:
    """Clients of an emulator at an address, each made once.

    Args:
        endpoint_url: the emulator's.
        elsewhere: the services that are not the emulator's.
        user_agent: what the requests say they come from, besides botocore's own words.
    """

    def __init__(self, endpoint_url: str, elsewhere: Endpoints | None = None, *, user_agent: str | None = None) -> None:
        self._endpoint_url = endpoint_url
        self._elsewhere = elsewhere or {}
        self._made: dict[str, object] = {}
        self._config = Config(
            retries={"mode": "standard", "max_attempts": 2},
            connect_timeout=5,
            read_timeout=15,
            user_agent_extra=user_agent,
            # By path, for no name resolves to an emulator's bucket.
            s3={"addressing_style": "path"},
        )

    def dynamodb(self) -> DynamoDBClient:
        """A DynamoDB client."""
        client: DynamoDBClient = self._client("dynamodb")  # type: ignore[assignment]
        return client

    def sqs(self) -> SQSClient:
        """An SQS client."""
        client: SQSClient = self._client("sqs")  # type: ignore[assignment]
        return client

    def s3(self) -> S3Client:
        """An S3 client."""
        client: S3Client = self._client("s3")  # type: ignore[assignment]
        return client

    def cloudwatch(self) -> CloudWatchClient:
        """A CloudWatch client."""
        client: CloudWatchClient = self._client("cloudwatch")  # type: ignore[assignment]
        return client

    def secretsmanager(self) -> SecretsManagerClient:
        """A Secrets Manager client."""
        client: SecretsManagerClient = self._client("secretsmanager")  # type: ignore[assignment]
        return client

    def events(self) -> EventBridgeClient:
        """An EventBridge client."""
        client: EventBridgeClient = self._client("events")  # type: ignore[assignment]
        return client

    def _client(self, service: _Service) -> object:
        with _MAKING:
            if service not in self._made:
                url = self._elsewhere.get(service, self._endpoint_url)
                self._made[service] = _session_for(url).client(service, endpoint_url=url, config=self._config)
            return self._made[service]


@cache
def _session() -> boto3.session.Session:
    """A session of its own: no profile, no shared file and no variable of the caller's takes part.

    One for the process, for each session reads the descriptions of the services anew.
    """
    return boto3.session.Session(aws_access_key_id=_ACCESS_KEY, aws_secret_access_key=_ACCESS_KEY, region_name=REGION)


def _session_for(url: str) -> boto3.session.Session:
    if on_this_machine(url):
        return _session()
    own = boto3.session.Session()
    if own.get_credentials() is None:
        return _session()
    return boto3.session.Session(region_name=own.region_name or REGION)


class Emulator:
    """moto's server in a thread, on the loopback interface. Its state is in memory.

    Args:
        port: the one it takes if it is free; else, and with 0, it takes any.
    """

    def __init__(self, port: int = 0) -> None:
        # Slow to import, and its server logs each request unless told otherwise.
        from moto.moto_server.werkzeug_app import (  # noqa: PLC0415
            DomainDispatcherApplication,
            MotoRequestHandler,
            create_backend_app,
        )
        from werkzeug.serving import make_server  # noqa: PLC0415

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.gate = Gate(DomainDispatcherApplication(create_backend_app))
        with _listening(port) as listening:
            self._server: BaseWSGIServer = make_server(
                "127.0.0.1",
                listening.getsockname()[1],
                self.gate,
                threaded=True,
                request_handler=MotoRequestHandler,
                fd=listening.fileno(),
            )
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_STOP_POLL_SECONDS,), name="emulator", daemon=True
        )

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.port}"

    def clients(self, elsewhere: Endpoints | None = None, *, user_agent: str | None = None) -> EmulatorClients:
        """Clients of it, but for the services that are elsewhere."""
        return EmulatorClients(self.url, elsewhere, user_agent=user_agent)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            # moto's state is the process's, not the server's: the next emulator must not begin with it.
            reset = urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")  # noqa: S310  (its own URL)
            urllib.request.urlopen(reset, timeout=5).close()  # noqa: S310
        finally:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()


def _listening(port: int) -> socket.socket:
    """A socket at that port of the loopback interface, or at a free one."""
    try:
        return _listening_at(port)
    except OSError:
        return _listening_at(0)


def _listening_at(port: int) -> socket.socket:
    listening = socket.socket()
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen()
    except BaseException:
        listening.close()
        raise
    return listening
