"""Rules of cdk-nag that a construct breaks on purpose, each with its reason, beside what it is about."""

from __future__ import annotations

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """Let the construct, and what it is made of, break one rule.

    Args:
        construct: the construct.
        rule: as cdk-nag calls it, such as ``AwsSolutions-S1``, or ``AwsSolutions-IAM5[Resource::*]``: what precedes
            its first hyphen is the rule pack.
        reason: why it is right here.
    """
    pack, _, _ = rule.partition("-")
    Validations.of(construct).acknowledge(Acknowledgment(id=f"{pack}::{rule}", reason=reason))
