"""The environment of the functions, built in this one place and the same for all of them.

``dispatcher.settings`` reads it on the other side; a test builds those settings from the synthesized template.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from infra.settings import StackSettings

REGISTRY: Final = "workflows:registry"
"""The deployed app, named like an ASGI app: module, colon, attribute."""


def function_environment(
    settings: StackSettings,
    *,
    table_name: str,
    queue_url: str,
    parked_queue_url: str,
    payload_bucket: str,
    public_url: str,
    webhook_secret_id: str,
) -> dict[str, str]:
    """Names and values; those of resources are references that CloudFormation fills in."""
    return {
        "TABLE_NAME": table_name,
        "QUEUE_URL": queue_url,
        "PARKED_QUEUE_URL": parked_queue_url,
        "PAYLOAD_BUCKET": payload_bucket,
        "PUBLIC_URL": public_url,
        "REFLUXO_REGISTRY": REGISTRY,
        "WEBHOOK_SECRET_ID": webhook_secret_id,
        "STEPS_PER_INVOCATION": str(settings.steps_per_invocation),
        "RUN_STEPS_MAX": str(settings.run_steps_max),
        "RETENTION_DAYS": str(settings.retention_days),
        "LOG_LEVEL": settings.log_level,
    }
