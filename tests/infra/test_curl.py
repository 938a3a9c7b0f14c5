"""The line that starts a first run: it must work as pasted."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from jsonschema import Draft202012Validator

from infra.curl import EXAMPLE_WORKFLOW, signed_curl

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


def test_an_open_api_needs_no_signature() -> None:
    """The line is the same, less what signs."""
    assert "sigv4" not in signed_curl("https://api", "eu-west-1", "open-to-the-internet")


def test_a_token_is_sent_where_tokens_are_taken() -> None:
    """It stays in a variable of the shell."""
    line = signed_curl("https://api", "eu-west-1", "jwt")
    assert "sigv4" not in line
    assert argument(line, "--header") == "authorization: Bearer $TOKEN"
