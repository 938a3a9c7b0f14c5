"""Who asks: signatures as AWS checks them, bearer tokens, and nobody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cli.http_client import Api
from cli.options import Remote
from cli.output import Output
from cli.signing import Signer, is_gateway, region_of, signer
from tests.cli.conftest import Cli
from tests.cli.service import Service

GATEWAY = "https://a1b2c3.execute-api.eu-central-1.amazonaws.com"
SECRETS = {"AKIDTEST": "a-secret"}
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Those of the environment, and none of this machine."""
    empty = tmp_path_factory.mktemp("aws") / "none"
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN", "REFLUXO_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(empty))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(empty))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDTEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRETS["AKIDTEST"])


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    """Signatures hold their time."""
    with time_machine.travel(NOW, tick=False):
        yield


def verified(event: Mapping[str, Any], region: str) -> bool:
    """What IAM does: signs what arrived with the key it knows, and compares."""
    headers = event["headers"]
    fields = dict(part.strip().split("=", 1) for part in headers["authorization"].partition(" ")[2].split(","))
    key, date, *scope = fields["Credential"].split("/")
    if [date, *scope] != [f"{NOW:%Y%m%d}", region, "execute-api", "aws4_request"]:
        return False
    query = f"?{event['rawQueryString']}" if event["rawQueryString"] else ""
    request = AWSRequest(
        event["requestContext"]["http"]["method"],
        f"http://{headers['host']}{event['rawPath']}{query}",
        data=event.get("body", ""),
        headers={
            name: headers[name] for name in fields["SignedHeaders"].split(";") if name not in {"x-amz-date", "host"}
        },
    )
    SigV4Auth(Credentials(key, SECRETS[key]), "execute-api", region).add_auth(request)
    return bool(request.headers["Authorization"] == headers["authorization"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["list", "--tag", "a b=c&d", "--limit", "3"],
        ["show", "run:1@x", "--no-graph"],
        ["signal", "o1", "decision", '{"ok": "ção"}', "--key", "k"],
        ["delete", "o1"],
        ["put", '{"name": "x", "nodes": [{"id": "a", "type": "core:set"}]}'],
    ],
)
def test_a_signature_is_the_one_that_aws_computes(arguments: list[str], cli: Cli, service: Service) -> None:
    """Of method, path, query and body as they arrived."""
    cli(*arguments, "--sign", "--region", "eu-west-3")
    event = service.events[-1]
    assert verified(event, "eu-west-3")
    assert not verified({**event, "rawQueryString": "limit=4"}, "eu-west-3")
    assert not verified(event, "eu-west-4")


def test_who_does_not_ask_for_it_is_not_signed(cli: Cli, service: Service) -> None:
    """The local stack has no use for it."""
    cli("list")
    assert "authorization" not in service.events[-1]["headers"]  # type: ignore[operator]


def test_addresses_of_api_gateway_are_known() -> None:
    """With their regions; others are signed for when told to."""
    assert (is_gateway(GATEWAY), region_of(f"{GATEWAY}/prod")) == (True, "eu-central-1")
    assert region_of("https://x.execute-api.cn-north-1.amazonaws.com.cn") == "cn-north-1"
    for other in ("https://execute-api.eu-central-1.amazonaws.com.evil.test", "https://api.example.com", "nonsense"):
        assert not is_gateway(other)


def test_an_address_of_api_gateway_is_signed_for_unless_told_not_to() -> None:
    """With its own region."""
    assert "region eu-central-1" in signer(GATEWAY, region=None, profile=None).who
    assert Remote(GATEWAY, Output(as_json=True)).api._who is not None
    assert Remote(GATEWAY, Output(as_json=True), sign=False).api._who is None


def test_a_session_token_is_sent_along(service: Service) -> None:
    """Temporary credentials are nothing without it."""
    signs = Signer(Credentials("AKIDTEST", "a-secret", "a-token"), "eu-west-3")
    Api(service.url, authorize=signs).get("/health")
    headers = service.events[-1]["headers"]
    assert isinstance(headers, dict)
    assert headers["x-amz-security-token"] == "a-token"


def test_a_refusal_tells_as_whom_was_asked(cli: Cli, service: Service) -> None:
    """The key's id, never its secret."""
    service.before = lambda _: {"statusCode": 403, "body": '{"message": "Forbidden"}'}
    result = cli("list", "--sign", "--region", "eu-west-3")
    assert result.exit_code == 4
    assert "403: Forbidden" in result.stderr
    assert "access key AKIDTEST (env), region eu-west-3" in result.stderr
    assert "execute-api:Invoke" in result.stderr
    assert "a-secret" not in result.stderr


def test_no_region_is_told(cli: Cli) -> None:
    """Before anything is sent."""
    result = cli("list", "--sign")
    assert result.exit_code == 2
    assert "--region" in result.stderr


def test_no_credentials_are_told(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the ways to have some."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    result = cli("list", "--sign", "--region", "eu-west-3")
    assert result.exit_code == 2
    assert "aws sso login" in result.stderr


def test_a_profile_that_is_none_is_told(cli: Cli) -> None:
    """By its name."""
    result = cli("list", "--sign", "--profile", "nobody")
    assert result.exit_code == 2
    assert "nobody" in result.stderr


def test_a_token_is_sent_as_bearer(cli: Cli, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """For an API with a JWT authorizer; a refusal says that it was the token."""
    monkeypatch.setenv("REFLUXO_TOKEN", "jwt")
    cli("list")
    headers = service.events[-1]["headers"]
    assert isinstance(headers, dict)
    assert headers["authorization"] == "Bearer jwt"
    service.before = lambda _: {"statusCode": 401, "body": "{}"}
    assert "the bearer of REFLUXO_TOKEN" in cli("list").stderr


def test_a_token_is_not_sent_in_the_open(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """But to this machine."""
    monkeypatch.setenv("REFLUXO_TOKEN", "jwt")
    result = cli("list", "--url", "http://api.example.com")
    assert result.exit_code == 2
    assert "https" in result.stderr
    assert "jwt" not in result.stderr


def test_a_redirect_is_not_followed(cli: Cli, service: Service) -> None:
    """What says who asks is for one address alone."""
    service.before = lambda _: {"statusCode": 307, "headers": {"location": f"{service.url}/runs"}, "body": "{}"}
    assert cli("list", "--sign", "--region", "eu-west-3").exit_code == 4
    assert len(service.events) == 1
