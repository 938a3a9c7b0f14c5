"""The HTTP API: who may call what, how often, and what is written down about it."""

from __future__ import annotations

import json
from typing import Final, cast

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk.aws_apigatewayv2_authorizers import HttpIamAuthorizer
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from constructs import Construct

from infra.constructs.log_group import ExpiringLogGroup
from infra.settings import StackSettings

OPEN_ROUTES: Final = (
    # A webhook's token is its own authority, and its caller has no AWS credentials.
    ("/webhooks/{token}", (apigateway.HttpMethod.GET, apigateway.HttpMethod.POST)),
    # Load balancers and uptime checks do not sign requests.
    ("/health", (apigateway.HttpMethod.GET,)),
)

# The route's pattern, never the path: a webhook's path holds its token, and logs are read by many.
_ACCESS_LOG: Final = {
    "requestId": "$context.requestId",
    "requestTime": "$context.requestTime",
    "sourceIp": "$context.identity.sourceIp",
    "caller": "$context.identity.userArn",
    "routeKey": "$context.routeKey",
    "protocol": "$context.protocol",
    "status": "$context.status",
    "responseLength": "$context.responseLength",
    "responseLatencyMs": "$context.responseLatency",
    "integrationError": "$context.integrationErrorMessage",
}


class HttpFront(Construct):
    """``url`` is known before any function is, so that their environment can hold it; ``send_to`` comes last.

    Every request goes to one function behind the authorizer, but for `OPEN_ROUTES`.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: StackSettings) -> None:
        super().__init__(scope, construct_id)
        self._api = apigateway.HttpApi(
            self,
            "Api",
            api_name=f"refluxo-{settings.stage}",
            description=f"Refluxo ({settings.stage}): starts, shows and resumes workflow runs",
            create_default_stage=False,
            default_authorizer=HttpIamAuthorizer() if settings.api_authorizer == "iam" else None,
        )
        self.url = self._api.api_endpoint
        stage = apigateway.HttpStage(
            self,
            "Stage",
            http_api=self._api,
            stage_name="$default",
            auto_deploy=True,
            throttle=apigateway.ThrottleSettings(
                rate_limit=settings.api_rate_per_second, burst_limit=settings.api_burst
            ),
        )
        logs = ExpiringLogGroup(
            self,
            "AccessLogs",
            retention_days=settings.log_retention_days,
            is_production=settings.is_production,
        )
        # The L2 takes log settings only as an object implemented across the language border.
        cfn_stage = cast("apigateway.CfnStage", stage.node.default_child)
        cfn_stage.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=Stack.of(self).format_arn(
                service="logs",
                resource="log-group",
                resource_name=logs.log_group.log_group_name,
                arn_format=ArnFormat.COLON_RESOURCE_NAME,
            ),
            format=json.dumps(_ACCESS_LOG),
        )

    def send_to(self, function: lambda_.IFunction) -> None:
        """Route every request to the function."""
        # One permission for the whole API: every route leads here, so one per route would add nothing.
        integration = HttpLambdaIntegration("FrontDoor", function, scope_permission_to_route=False)
        apigateway.HttpRoute(
            self,
            "AnyOther",
            http_api=self._api,
            route_key=apigateway.HttpRouteKey.DEFAULT,
            integration=integration,
        )
        for path, methods in OPEN_ROUTES:
            self._api.add_routes(
                path=path,
                methods=list(methods),
                integration=integration,
                authorizer=apigateway.HttpNoneAuthorizer(),
            )
