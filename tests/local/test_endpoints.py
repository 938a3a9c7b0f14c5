"""Services elsewhere: which they are, and whose credentials they see."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from local.emulator import EmulatorClients
from local.endpoints import InvalidEndpoint, endpoints_from, on_this_machine

ALL = ("cloudwatch", "dynamodb", "s3", "secretsmanager", "sqs")


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, {}),
        ({"AWS_ENDPOINT_URL": ""}, {}),
        ({"AWS_ENDPOINT_URL_DYNAMODB": "http://db:8000/"}, {"dynamodb": "http://db:8000"}),
        ({"AWS_ENDPOINT_URL": "http://all:1"}, dict.fromkeys(ALL, "http://all:1")),
        (
            {"AWS_ENDPOINT_URL": "http://all:1", "AWS_ENDPOINT_URL_SQS": "http://q:2"},
            {**dict.fromkeys(ALL, "http://all:1"), "sqs": "http://q:2"},
        ),
        ({"AWS_ENDPOINT_URL": "http://all:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "TRUE"}, {}),
    ],
)
def test_the_environment_is_read_as_botocore_reads_it(environ: Mapping[str, str], found: Mapping[str, str]) -> None:
    """One service's variable goes before that of all; empty is none."""
    assert endpoints_from(environ) == found


def test_what_is_said_aloud_goes_first() -> None:
    """Even where the environment's are to be ignored."""
    environ = {"AWS_ENDPOINT_URL_DYNAMODB": "http://db:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
    assert endpoints_from(environ, dynamodb="http://mine:2") == {"dynamodb": "http://mine:2"}


@pytest.mark.parametrize("url", ["db:8000", "http://", "ftp://db", "http://db:port", "http://[", "http://db:0"])
def test_an_address_that_is_none_is_told_with_its_name(url: str) -> None:
    """The option or the variable, and a form that works."""
    with pytest.raises(InvalidEndpoint, match=r"--dynamodb-endpoint .* must be a URL such as http"):
        endpoints_from({}, dynamodb=url)
    with pytest.raises(InvalidEndpoint, match="AWS_ENDPOINT_URL_S3 is"):
        endpoints_from({"AWS_ENDPOINT_URL_S3": url})


@pytest.mark.parametrize(
    ("url", "is_here"),
    [
        ("http://127.0.0.1:8000", True),
        ("http://127.9.9.9", True),
        ("http://localhost:8000", True),
        ("http://dynamodb.localhost:8000", True),
        ("http://[::1]:8000", True),
        ("http://10.0.0.1", False),
        ("http://localhost.example.com", False),
        ("https://dynamodb.eu-west-1.amazonaws.com", False),
    ],
)
def test_this_machine_is_the_loopback_interface(url: str, is_here: bool) -> None:
    """And nothing that only looks like it."""
    assert on_this_machine(url) is is_here


def test_nothing_on_this_machine_sees_the_callers_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the emulator nor what stands beside it; a host elsewhere, which the caller has named, does."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "the-callers-own")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    elsewhere = {"dynamodb": "http://127.0.0.1:8000", "sqs": "https://sqs.example.com"}
    clients = EmulatorClients("http://127.0.0.1:9", elsewhere)
    assert _access_key(clients.s3()) == _access_key(clients.dynamodb()) == "local"
    assert clients.dynamodb().meta.endpoint_url == "http://127.0.0.1:8000"
    assert _access_key(clients.sqs()) == "the-callers-own"
    assert clients.sqs().meta.region_name == "eu-west-1"


def test_each_client_is_made_once() -> None:
    """A reload makes no new connections."""
    clients = EmulatorClients("http://127.0.0.1:9")
    assert clients.sqs() is clients.sqs()


def _access_key(client: object) -> str:
    return str(client._request_signer._credentials.access_key)  # type: ignore[attr-defined]
