"""Capability URLs: whoever holds one may end one wait of one run, or send it one signal.

A token is ``<claims>.<signature>``: the claims say which wait, the signature is an HMAC over them and the
run's nonce, so a token is worth nothing for another run of the same id. Comparison takes constant time.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass

from dispatcher.errors import Terminal
from dispatcher.head import Head
from dispatcher.limits import CALLBACK_LIFETIME_MS
from dispatcher.messages import valid_run_id
from dispatcher.ports import SecretSource
from engine import WaitAddress
from engine.definition import valid_name


class InvalidToken(Terminal):
    """The token was not made here, or not for this run."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says: the run, the wait or the name of the signal it is for, and until when it works.

    ``expires_at_ms``: epoch milliseconds.
    """

    workflow_id: str
    target: WaitAddress | str
    expires_at_ms: int


class WebhookTokens:
    """Makes and checks the tokens of one deployment."""

    def __init__(self, secrets: SecretSource, public_url: str) -> None:
        self._secrets = secrets
        self._public_url = public_url.rstrip("/")

    def url(self, head: Head, target: WaitAddress | str) -> str:
        """The capability URL of a wait of this run, or of a signal for it, by name.

        Raises:
            ValueError: no signal can have that name.
        """
        if isinstance(target, str) and not valid_name(target):
            raise ValueError(f"{target!r} is no signal's name; letters, digits and _.:@- are")
        wait = head.snapshot.wait
        expires_at_ms = wait.due_at_ms if wait is not None and not isinstance(target, str) else None
        if expires_at_ms is None:
            expires_at_ms = head.snapshot.last_started_at + CALLBACK_LIFETIME_MS
        token = self.token(Claims(head.workflow_id, target, expires_at_ms), head.nonce)
        return f"{self._public_url}/webhooks/{token}"

    def token(self, claims: Claims, nonce: str) -> str:
        """The token of these claims."""
        document: list[str | int] = [claims.workflow_id, claims.expires_at_ms]
        match claims.target:
            case WaitAddress(node_id, visit, resumes):
                document += [node_id, visit, resumes]
            case signal:
                document.append(signal)
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
                case [str(run), int(expires_at_ms), str(node_id), int(visit), int(resumes)] if _names(run, node_id):
                    return Claims(run, WaitAddress(node_id, visit, resumes), expires_at_ms)
                case [str(run), int(expires_at_ms), str(signal)] if _names(run, signal):
                    return Claims(run, signal, expires_at_ms)
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


def _names(run: str, other: str) -> bool:
    # They become parts of keys, before the signature is checked: it takes the run's nonce to check it.
    return valid_run_id(run) and valid_name(other)


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
