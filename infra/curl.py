"""The line a new user pastes to start a first run on a fresh deployment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from infra.settings import Authorizer

EXAMPLE_WORKFLOW: Final = "content-approval"
"""One that ships in workflows/."""

EXAMPLE_INPUT: Final[Mapping[str, str]] = {"title": "Hello", "text": "A first run on a fresh deployment."}


def signed_curl(url: str, region: str, authorizer: Authorizer) -> str:
    """A curl command (7.75 or later) that signs with the credentials in the shell's environment."""
    body = json.dumps({"input": EXAMPLE_INPUT})
    return (
        f"curl {_authority(region, authorizer)}--header 'content-type: application/json' --data '{body}' "
        f"{url}/workflows/{EXAMPLE_WORKFLOW}/runs"
    )


def _authority(region: str, authorizer: Authorizer) -> str:
    match authorizer:
        case "iam":
            # curl drops a header without a value, so the line also works with keys that have no session token.
            return (
                f'--aws-sigv4 "aws:amz:{region}:execute-api" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" '
                '--header "x-amz-security-token: $AWS_SESSION_TOKEN" '
            )
        case "jwt":
            return '--header "authorization: Bearer $TOKEN" '
        case "open-to-the-internet":
            return ""
