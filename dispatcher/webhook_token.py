"""Capability URLs: whoever holds one may end one wait of one run, or send it one signal.

A token is ``<claims>.<signature>``: the claims say which wait, the signature is an HMAC over them and the
run's nonce, so a token is worth nothing for another run of the same id. Comparison takes constant time.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dispatcher.errors import Terminal
from dispatcher.head import Head
from dispatcher.limits import CALLBACK_LIFETIME_MS
from dispatcher.messages import valid_run_id
from dispatcher.ports import SecretSource
from engine import WaitAddress
from engine.naming import valid_name

_DAY_MS: Final = 24 * 3600 * 1000


class InvalidToken(Terminal):
    """The token was not made here, or not for this run."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says: the run, the wait it is for, or the step that made it for a signal, and until when it works.

    ``signal`` None: the token ends the wait at ``address``. Otherwise it sends the run that signal, and ``address``
    only tells one link from another. ``expires_at_ms``: epoch milliseconds.
    """

    workflow_id: str
    address: WaitAddress
    signal: str | None
    expires_at_ms: int


class WebhookTokens:
    """Makes and checks the tokens of one deployment."""

    def __init__(self, secrets: SecretSource, public_url: str, now_ms: Callable[[], int]) -> None:
        self._secrets = secrets
        self._public_url = public_url.rstrip("/")
        self._now_ms = now_ms

    def url(self, head: Head, address: WaitAddress, signal: str | None = None) -> str:
        """The capability URL of a wait of this run; with ``signal``, of that signal for it.

        Raises:
            ValueError: no signal can have that name.
        """
        if signal is not None and not valid_name(signal):
            raise ValueError(f"{signal!r} is no signal's name; letters, digits and _.:@- are")
        claims = Claims(head.workflow_id, address, signal, self._expires_at_ms(head, address, signal))
        return f"{self._public_url}/webhooks/{self.token(claims, head.nonce)}"

    def _expires_at_ms(self, head: Head, address: WaitAddress, signal: str | None) -> int:
        snapshot = head.snapshot
        wait = snapshot.wait
        if signal is None and wait is not None and wait.due_at_ms is not None and address == head.wait_address:
            return wait.due_at_ms
        # To the end of a day, so that a link asked for twice is nearly always the same.
        ends_at_ms = self._now_ms() + CALLBACK_LIFETIME_MS
        return ends_at_ms - ends_at_ms % _DAY_MS + _DAY_MS

    def token(self, claims: Claims, nonce: str) -> str:
        """The token of these claims."""
        address = claims.address
        document = [claims.workflow_id, claims.expires_at_ms, address.node_id, address.visit, address.resumes]
        if claims.signal is not None:
            document.append(claims.signal)
        encoded = _text(json.dumps(document, separators=(",", ":")).encode())
        return f"{encoded}.{_text(self._signature(encoded, nonce))}"

    def claims(self, token: str) -> Claims:
        """What a token claims, unchecked: it says whose nonce to check it with.

        Raises:
            InvalidToken: it is no token at all.
        """
        encoded, _, _ = token.partition(".")
        try:
            match json.loads(_bytes(encoded)):
                case [str(run), int(expires_at_ms), str(node_id), int(visit), int(resumes), *rest]:
                    claims = Claims(run, WaitAddress(node_id, visit, resumes), _signal(rest), expires_at_ms)
                    # They become parts of keys before the signature is checked: it takes the run's nonce to do that.
                    if valid_run_id(run) and valid_name(node_id):
                        return claims
        except (ValueError, RecursionError):
            pass
        raise InvalidToken("this is not a webhook token")

    def verify(self, token: str, nonce: str) -> None:
        """Checks the signature.

        Raises:
            InvalidToken: it was not made here, or not for the run of that nonce.
        """
        encoded, _, signature = token.partition(".")
        if not hmac.compare_digest(signature.encode(), _text(self._signature(encoded, nonce)).encode()):
            raise InvalidToken("this token was not made for this run")

    def _signature(self, encoded: str, nonce: str) -> bytes:
        return hmac.digest(self._secrets.signing_secret(), f"v1.{nonce}.{encoded}".encode(), hashlib.sha256)


def _signal(rest: list[object]) -> str | None:
    match rest:
        case []:
            return None
        case [str(signal)] if valid_name(signal):
            return signal
    raise ValueError("more than a signal's name")


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
