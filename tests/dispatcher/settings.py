"""Settings and a secret for apps over adapters in memory."""

from __future__ import annotations

from typing import Final

from dispatcher.settings import Settings

SETTINGS: Final = Settings(
    table_name="table",
    queue_url="https://queue.test",
    parked_queue_url="https://parked.test",
    payload_bucket="payloads",
    public_url="https://api.test",
    webhook_secret_id="secret",
)


class NoSecret:
    """A signing secret that everybody knows."""

    def signing_secret(self) -> bytes:
        """The secret."""
        return b"whsec_test"
