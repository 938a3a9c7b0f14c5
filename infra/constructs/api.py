"""The HTTP API: who may call what, how often, and what is written down about it."""

from __future__ import annotations

import json
from typing import Final, cast

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk.aws_apigatewayv2_authorizers import HttpIamAuthorizer, HttpJwtAuthorizer
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from constructs import Construct

from infra.acknowledgement import acknowledge
from infra.constructs.domain import ApiDomain
from infra.constructs.log_group import ExpiringLogGroup
from infra.setting_lists import parts
from infra.settings import StackSettings

OPEN_ROUTES: Final = (
    # A webhook's token is its own authority, and its caller has no AWS credentials.
    ("/webhooks/{token}", (apigateway.HttpMethod.GET, apigateway.HttpMethod.POST)),
    # Load balancers and uptime checks do not sign requests.
    ("/health", (apigateway.HttpMethod.GET,)),
)

PREFLIGHT_ROUTE: Final = ("/{proxy+}", (apigateway.HttpMethod.OPTIONS,))
"""Open where pages may call: a browser asks first, without credentials, and the default route would refuse it."""

# As the front door has them (dispatcher.http.cors): said here as well, for API Gateway's own refusals carry them only
# if it knows, and then it replaces what the function says.
CORS_HEADERS: Final = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "X-Amz-Content-Sha256",
    "X-Amz-Date",
    "X-Amz-Security-Token",
)
CORS_EXPOSED: Final = ("ETag", "Location", "Retry-After", "Allow")
CORS_METHODS: Final = (
    apigateway.CorsHttpMethod.GET,
    apigateway.CorsHttpMethod.POST,
    apigateway.CorsHttpMethod.PUT,
    apigateway.CorsHttpMethod.DELETE,
)

# The route's pattern, never the path: a webhook's path holds its token, and logs are read by many.
_ACCESS_LOG: Final = {
    "requestId": "$context.requestId",
    "requestTime": "$context.requestTime",
    "sourceIp": "$context.identity.sourceIp",
    "caller": "$context.identity.userArn",
    "subject": "$context.authorizer.claims.sub",
    "routeKey": "$context.routeKey",
    "protocol": "$context.protocol",
    "status": "$context.status",
    "responseLength": "$context.responseLength",
    "responseLatencyMs": "$context.responseLatency",
    "integrationError": "$context.integrationErrorMessage",
}


class HttpFront(Construct):
    """``url`` is known before any function is, so that their environment can hold it; ``send_to`` comes last.

    Every request goes to one function behind the authorizer, but for `OPEN_ROUTES`, and `PREFLIGHT_ROUTE` where pages
    may call. ``api`` is the API itself.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: StackSettings,
        encryption_key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        self.api = apigateway.HttpApi(
            self,
            "Api",
            api_name=settings.service_name,
            description=f"Refluxo ({settings.stage}): starts, shows and resumes workflow runs",
            create_default_stage=False,
            default_authorizer=_authorizer(settings),
            cors_preflight=_cors(parts(settings.cors_origins)),
        )
        stage = apigateway.HttpStage(
            self,
            "Stage",
            http_api=self.api,
            stage_name="$default",
            auto_deploy=True,
            throttle=apigateway.ThrottleSettings(
                rate_limit=settings.api_rate_per_second, burst_limit=settings.api_burst
            ),
        )
        self.url = self.api.api_endpoint
        if settings.domain_name:
            self.url = f"https://{settings.domain_name}"
            self.domain = ApiDomain(self, "Domain", settings=settings, api=self.api, stage=stage)
        self._log(stage, encryption_key)

    def _log(self, stage: apigateway.HttpStage, encryption_key: kms.IKey | None) -> None:
        logs = ExpiringLogGroup(
            self,
            "AccessLogs",
            retention_days=self._settings.log_retention_days,
            is_production=self._settings.is_production,
            encryption_key=encryption_key,
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
        other = apigateway.HttpRoute(
            self,
            "AnyOther",
            http_api=self.api,
            route_key=apigateway.HttpRouteKey.DEFAULT,
            integration=integration,
        )
        if self._settings.api_authorizer == "open-to-the-internet":
            acknowledge(other, "AwsSolutions-APIG4", "Said aloud by the setting api_authorizer.")
        for path, methods in (*OPEN_ROUTES, *((PREFLIGHT_ROUTE,) if self._settings.cors_origins else ())):
            for route in self.api.add_routes(
                path=path,
                methods=list(methods),
                integration=integration,
                authorizer=apigateway.HttpNoneAuthorizer(),
            ):
                acknowledge(
                    route,
                    "AwsSolutions-APIG4",
                    "Open on purpose: a webhook's token is its authority, health tells no secret, and a browser's "
                    "first question has no credentials and changes nothing.",
                )


def _authorizer(settings: StackSettings) -> apigateway.IHttpRouteAuthorizer | None:
    match settings.api_authorizer:
        case "iam":
            return HttpIamAuthorizer()
        case "jwt":
            return HttpJwtAuthorizer("Jwt", settings.jwt_issuer, jwt_audience=list(parts(settings.jwt_audience)))
        case "open-to-the-internet":
            return None


def _cors(origins: tuple[str, ...]) -> apigateway.CorsPreflightOptions | None:
    if not origins:
        return None
    return apigateway.CorsPreflightOptions(
        allow_origins=list(origins),
        allow_methods=list(CORS_METHODS),
        allow_headers=list(CORS_HEADERS),
        expose_headers=list(CORS_EXPOSED),
        max_age=Duration.hours(2),
    )
