"""The SecretSource on AWS Secrets Manager."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dispatcher.errors import calling_aws

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


class SecretsManagerSecret:
    """Reads the signing secret when it is first needed; most invocations never do.

    Args:
        connect: makes the client, then and not before.
        secret_id: name or ARN of the secret.
    """

    def __init__(self, connect: Callable[[], SecretsManagerClient], secret_id: str) -> None:
        self._connect = connect
        self._secret_id = secret_id
        self._secret: bytes | None = None

    def signing_secret(self) -> bytes:
        """See SecretSource."""
        if self._secret is None:
            with calling_aws():
                answer = self._connect().get_secret_value(SecretId=self._secret_id)
            self._secret = answer["SecretString"].encode()
        return self._secret
