"""The poller that feeds a function from a queue."""

from __future__ import annotations

from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_lambda_event_sources import SqsEventSource

from infra.acknowledgement import acknowledge
from infra.constructs.function import ALIAS, PackageFunction


def feed(consumer: PackageFunction, queue: sqs.IQueue, *, batch_size: int, max_concurrency: int) -> str:
    """Have Lambda give the function what is on the queue, in batches that fail record by record.

    Args:
        consumer: the function.
        queue: the queue.
        batch_size: messages of one invocation at most.
        max_concurrency: invocations at once at most. Not the function's own concurrency: what that refuses counts as
            received, and five receives make a dead letter.

    Returns:
        The UUID by which the poller is switched off.
    """
    source = SqsEventSource(
        queue,
        batch_size=batch_size,
        report_batch_item_failures=True,
        max_concurrency=max_concurrency,
    )
    consumer.invoked.add_event_source(source)
    acknowledge(
        consumer,
        "Serverless-LambdaEventSourceMappingDestination",
        "Lambda has such destinations for streams; what a queue's consumer cannot handle is redriven by the queue.",
    )
    return source.event_source_mapping_id


def send_failures(consumer: PackageFunction, queue: sqs.IQueue, *, retries: int, age_seconds_max: int) -> None:
    """Have Lambda try asynchronous calls of the function again, and put what was in vain on the queue.

    The function's role needs ``sqs:SendMessage`` on it. Written as the resource itself: the CDK's destination grants
    actions that nobody calls.

    Args:
        consumer: the function.
        queue: where the event goes in the end, with the error.
        retries: tries after the first, 0 to 2.
        age_seconds_max: how old an event may become, 60 to 21600.
    """
    is_alias = consumer.invoked is not consumer.function
    asynchronous = lambda_.CfnEventInvokeConfig(
        consumer,
        "Asynchronous",
        function_name=consumer.function.function_name,
        qualifier=ALIAS if is_alias else "$LATEST",
        maximum_retry_attempts=retries,
        maximum_event_age_in_seconds=age_seconds_max,
        destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
            on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(destination=queue.queue_arn)
        ),
    )
    if is_alias:
        # Named, not referred to: CloudFormation would make this before there is such an alias.
        asynchronous.node.add_dependency(consumer.invoked)
