"""The HTTP API's construct, on a bare stack."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aws_cdk import Duration, Stack
from aws_cdk.assertions import Template

from infra.constructs.api import HttpFront
from infra.constructs.function import Package, PackageFunction
from infra.settings import StackSettings


def api_template(package: Package, settings: StackSettings) -> Template:
    """A stack of the API and a function behind it."""
    stack = Stack()
    front = HttpFront(stack, "Http", settings=settings)
    function = PackageFunction(
        stack,
        "FrontDoor",
        package=package,
        handler="room.module.handler",
        description="answers",
        timeout=Duration.seconds(29),
    ).function
    front.send_to(function)
    return Template.from_stack(stack)


@pytest.fixture
def api(package: Package) -> Template:
    """The API with default settings."""
    return api_template(package, StackSettings())


def authorization(template: Template) -> dict[str, Any]:
    """Route key to its kind of authorization."""
    return {
        route["Properties"]["RouteKey"]: route["Properties"].get("AuthorizationType", "NONE")
        for route in template.find_resources("AWS::ApiGatewayV2::Route").values()
    }


def test_only_webhooks_and_health_are_open(api: Template) -> None:
    """A webhook's token is its authority and health tells no secret; all else is signed with AWS keys."""
    assert authorization(api) == {
        "$default": "AWS_IAM",
        "GET /webhooks/{token}": "NONE",
        "POST /webhooks/{token}": "NONE",
        "GET /health": "NONE",
    }


def test_an_open_api_has_to_be_asked_for(package: Package) -> None:
    """With the authorizer ``open-to-the-internet`` every route is open."""
    api = api_template(package, StackSettings(api_authorizer="open-to-the-internet"))
    assert set(authorization(api).values()) == {"NONE"}


def test_requests_are_throttled(api: Template) -> None:
    """The default stage takes the settings' rate and burst, and deploys by itself."""
    api.has_resource_properties(
        "AWS::ApiGatewayV2::Stage",
        {
            "StageName": "$default",
            "AutoDeploy": True,
            "DefaultRouteSettings": {"ThrottlingRateLimit": 100, "ThrottlingBurstLimit": 200},
        },
    )


def test_access_logs_never_hold_a_token(api: Template) -> None:
    """They are JSON and name the route, not the path: a webhook's path is a capability."""
    (stage,) = api.find_resources("AWS::ApiGatewayV2::Stage").values()
    logged = json.loads(stage["Properties"]["AccessLogSettings"]["Format"])
    assert "$context.routeKey" in logged.values()
    assert not {"$context.path", "$context.customDomain.basePathMatched"} & set(logged.values())


def test_the_function_gets_events_of_version_two(api: Template) -> None:
    """One integration for every route, and one permission, for this API alone."""
    api.resource_count_is("AWS::ApiGatewayV2::Integration", 1)
    api.has_resource_properties(
        "AWS::ApiGatewayV2::Integration", {"IntegrationType": "AWS_PROXY", "PayloadFormatVersion": "2.0"}
    )
    (permission,) = api.find_resources("AWS::Lambda::Permission").values()
    (api_id,) = api.find_resources("AWS::ApiGatewayV2::Api")
    assert {"Ref": api_id} in permission["Properties"]["SourceArn"]["Fn::Join"][1]
