"""What can be measured of an installation: AWS's own metrics and the functions', as alarms and dashboard read them.

It refuses to judge: thresholds are the alarms' business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from dispatcher import table_schema
from infra import prices
from infra.environment import METRICS_NAMESPACE

PERIOD: Final = Duration.minutes(5)
"""What SQS's metrics are good for, and short enough for a person who is woken."""


@dataclass(frozen=True, kw_only=True)
class InstallationMetrics:
    """The metrics of one installation.

    Args:
        service: by which the functions' own metrics are told from another stage's.
        functions: by name, ``dispatcher`` among them.
        dispatcher_memory_mb: what the dispatcher's time is billed by.
        queue: of steps.
        parked: for what only a person can judge.
        table: of runs.
        api: the HTTP API.
    """

    service: str
    functions: Mapping[str, lambda_.Function]
    dispatcher_memory_mb: int
    queue: sqs.IQueue
    parked: sqs.IQueue
    table: dynamodb.ITable
    api: apigateway.HttpApi

    def of_runs(self, name: str, *, statistic: str = "Sum", period: Duration = PERIOD) -> cloudwatch.Metric:
        """One that the functions write, by its name: ``StepsExecuted``, ``RunsFailed`` and so on."""
        return cloudwatch.Metric(
            namespace=METRICS_NAMESPACE,
            metric_name=name,
            dimensions_map={"service": self.service},
            statistic=statistic,
            period=period,
        )

    @property
    def parked_messages(self) -> cloudwatch.Metric:
        """Messages on the parked queue."""
        return self.parked.metric_approximate_number_of_messages_visible(statistic="Maximum", period=PERIOD)

    @property
    def waiting_messages(self) -> cloudwatch.Metric:
        """Messages on the queue of steps that are due."""
        return self.queue.metric_approximate_number_of_messages_visible(statistic="Maximum", period=PERIOD)

    @property
    def queue_age(self) -> cloudwatch.Metric:
        """Seconds since the oldest message on the queue of steps was sent."""
        return self.queue.metric_approximate_age_of_oldest_message(statistic="Maximum", period=PERIOD)

    @property
    def errors(self) -> cloudwatch.MathExpression:
        """Failed invocations of all functions."""
        return self._sum_over_functions("Errors", "Failed invocations")

    @property
    def throttles(self) -> cloudwatch.MathExpression:
        """Refused invocations of all functions."""
        return self._sum_over_functions("Throttles", "Refused invocations")

    @property
    def invocations_per_step(self) -> cloudwatch.MathExpression:
        """Invocations of the dispatcher for each step: about one in health.

        Zero while there are fewer than one a second, for then the few of idle timers weigh too much to tell anything.
        """
        invocations = self._of_dispatcher("Invocations", PERIOD)
        # No step at all leaves no measurement at all: the sum with zeros is there whenever invocations are.
        zeros = _reckoned("invocations * 0", {"invocations": invocations}, PERIOD)
        committed = _reckoned("SUM([zeros, steps])", {"zeros": zeros, "steps": self.of_runs("StepsExecuted")}, PERIOD)
        return _reckoned(
            f"IF(invocations > {int(PERIOD.to_seconds())}, invocations / (committed + 1), 0)",
            {"invocations": invocations, "committed": committed},
            PERIOD,
            label="Invocations per step",
        )

    def dollars(self, period: Duration) -> cloudwatch.MathExpression:
        """What the period cost, estimated by what grows with the steps. CloudWatch's own charges are not in it.

        It reads ten metrics, which is as many as one alarm may (PutMetricAlarm). What was not used is not measured, so
        the parts are added by SUM, which leaves out what is not there.
        """
        gb = self.dispatcher_memory_mb / 1024
        parts = {
            "starts": self._dollars(
                prices.LAMBDA_REQUEST, period, invocations=self._of_dispatcher("Invocations", period)
            ),
            "time": self._dollars(
                prices.LAMBDA_GB_SECOND * gb / 1000, period, milliseconds=self._of_dispatcher("Duration", period)
            ),
            "calls": self._dollars(
                prices.SQS_REQUEST,
                period,
                sent=self._of_queue("NumberOfMessagesSent", period),
                received=self._of_queue("NumberOfMessagesReceived", period),
                empty=self._of_queue("NumberOfEmptyReceives", period),
                deleted=self._of_queue("NumberOfMessagesDeleted", period),
            ),
            "writes": self._dollars(
                prices.TABLE_WRITE_UNIT,
                period,
                written=self._of_table("ConsumedWriteCapacityUnits", period),
                marked=self._of_table("ConsumedWriteCapacityUnits", period, index=table_schema.DUE_INDEX),
            ),
            "reads": self._dollars(
                prices.TABLE_READ_UNIT, period, read=self._of_table("ConsumedReadCapacityUnits", period)
            ),
            "http": self._dollars(
                prices.API_REQUEST, period, requests=self.api.metric_count(statistic="Sum", period=period)
            ),
        }
        return _reckoned(f"SUM([{', '.join(parts)}])", parts, period, label="Estimated US dollars")

    def _dollars(self, price: float, period: Duration, **used: cloudwatch.IMetric) -> cloudwatch.MathExpression:
        return _reckoned(f"SUM([{', '.join(used)}]) * {price:.12f}", used, period)

    def dollars_per_day(self, period: Duration) -> cloudwatch.MathExpression:
        """What a day costs that is like the period."""
        periods = int(Duration.days(1).to_seconds()) // int(period.to_seconds())
        return _reckoned(
            f"dollars * {periods}", {"dollars": self.dollars(period)}, period, label="Estimated US dollars a day"
        )

    def dollars_per_million_steps(self, period: Duration) -> cloudwatch.MathExpression:
        """What a million steps like those of the period cost; nothing while there are none."""
        return _reckoned(
            "1000000 * dollars / steps",
            {"dollars": self.dollars(period), "steps": self.of_runs("StepsExecuted", period=period)},
            period,
            label="Estimated US dollars per million steps",
        )

    @property
    def steps_per_second(self) -> cloudwatch.MathExpression:
        """Steps committed, minute by minute."""
        steps = self.of_runs("StepsExecuted", period=Duration.minutes(1))
        return _reckoned("steps / PERIOD(steps)", {"steps": steps}, Duration.minutes(1), label="Steps per second")

    def _of_dispatcher(self, name: str, period: Duration) -> cloudwatch.Metric:
        return self.functions["dispatcher"].metric(name, statistic="Sum", period=period)

    def _of_queue(self, name: str, period: Duration) -> cloudwatch.Metric:
        return self.queue.metric(name, statistic="Sum", period=period)

    def _of_table(self, name: str, period: Duration, *, index: str | None = None) -> cloudwatch.Metric:
        dimensions = {"TableName": self.table.table_name}
        if index is not None:
            dimensions["GlobalSecondaryIndexName"] = index
        return cloudwatch.Metric(
            namespace="AWS/DynamoDB", metric_name=name, dimensions_map=dimensions, statistic="Sum", period=period
        )

    def _sum_over_functions(self, name: str, label: str) -> cloudwatch.MathExpression:
        using = {
            f"{name.lower()}{number}": function.metric(name, statistic="Sum", period=PERIOD)
            for number, function in enumerate(self.functions.values())
        }
        return _reckoned(f"SUM([{', '.join(using)}])", using, PERIOD, label=label)


def _reckoned(
    expression: str, using: Mapping[str, cloudwatch.IMetric], period: Duration, *, label: str | None = None
) -> cloudwatch.MathExpression:
    return cloudwatch.MathExpression(expression=expression, using_metrics=using, period=period, label=label)
