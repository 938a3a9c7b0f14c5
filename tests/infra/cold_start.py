"""The functions' cold start as a program: entry point, app and the part of it that the first event builds.

For the test of what is loaded, and for the benchmark of what it costs.
"""

from __future__ import annotations

from typing import Final

PARTS: Final = {
    "http_handler": "http_api",
    "queue_handler": "dispatcher",
    "sweep_handler": "sweep",
    "dead_letter_handler": "dead_letters",
    "event_handler": "front_door",
}
"""Each entry point, and the part of the app that its first event builds."""

FUNCTION: Final = """
import dispatcher.{module}
from dispatcher import bootstrap
app = bootstrap.app()
app.plugins
app.{part}
"""

ENVIRONMENT: Final = {
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "TABLE_NAME": "table",
    "QUEUE_URL": "https://queue.test",
    "PARKED_QUEUE_URL": "https://parked.test",
    "PAYLOAD_BUCKET": "payloads",
    "PUBLIC_URL": "https://api.test",
    "WEBHOOK_SECRET_ID": "secret",
    "REFLUXO_REGISTRY": "plain_registry:registry",
}

REGISTRY: Final = "from engine import Registry\nregistry = Registry()\n"
