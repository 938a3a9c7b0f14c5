"""What a person is woken for."""

from __future__ import annotations

from typing import Final, cast

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.metrics import InstallationMetrics
from infra.settings import StackSettings

_NO_DATA_IS_WELL: Final = cloudwatch.TreatMissingData.NOT_BREACHING
"""Where nothing is measured when nothing happens: no message, no invocation, no run."""

_NO_DATA_IS_BAD: Final = cloudwatch.TreatMissingData.BREACHING

HOUR: Final = Duration.hours(1)


class Alarms(Construct):
    """``alarms``, each about something that does not mend itself, and that a person can do something about.

    What mends itself is on the dashboard: a message that is late, a step that is tried again, a single failed
    invocation. With a topic the alarms tell it when they begin and when they end. Those about runs need the functions'
    own metrics, and are not made without.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: StackSettings,
        metrics: InstallationMetrics,
        topic: sns.ITopic | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.alarms: list[cloudwatch.Alarm] = []
        self._stage = settings.stage
        self._topic = topic
        self._about_messages(settings, metrics)
        self._about_functions(settings, metrics)
        if settings.counts_runs:
            self._about_runs(settings, metrics)
        self._alarm(
            "Cost",
            metrics.dollars_per_day(HOUR),
            settings.alarm_dollars_per_day,
            "The last hour cost as much as is planned for more than a day. See which workflow makes the steps; to stop "
            "everything, switch off the event source.",
        )

    def _about_messages(self, settings: StackSettings, metrics: InstallationMetrics) -> None:
        # SQS measures nothing on a queue that nobody has touched for hours, and one that holds a message is touched.
        self._alarm(
            "Parked",
            metrics.parked_messages,
            1,
            "A message waits that no function could handle. It is kept for 14 days: read it and its attribute for the "
            "reason, mend the cause, redrive or delete it.",
        )
        self._alarm(
            "QueueAge",
            metrics.queue_age,
            settings.alarm_queue_age_seconds,
            "Steps wait longer than any delay or retry explains: the dispatcher is throttled, failing or switched off.",
        )

    def _about_functions(self, settings: StackSettings, metrics: InstallationMetrics) -> None:
        for name, metric, threshold, text in (
            (
                "Errors",
                metrics.errors,
                settings.alarm_function_errors,
                "Functions fail as such, which no error of a workflow's node makes them do: look into their logs.",
            ),
            (
                "Throttles",
                metrics.throttles,
                settings.alarm_function_throttles,
                "Lambda refuses invocations: the account's concurrency is used up, here or by something else.",
            ),
        ):
            self._alarm(name, metric, threshold, text, periods=3, of_them=2)

    def _about_runs(self, settings: StackSettings, metrics: InstallationMetrics) -> None:
        self._alarm(
            "RunsFailed",
            metrics.of_runs("RunsFailed"),
            settings.alarm_runs_failed,
            "Runs fail. GET /runs?status=failed lists them; once the cause is mended they can be retried.",
        )
        # The sweep says how many each minute, and says 0 too: silence means that it does not run.
        self._alarm(
            "RunsOverdue",
            metrics.of_runs("RunsOverdue", statistic="Maximum"),
            settings.alarm_runs_overdue,
            "Runs do not go on although the sweep sends their messages again, or the sweep itself has stopped.",
            periods=3,
            missing=_NO_DATA_IS_BAD,
        )
        self._alarm(
            "RunawayMessages",
            metrics.invocations_per_step,
            settings.alarm_invocations_per_step,
            "Messages go round and commit no step. Lambda's own loop detection is off for the dispatcher: switch off "
            "the event source if it costs, and look into the dispatcher's logs.",
            periods=2,
        )

    def _alarm(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        threshold: float,
        description: str,
        *,
        periods: int = 1,
        of_them: int | None = None,
        missing: cloudwatch.TreatMissingData = _NO_DATA_IS_WELL,
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name,
            metric=metric,
            threshold=threshold,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=periods,
            datapoints_to_alarm=of_them or periods,
            treat_missing_data=missing,
            alarm_description=f"Refluxo ({self._stage}): {description} See docs/deploy.md.",
        )
        if self._topic is not None:
            action = cast("cloudwatch.IAlarmAction", actions.SnsAction(self._topic))
            alarm.add_alarm_action(action)
            alarm.add_ok_action(action)
        self.alarms.append(alarm)
