"""Where alarms are told, and to whom."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk.aws_sns_subscriptions import EmailSubscription
from constructs import Construct

from infra.acknowledgement import acknowledge


class AlarmTopic(Construct):
    """``topic`` sends mail to an address, takes TLS alone, and is encrypted.

    By a key of its own unless one is given, for CloudWatch may not use the key that AWS keeps for SNS.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, email: str, encryption_key: kms.IKey | None = None
    ) -> None:
        super().__init__(scope, construct_id)
        key = encryption_key or kms.Key(
            self,
            "Key",
            description="Encrypts what alarms say on its way",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.DESTROY,
        )
        key.grant(iam.ServicePrincipal("cloudwatch.amazonaws.com"), "kms:Decrypt", "kms:GenerateDataKey")
        self.topic = sns.Topic(self, "Topic", master_key=key, enforce_ssl=True)
        self.topic.add_subscription(EmailSubscription(email))
        acknowledge(
            self.topic,
            "Serverless-SNSRedrivePolicy",
            "SNS tries mail again for hours, and an alarm goes on showing in CloudWatch: a queue of mails that could "
            "not be sent would have no reader.",
        )
