"""The environment of the functions, built in this one place and the same for all of them.

``dispatcher.settings`` reads it on the other side; a test builds those settings from the synthesized template.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from infra.settings import StackSettings

REGISTRY: Final = "workflows:registry"
"""The deployed app, named like an ASGI app: module, colon, attribute."""

METRICS_NAMESPACE: Final = "Refluxo"
"""Where the functions' own metrics are in CloudWatch."""


class ReservedVariable(ValueError):
    """A variable of the user's has the name of one of ours; the message says which."""


def function_environment(
    settings: StackSettings,
    *,
    table_name: str,
    queue_url: str,
    parked_queue_url: str,
    payload_bucket: str,
    public_url: str,
    webhook_secret_id: str,
    added: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Names and values; those of resources are references that CloudFormation fills in.

    Raises:
        ReservedVariable: what is ``added``, for the user's nodes, holds a name that has its value here.
    """
    ours = {
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
        "CORS_ORIGINS": settings.cors_origins,
        "TENANT_CLAIM": settings.tenant_claim,
        "HTTP_ALLOWED_NETWORKS": settings.http_allowed_networks,
        "LOG_LEVEL": settings.log_level,
        "REFLUXO_PLUGINS": settings.plugins,
        "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
        "POWERTOOLS_SERVICE_NAME": settings.service_name,
    }
    for name in added or {}:
        if name in ours:
            raise ReservedVariable(
                f"environment holds {name}, which the installation sets itself: call yours otherwise"
            )
    return {**ours, **(added or {})}
