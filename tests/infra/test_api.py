"""The HTTP API's construct, on a bare stack."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from aws_cdk import Duration, Stack
from aws_cdk.assertions import Match, Template

from dispatcher.http.cors import Cors
from dispatcher.http.request import headers_of
from dispatcher.http.routes import ROUTES, Route
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


def open_at_the_gateway(template: Template, method: str, path: str) -> bool:
    """Whether a request gets through to the function without credentials: the most specific route decides."""
    for key, kind in authorization(template).items():
        route_method, _, route_path = key.partition(" ")
        pattern = re.sub(r"\{\w+\}", "[^/]+", route_path.replace("{proxy+}", ".+"))
        if key != "$default" and method == route_method and re.fullmatch(pattern, path):
            return bool(kind == "NONE")
    return bool(authorization(template)["$default"] == "NONE")


@pytest.mark.parametrize("stack", ["template", "full"])
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.template}")
def test_every_call_of_the_front_door_is_as_open_as_it_says(
    route: Route, stack: str, request: pytest.FixtureRequest
) -> None:
    """The two tables agree, call by call: what is not said to be for everybody asks for credentials."""
    path = re.sub(r"\{\w+\}", "x", route.template)
    assert open_at_the_gateway(request.getfixturevalue(stack), route.method, path) is route.open


def test_a_page_may_ask_first(full: Template, template: Template) -> None:
    """A browser's question comes without credentials: open where pages may call, closed elsewhere."""
    for path in ("/runs", "/workflows/x/runs"):
        assert open_at_the_gateway(full, "OPTIONS", path)
        assert not open_at_the_gateway(template, "OPTIONS", path)


def test_pages_are_told_the_same_by_the_gateway_and_the_function(package: Package) -> None:
    """Origins, headers and time: the gateway's refusals say it too, and replace what the function says."""
    api = api_template(package, StackSettings(cors_origins="https://a.example.com"))
    (properties,) = (found["Properties"] for found in api.find_resources("AWS::ApiGatewayV2::Api").values())
    asked = {"origin": "https://a.example.com", "access-control-request-method": "PUT"}
    cors = Cors(("https://a.example.com",))
    told: Any = {
        **cors.preflight(", ".join(sorted(properties["CorsConfiguration"]["AllowMethods"])), asked),
        **headers_of(cors.applied({"statusCode": 200, "headers": {}, "body": ""}, asked)),
    }
    assert properties["CorsConfiguration"] == {
        "AllowOrigins": [told["access-control-allow-origin"]],
        "AllowMethods": ["GET", "POST", "PUT", "DELETE"],
        "AllowHeaders": told["access-control-allow-headers"].split(", "),
        "ExposeHeaders": told["access-control-expose-headers"].split(", "),
        "MaxAge": int(told["access-control-max-age"]),
    }
    assert {route.method for route in ROUTES} == set(properties["CorsConfiguration"]["AllowMethods"])


def test_without_origins_nothing_is_said_of_cors(api: Template) -> None:
    """No configuration, and no open route for questions."""
    (properties,) = (found["Properties"] for found in api.find_resources("AWS::ApiGatewayV2::Api").values())
    assert "CorsConfiguration" not in properties
    assert not [key for key in authorization(api) if key.startswith("OPTIONS")]


def test_tokens_are_those_of_the_issuer_for_the_audience(full: Template) -> None:
    """The authorizer knows both, and every route that is not open asks it."""
    full.has_resource_properties(
        "AWS::ApiGatewayV2::Authorizer",
        {
            "AuthorizerType": "JWT",
            "IdentitySource": ["$request.header.Authorization"],
            "JwtConfiguration": {"Audience": ["refluxo", "other"], "Issuer": "https://issuer.example.com/"},
        },
    )
    assert set(authorization(full).values()) == {"JWT", "NONE"}


def test_a_name_of_ones_own_leads_to_the_api(full: Template) -> None:
    """Over TLS 1.2, by a record in the zone; it is what the functions and the outputs call the API."""
    full.has_resource_properties(
        "AWS::ApiGatewayV2::DomainName",
        {
            "DomainName": "workflows.example.com",
            "DomainNameConfigurations": [
                {
                    "CertificateArn": "arn:aws:acm:us-east-1:111122223333:certificate/0a1b",
                    "EndpointType": "REGIONAL",
                    "SecurityPolicy": "TLS_1_2",
                }
            ],
        },
    )
    full.has_resource_properties("AWS::ApiGatewayV2::ApiMapping", {"Stage": "$default"})
    full.has_resource_properties(
        "AWS::Route53::RecordSet",
        {
            "Name": "workflows.example.com.",
            "Type": "A",
            "HostedZoneId": "Z0123456789",
            "AliasTarget": Match.any_value(),
        },
    )
    assert full.to_json()["Outputs"]["ApiUrl"]["Value"] == "https://workflows.example.com"


def test_without_a_zone_the_record_is_the_users_to_make(package: Package) -> None:
    """The name is served all the same."""
    settings = StackSettings(
        domain_name="a.example.com", certificate_arn="arn:aws:acm:us-east-1:111122223333:certificate/0a1b"
    )
    api = api_template(package, settings)
    api.resource_count_is("AWS::ApiGatewayV2::DomainName", 1)
    api.resource_count_is("AWS::Route53::RecordSet", 0)


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


def test_the_throttle_is_a_setting(package: Package) -> None:
    """Rate and burst, each where it belongs."""
    api = api_template(package, StackSettings(api_rate_per_second=7, api_burst=9))
    api.has_resource_properties(
        "AWS::ApiGatewayV2::Stage", {"DefaultRouteSettings": {"ThrottlingRateLimit": 7, "ThrottlingBurstLimit": 9}}
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
