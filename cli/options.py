"""Options that many commands share, and the values that they take."""

from __future__ import annotations

import functools
import json
import os
import re
import sys
import time
from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar
from urllib.parse import SplitResult, urlsplit

import click

from cli.failures import USAGE, CommandError
from cli.http_client import LOOPBACK, TIMEOUT_SECONDS, Api
from cli.output import Output

DEFAULT_URL: Final = "http://127.0.0.1:8080"
DEFAULT_REGISTRY: Final = "workflows:registry"
PORT_MAX: Final = 65_535

_P = ParamSpec("_P")
_R = TypeVar("_R")
_F = TypeVar("_F", bound=Callable[..., object])


def examples(*lines: str) -> str:
    """The end of a help text: how the command is used."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


class Remote:
    """The API that a command talks to, and what it prints.

    Args:
        url: the API's address.
        region: of the API, for its signature.
        profile: AWS profile to sign with.
        sign: whether to sign; None signs for addresses of API Gateway.
        token: a bearer token for an API that takes JWTs; who has one signs only when told to.
        output: where results go.
    """

    def __init__(
        self,
        url: str,
        output: Output,
        *,
        region: str | None = None,
        profile: str | None = None,
        sign: bool | None = None,
        token: str | None = None,
    ) -> None:
        self.url = url
        self.output = output
        self._region = region
        self._profile = profile
        self._sign = sign
        self._token = token

    @cached_property
    def api(self) -> Api:
        """The API, asked as whoever the caller is."""
        return self.connect()

    def connect(self, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Api:
        """A client of the API.

        Raises:
            CommandError: the address or the credentials cannot be used.
        """
        split = address(self.url)
        if self._token is not None and self._sign is not True:
            if split.scheme != "https" and split.hostname not in LOOPBACK:
                raise CommandError(f"REFLUXO_TOKEN is not sent to {self.url}: give an https address", USAGE)
            header = {"authorization": f"Bearer {self._token}"}
            return Api(
                self.url,
                authorize=lambda *_: header,
                who="the bearer of REFLUXO_TOKEN",
                timeout_seconds=timeout_seconds,
            )
        from cli.signing import is_gateway, signer  # noqa: PLC0415  (most calls are to the local stack)

        if self._sign is True or (self._sign is None and is_gateway(self.url)):
            signs = signer(self.url, region=self._region, profile=self._profile)
            return Api(self.url, authorize=signs, who=signs.who, timeout_seconds=timeout_seconds)
        return Api(self.url, timeout_seconds=timeout_seconds)


def address(url: str) -> SplitResult:
    """An address, taken apart.

    Raises:
        CommandError: it is none that can be called.
    """
    try:
        split = urlsplit(url)
        if split.scheme in {"http", "https"} and split.hostname and split.port != 0:
            return split
    except ValueError:
        pass
    raise CommandError(f"{url!r} is no address; it must be http(s)://HOST[:PORT]", USAGE, advice="give --url")


def remote_of(parameters: dict[str, object]) -> Remote:
    """The API that parsed options name; those that are missing have their defaults."""
    url, region, profile = (parameters.pop(name, None) for name in ("url", "region", "profile"))
    sign = parameters.pop("sign", None)
    return Remote(
        str(url or os.environ.get("REFLUXO_URL") or DEFAULT_URL),
        Output(as_json=parameters.pop("as_json", False) is True),
        region=None if region is None else str(region),
        profile=None if profile is None else str(profile),
        sign=sign if isinstance(sign, bool) else None,
        token=os.environ.get("REFLUXO_TOKEN") or None,
    )


def calls_api(function: Callable[Concatenate[Remote, _P], _R]) -> Callable[_P, _R]:
    """Gives a command the options that say which API and as whom; its first argument is a :class:`Remote`."""

    @functools.wraps(function)
    def called(*args: _P.args, **options: _P.kwargs) -> _R:
        return function(remote_of(options), *args, **options)

    decorated: Callable[_P, _R] = called
    for option in reversed(
        (
            click.option(
                "--url", envvar="REFLUXO_URL", default=DEFAULT_URL, show_default=True, help="The API's address."
            ),
            click.option(
                "--sign/--no-sign", default=None, help="Sign with AWS credentials (default: for API Gateway)."
            ),
            click.option("--profile", envvar="AWS_PROFILE", metavar="NAME", help="AWS profile to sign with."),
            click.option("--region", envvar="AWS_REGION", metavar="NAME", help="AWS region, if the address has none."),
            json_option,
        )
    ):
        decorated = option(decorated)
    return decorated


def json_option(function: _F) -> _F:
    """``--json``: the documents of the HTTP API, for programs."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON; errors as problem documents.")(function)


def registry_option(function: _F) -> _F:
    """``--registry``: the workflows and node types of this machine."""
    return click.option(
        "--registry",
        envvar="REFLUXO_REGISTRY",
        default=DEFAULT_REGISTRY,
        show_default=True,
        metavar="MODULE:NAME",
        help="Your registry.",
    )(function)


def reason_option(function: _F) -> _F:
    """``--reason``: kept in the run's history."""
    return click.option("--reason", metavar="TEXT", help="Why; kept in the run's history.")(function)


def interval_option(function: _F) -> _F:
    """``--interval``: how often something that changes is looked at."""
    return click.option(
        "--interval",
        type=click.FloatRange(min=0),
        default=1.0,
        show_default=True,
        metavar="SECONDS",
        help="Time between two looks.",
    )(function)


class Json(click.ParamType[object]):
    """JSON as an argument, from a file (``@file``) or from standard input (``-``)."""

    name = "JSON|@FILE|-"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """See click."""
        if not isinstance(value, str):
            return value
        try:
            if value == "-":
                text = sys.stdin.read()
            else:
                text = Path(value[1:]).read_text(encoding="utf-8") if value.startswith("@") else value
        except (OSError, UnicodeDecodeError) as error:
            self.fail(f"{value[1:]} cannot be read: {error}", param, ctx)
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            remedy = "; text needs its quotes, as in '\"yes\"'" if value != "-" and value[:1] != "@" else ""
            self.fail(f"this is not JSON: {error}{remedy}", param, ctx)


class JsonFile(Json):
    """As :class:`Json`; what cannot begin a JSON object or list is a file's name."""

    name = "FILE|JSON|-"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """See click."""
        is_file = isinstance(value, str) and value != "-" and not value.lstrip().startswith(("{", "[", "@"))
        return super().convert(f"@{value}" if is_file else value, param, ctx)


class Pair(click.ParamType[tuple[str, str]]):
    """``KEY=VALUE``."""

    name = "KEY=VALUE"

    def convert(
        self, value: str | tuple[str, str], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """See click."""
        if isinstance(value, tuple):
            return value
        key, sign, text = value.partition("=")
        if not key or not sign:
            self.fail(f"{value!r} must be KEY=VALUE", param, ctx)
        return key, text


class Moment(click.ParamType[int]):
    """A moment as epoch milliseconds: so long ago (``90s``, ``30min``, ``2h``, ``7d``), ISO 8601, or itself."""

    name = "TIME"

    _AGO: Final = re.compile(r"(\d{1,6})\s*(s|min|m|h|d)")
    _SECONDS: Final = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See click."""
        if isinstance(value, int):
            return value
        ago = self._AGO.fullmatch(value)
        if ago is not None:
            return time.time_ns() // 1_000_000 - int(ago[1]) * self._SECONDS[ago[2]] * 1000
        if value.isascii() and value.isdecimal():
            return int(value)
        try:
            return round(datetime.fromisoformat(value).timestamp() * 1000)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} must be 2h, 7d, an ISO 8601 time or epoch milliseconds", param, ctx)


PORT: Final = click.IntRange(0, PORT_MAX)
