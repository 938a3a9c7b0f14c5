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


# The keys of a user have no session token, and curl signs a header without a value but does not send it: so another
# stands in its place. It is one argument in every shell, for not all of them split what a variable holds.
_TOKEN_HEADER: Final = "${AWS_SESSION_TOKEN:+x-amz-security-token: }${AWS_SESSION_TOKEN:-accept: application/json}"  # noqa: S105


def signed_curl(url: str, region: str, authorizer: Authorizer) -> str:
    """A curl command (7.75 or later) that signs with the credentials in the shell's environment, of whatever kind."""
    body = json.dumps({"input": EXAMPLE_INPUT})
    return (
        f"curl {_authority(region, authorizer)}--header 'content-type: application/json' --data '{body}' "
        f"{url}/workflows/{EXAMPLE_WORKFLOW}/runs"
    )


def _authority(region: str, authorizer: Authorizer) -> str:
    match authorizer:
        case "iam":
            return (
                f'--aws-sigv4 "aws:amz:{region}:execute-api" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" '
                f'--header "{_TOKEN_HEADER}" '
            )
        case "jwt":
            return '--header "authorization: Bearer $TOKEN" '
        case "open-to-the-internet":
            return ""
