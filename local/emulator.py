"""AWS on a port of this machine: moto's server, and clients that speak to it over HTTP."""

from __future__ import annotations

import logging
import threading
import urllib.request
from typing import TYPE_CHECKING, Final, Self

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

REGION: Final = "us-east-1"

# Any credentials do for an emulator; none of the caller's own are ever sent to it.
_ACCESS_KEY: Final = "local"


class EmulatorClients:
    """Clients of an emulator at an address."""

    def __init__(self, endpoint_url: str) -> None:
        self._endpoint_url = endpoint_url
        # A session of its own: no profile, no shared file and no variable of the caller's takes part.
        self._session = boto3.session.Session(
            aws_access_key_id=_ACCESS_KEY, aws_secret_access_key=_ACCESS_KEY, region_name=REGION
        )
        # A session makes one client at a time; some are made late, and the functions are threads here.
        self._making = threading.Lock()
        self._config = Config(retries={"mode": "standard", "max_attempts": 2}, connect_timeout=5, read_timeout=15)

    def dynamodb(self) -> DynamoDBClient:
        """A DynamoDB client."""
        with self._making:
            return self._session.client("dynamodb", endpoint_url=self._endpoint_url, config=self._config)

    def sqs(self) -> SQSClient:
        """An SQS client."""
        with self._making:
            return self._session.client("sqs", endpoint_url=self._endpoint_url, config=self._config)

    def s3(self) -> S3Client:
        """An S3 client; by path, for no name resolves to an emulator's bucket."""
        config = self._config.merge(Config(s3={"addressing_style": "path"}))
        with self._making:
            return self._session.client("s3", endpoint_url=self._endpoint_url, config=config)

    def cloudwatch(self) -> CloudWatchClient:
        """A CloudWatch client."""
        with self._making:
            return self._session.client("cloudwatch", endpoint_url=self._endpoint_url, config=self._config)

    def secretsmanager(self) -> SecretsManagerClient:
        """A Secrets Manager client."""
        with self._making:
            return self._session.client("secretsmanager", endpoint_url=self._endpoint_url, config=self._config)


class Emulator:
    """moto's server in a thread, on a free port of the loopback interface. Its state is in memory."""

    def __init__(self) -> None:
        # Slow to import, and its server logs each request unless told otherwise.
        from moto.server import ThreadedMotoServer  # noqa: PLC0415

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)

    @property
    def url(self) -> str:
        """Its address, once it runs."""
        host, port = self._server.get_host_and_port()
        return f"http://{host}:{port}"

    def clients(self) -> EmulatorClients:
        """Clients of it."""
        return EmulatorClients(self.url)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            # moto's state is the process's, not the server's: the next emulator must not begin with it.
            reset = urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")  # noqa: S310  (its own URL)
            urllib.request.urlopen(reset, timeout=5).close()  # noqa: S310
        finally:
            self._server.stop()
