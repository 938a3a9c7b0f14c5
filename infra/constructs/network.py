"""Where in a network of the user's own the functions are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from aws_cdk import aws_ec2 as ec2
from constructs import Construct


@dataclass(frozen=True, kw_only=True)
class Network:
    """A VPC, and the place of the functions in it.

    A function in a VPC has no way out but the VPC's own. Subnets without a NAT gateway need endpoints: of type gateway
    for DynamoDB and S3, of type interface for SQS, Secrets Manager, CloudWatch (``monitoring``) and X-Ray.
    """

    vpc: ec2.IVpc
    subnets: ec2.SubnetSelection | None = None
    """By default the private ones."""

    security_groups: Sequence[ec2.ISecurityGroup] = ()
    """By default one for all functions that nothing may reach and that may reach everything."""

    def resolved(self, scope: Construct) -> Network:
        """With a security group, made in the scope if there is none yet."""
        if self.security_groups:
            return self
        group = ec2.SecurityGroup(
            scope, "Functions", vpc=self.vpc, description="Functions of Refluxo: nothing calls them by the network"
        )
        return replace(self, security_groups=(group,))
