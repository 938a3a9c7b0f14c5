"""Which services stand elsewhere than in the emulator, and whose credentials they are sent.

The names are botocore's own: ``AWS_ENDPOINT_URL`` for all services, ``AWS_ENDPOINT_URL_DYNAMODB`` and the like for
one. What is on this machine gets made-up credentials, as the emulator does. Whoever names another host means it, so
that one gets what boto3 finds; made-up ones when it finds none.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Final, TypeAlias
from urllib.parse import urlsplit

Endpoints: TypeAlias = Mapping[str, str]
"""Addresses by boto3's name of the service; a service that is not in it is the emulator's."""

# boto3's name of each service whose place can be chosen, and botocore's in the environment.
_VARIABLES: Final = {
    "dynamodb": "AWS_ENDPOINT_URL_DYNAMODB",
    "sqs": "AWS_ENDPOINT_URL_SQS",
    "s3": "AWS_ENDPOINT_URL_S3",
    "secretsmanager": "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "cloudwatch": "AWS_ENDPOINT_URL_CLOUDWATCH",
}
_ALL: Final = "AWS_ENDPOINT_URL"
_IGNORED: Final = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"


class InvalidEndpoint(ValueError):
    """The address of a service is none; names the option or variable."""


def endpoints_from(environ: Mapping[str, str], *, dynamodb: str | None = None) -> Endpoints:
    """Reads the environment.

    Args:
        environ: the caller's.
        dynamodb: the address of DynamoDB said aloud, which goes before the environment's.

    Raises:
        InvalidEndpoint: an address is no http or https URL.
    """
    found: dict[str, str] = {}
    if environ.get(_IGNORED, "").lower() != "true":
        for service, variable in _VARIABLES.items():
            name = variable if environ.get(variable) else _ALL
            if environ.get(name):
                found[service] = _checked(name, environ[name])
    if dynamodb is not None:
        found["dynamodb"] = _checked("--dynamodb-endpoint", dynamodb)
    return found


def on_this_machine(url: str) -> bool:
    """Whether an address is of the loopback interface, so that nothing sent to it leaves the machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked(name: str, url: str) -> str:
    if not _is_address(url):
        raise InvalidEndpoint(f"{name} is {url!r}; it must be a URL such as http://127.0.0.1:8000")
    return url.rstrip("/")


def _is_address(url: str) -> bool:
    try:
        split = urlsplit(url)
        return split.scheme in {"http", "https"} and bool(split.hostname) and split.port != 0
    except ValueError:
        return False
