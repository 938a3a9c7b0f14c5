"""AWS Signature Version 4 for calls of the API, made by botocore with the caller's own credentials."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from cli.failures import USAGE, CommandError

if TYPE_CHECKING:
    from botocore.credentials import Credentials

SERVICE: Final = "execute-api"

_GATEWAY: Final = re.compile(r"[a-z0-9-]+\.execute-api\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?")


def is_gateway(url: str) -> bool:
    """Whether an address is API Gateway's own, which takes signed requests."""
    return _GATEWAY.fullmatch(urlsplit(url).hostname or "") is not None


def region_of(url: str) -> str | None:
    """The region that an address of API Gateway names."""
    match = _GATEWAY.fullmatch(urlsplit(url).hostname or "")
    return None if match is None else match["region"]


class Signer:
    """Signs requests.

    Args:
        credentials: whose; temporary ones are renewed as botocore does.
        region: of the API.
    """

    def __init__(self, credentials: Credentials, region: str) -> None:
        self._credentials = credentials
        self._region = region

    def __call__(self, method: str, url: str, body: bytes | None) -> Mapping[str, str]:
        """The headers that sign a request."""
        from botocore.auth import SigV4Auth  # noqa: PLC0415  (botocore is loaded for those who sign)
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415

        request = AWSRequest(method, url, data=body or b"")
        SigV4Auth(self._credentials.get_frozen_credentials(), SERVICE, self._region).add_auth(request)
        return {name: str(value) for name, value in request.headers.items()}

    @property
    def who(self) -> str:
        """As whom, for an error to tell: the access key's id is no secret."""
        return f"access key {self._credentials.access_key} ({self._credentials.method}), region {self._region}"


def signer(url: str, *, region: str | None, profile: str | None) -> Signer:
    """A signer with the credentials that botocore finds: environment, profile, SSO, instance.

    Args:
        url: the API's address, which names its region when it is API Gateway's own.
        region: the region, before any other that is found.
        profile: a profile of the AWS configuration.

    Raises:
        CommandError: there are no credentials, no such profile, or no region.
    """
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415  (botocore is loaded for those who sign)
    from botocore.session import Session  # noqa: PLC0415

    try:
        session = Session(profile=profile)
        credentials = session.get_credentials()
        found = region or region_of(url) or session.get_config_variable("region")
    except BotoCoreError as error:
        raise CommandError(f"no AWS credentials: {error}", USAGE, advice="aws configure list-profiles") from None
    if credentials is None:
        advice = "run aws sso login or aws configure, give --profile, or set AWS_ACCESS_KEY_ID and its companions"
        raise CommandError("there are no AWS credentials to sign with", USAGE, advice=advice)
    if found is None:
        advice = "give --region, or set AWS_REGION"
        raise CommandError(f"{url} does not tell its region, which a signature needs", USAGE, advice=advice)
    return Signer(credentials, str(found))
