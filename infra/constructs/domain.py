"""A name of one's own for the API."""

from __future__ import annotations

from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_route53 as route53
from aws_cdk.aws_route53_targets import ApiGatewayv2DomainProperties
from constructs import Construct

from infra.settings import StackSettings


class ApiDomain(Construct):
    """``name`` answers for the whole API, over TLS 1.2 or later.

    The record that points the name at ``name.regional_domain_name`` is made here where the hosted zone is known. The
    address that AWS gave the API goes on answering, behind the same authorizer.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: StackSettings,
        api: apigateway.HttpApi,
        stage: apigateway.HttpStage,
    ) -> None:
        super().__init__(scope, construct_id)
        self.name = apigateway.DomainName(
            self,
            "Name",
            domain_name=settings.domain_name,
            certificate=acm.Certificate.from_certificate_arn(self, "Certificate", settings.certificate_arn),
            security_policy=apigateway.SecurityPolicy.TLS_1_2,
        )
        apigateway.ApiMapping(self, "Mapping", api=api, domain_name=self.name, stage=stage)
        if settings.hosted_zone_id:
            # The record has the zone's whole name, so that only its id has to be given.
            zone = route53.HostedZone.from_hosted_zone_attributes(
                self, "Zone", hosted_zone_id=settings.hosted_zone_id, zone_name=settings.domain_name
            )
            route53.ARecord(
                self,
                "Record",
                zone=zone,
                target=route53.RecordTarget.from_alias(
                    ApiGatewayv2DomainProperties(self.name.regional_domain_name, self.name.regional_hosted_zone_id)
                ),
            )
