"""The line that starts a first run: it must work as pasted."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from jsonschema import Draft202012Validator

from infra.curl import EXAMPLE_WORKFLOW, signed_curl
from local.front import Front

DEFINITIONS = Path(__file__).resolve().parent.parent.parent / "workflows" / "definitions"


def argument(line: str, option: str) -> str:
    """What the shell would give an option of the command."""
    words = shlex.split(line)
    return words[words.index(option) + 1]


def test_the_example_is_a_workflow_that_ships_and_takes_the_input() -> None:
    """The body is JSON that the workflow's own schema accepts."""
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in DEFINITIONS.glob("*.json")]
    (definition,) = (document for document in documents if document["name"] == EXAMPLE_WORKFLOW)
    body = json.loads(argument(signed_curl("https://api", "eu-west-1", "iam"), "--data"))
    assert Draft202012Validator(definition["input"]).is_valid(body["input"])


def test_it_signs_for_the_api_with_the_callers_credentials() -> None:
    """Keys stay in the shell's variables, the URL comes last."""
    line = signed_curl("https://api", "eu-west-1", "iam")
    assert argument(line, "--aws-sigv4") == "aws:amz:eu-west-1:execute-api"
    assert argument(line, "--user") == "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"
    assert line.endswith(" https://api/workflows/content-approval/runs")


def signature(event: Mapping[str, Any], credentials: Credentials) -> str:
    """What AWS computes of what arrived."""
    headers = event["headers"]
    _, _, signed = headers["authorization"].partition("SignedHeaders=")
    names = set(signed.partition(",")[0].split(";")) - {"host", "x-amz-date"}
    url = f"http://{headers['host']}{event['rawPath']}"
    request = AWSRequest("POST", url, data=event["body"], headers={name: headers[name] for name in names})
    with time_machine.travel(
        datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC), tick=False
    ):
        SigV4Auth(credentials, "execute-api", "eu-west-1").add_auth(request)
    return str(request.headers["Authorization"])


@pytest.mark.parametrize("shell", ["sh", "bash", "zsh"])
@pytest.mark.parametrize("token", [None, "a/session+token="], ids=["user", "session"])
def test_what_arrives_is_what_was_signed(shell: str, token: str | None) -> None:
    """The line as a shell runs it, with the keys of a user and with those of a session."""
    if not (shutil.which(shell) and shutil.which("curl")):
        pytest.skip(f"there is no {shell} or no curl here")
    events: list[Mapping[str, Any]] = []

    def answer(event: Mapping[str, Any]) -> Mapping[str, object]:
        events.append(event)
        return {"statusCode": 202, "body": "{}"}

    keys = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "a/secret+key"}
    session = {"AWS_SESSION_TOKEN": token} if token else {}
    with Front(answer) as front:
        subprocess.run(  # noqa: S603  (our own line)
            [shell, "-c", f"{signed_curl(front.url, 'eu-west-1', 'iam')} --silent --fail"],
            env={"PATH": os.environ["PATH"], "NO_PROXY": "*", **keys, **session},
            check=True,
            capture_output=True,
        )
    (event,) = events
    assert json.loads(event["body"])["input"]
    assert event["headers"].get("x-amz-security-token") == token
    assert event["headers"]["authorization"] == signature(event, Credentials("AKIDEXAMPLE", "a/secret+key", token))


def test_an_open_api_needs_no_signature() -> None:
    """The line is the same, less what signs."""
    assert "sigv4" not in signed_curl("https://api", "eu-west-1", "open-to-the-internet")


def test_a_token_is_sent_where_tokens_are_taken() -> None:
    """It stays in a variable of the shell."""
    line = signed_curl("https://api", "eu-west-1", "jwt")
    assert "sigv4" not in line
    assert argument(line, "--header") == "authorization: Bearer $TOKEN"
