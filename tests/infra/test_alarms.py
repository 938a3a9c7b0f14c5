"""What a person is woken for: read off the stack's template, and the topic on a bare stack."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import pytest
from aws_cdk import Stack
from aws_cdk import aws_kms as kms
from aws_cdk.assertions import Match, Template

from dispatcher.limits import DELAY_SECONDS_MAX
from dispatcher.table_schema import DUE_INDEX
from infra.constructs.alarm_topic import AlarmTopic
from infra.constructs.queues import RECEIVES_MAX, VISIBILITY_TIMEOUTS
from infra.settings import StackSettings
from tests.infra.installation import properties

if TYPE_CHECKING:
    from tests.infra.conftest import Synthesize

OF_RUNS: Final = {"RunsFailed", "RunsOverdue", "RunawayMessages"}
OF_THE_PLATFORM: Final = {"Parked", "QueueAge", "Errors", "Throttles", "Cost"}

METRICS_OF_ONE_ALARM_MAX: Final = 10
"""Metrics an alarm on an expression may read (CloudWatch, PutMetricAlarm)."""

QUERIES_OF_ONE_ALARM_MAX: Final = 20
"""Metrics and expressions together (likewise)."""


def alarms(template: Template) -> dict[str, dict[str, Any]]:
    """Name to properties, of every alarm."""
    return {
        name.removeprefix("Alarms")[:-8]: alarm
        for name, alarm in properties(template, "AWS::CloudWatch::Alarm").items()
    }


def read_metrics(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """The metrics that an alarm reads, whether by an expression or alone."""
    if "Metrics" not in alarm:
        return [alarm]
    return [query["MetricStat"]["Metric"] for query in alarm["Metrics"] if "MetricStat" in query]


def watched(alarm: dict[str, Any], measured: dict[str, float]) -> float:
    """What an alarm on an expression watches when these are measured, and nothing of the others."""
    queries = {query["Id"]: query for query in alarm["Metrics"]}

    def value(name: str) -> float | None:
        query = queries[name]
        if "MetricStat" in query:
            return measured.get(name)
        names = {other: value(other) for other in queries if re.search(rf"\b{other}\b", query["Expression"])}
        try:
            return float(eval(query["Expression"], {"SUM": _sum, "IF": lambda a, b, c: b if a else c}, names))  # noqa: S307
        except TypeError:  # an operator meets a series that has no value there, and gives none
            return None

    (name,) = (query["Id"] for query in alarm["Metrics"] if query.get("ReturnData", True))
    found = value(name)
    assert found is not None, "nothing to watch"
    return found


def _sum(series: list[float | None]) -> float:
    """CloudWatch's sum over several series: those without a value are left out."""
    return sum(value for value in series if value is not None)


def test_there_is_an_alarm_for_each_thing_that_does_not_mend_itself(template: Template) -> None:
    """These, and no other: each says what it means and what to do."""
    found = alarms(template)
    assert set(found) == OF_RUNS | OF_THE_PLATFORM
    for alarm in found.values():
        assert alarm["AlarmDescription"].startswith("Refluxo (dev): ")
        assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"


def test_without_metrics_of_runs_there_is_no_alarm_that_could_never_ring(synthesize: Synthesize) -> None:
    """An alarm on a metric nobody writes is a promise nobody keeps."""
    assert set(alarms(synthesize(plugins=""))) == OF_THE_PLATFORM


@pytest.mark.parametrize(
    ("name", "missing"),
    [(name, "breaching" if name == "RunsOverdue" else "notBreaching") for name in sorted(OF_RUNS | OF_THE_PLATFORM)],
)
def test_silence_means_what_it_means(template: Template, name: str, missing: str) -> None:
    """Nothing happened, and so nothing was measured; but of a sweep that says a number each minute it means death."""
    assert alarms(template)[name]["TreatMissingData"] == missing


def test_one_parked_message_is_enough(template: Template) -> None:
    """Nothing else will ever look at it."""
    parked = alarms(template)["Parked"]
    assert (parked["Threshold"], parked["EvaluationPeriods"], parked["Statistic"]) == (1, 1, "Maximum")
    assert parked["MetricName"] == "ApproximateNumberOfMessagesVisible"
    (queue,) = (dimension["Value"]["Fn::GetAtt"][0] for dimension in parked["Dimensions"])
    assert "RedrivePolicy" not in properties(template, "AWS::SQS::Queue")[queue]


def test_no_delay_and_no_retry_makes_a_message_as_old_as_the_alarm() -> None:
    """A message delayed for as long as SQS allows, then tried five times, is no reason to wake anybody."""
    settings = StackSettings()
    hidden = RECEIVES_MAX * VISIBILITY_TIMEOUTS * settings.dispatcher_timeout_seconds
    assert settings.alarm_queue_age_seconds >= DELAY_SECONDS_MAX + hidden


@pytest.mark.parametrize("stack", ["template", "full"])
def test_no_alarm_reads_more_metrics_than_cloudwatch_lets_it(stack: str, request: pytest.FixtureRequest) -> None:
    """Each of them exists: AWS's in namespaces of AWS, the functions' own by the one dimension they have."""
    template: Template = request.getfixturevalue(stack)
    for alarm in alarms(template).values():
        metrics = read_metrics(alarm)
        assert 1 <= len(metrics) <= METRICS_OF_ONE_ALARM_MAX
        assert len(alarm.get("Metrics", ())) <= QUERIES_OF_ONE_ALARM_MAX
        for metric in metrics:
            if metric["Namespace"] == "Refluxo":
                (dimension,) = metric["Dimensions"]
                assert dimension == {
                    "Name": "service",
                    "Value": "refluxo-dev" if stack == "template" else "refluxo-full",
                }
            else:
                assert metric["Namespace"] in {"AWS/SQS", "AWS/Lambda", "AWS/DynamoDB", "AWS/ApiGateway"}


def test_errors_and_throttles_are_those_of_every_function(template: Template) -> None:
    """The sum of all of them, in two of three periods: one bad minute mends itself."""
    ids = set(properties(template, "AWS::Lambda::Function"))
    for name in ("Errors", "Throttles"):
        alarm = alarms(template)[name]
        assert {metric["MetricName"] for metric in read_metrics(alarm)} == {name}
        assert {metric["Dimensions"][0]["Value"]["Ref"] for metric in read_metrics(alarm)} == ids
        assert (alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"]) == (3, 2)


def test_messages_that_go_round_are_told_from_work(template: Template) -> None:
    """Invocations of the dispatcher alone, against the steps it commits; a few of idle timers tell nothing."""
    alarm = alarms(template)["RunawayMessages"]
    names = {metric["MetricName"]: metric["Namespace"] for metric in read_metrics(alarm)}
    assert names == {"Invocations": "AWS/Lambda", "StepsExecuted": "Refluxo"}
    assert watched(alarm, {"invocations": 9_999, "steps": 9_998}) == pytest.approx(1)
    assert watched(alarm, {"invocations": 1_000, "steps": 99}) == 10
    assert watched(alarm, {"invocations": 1_000}) == 1_000
    assert watched(alarm, {"invocations": 299}) == 0


def test_cost_is_reckoned_from_what_a_step_uses(template: Template) -> None:
    """The estimate for the figures of a known hour is what a person finds with the price lists."""
    alarm = alarms(template)["Cost"]
    queries = {query["Id"]: query for query in alarm["Metrics"]}
    measured: dict[str, float] = {
        "invocations": 1_000_000,
        "milliseconds": 100_000_000,
        "sent": 1_000_000,
        "received": 1_000_000,
        "deleted": 1_000_000,
        "written": 2_000_000,
        "marked": 1_000_000,
        "read": 1_000_000,
        "requests": 1_000_000,
    }
    assert {*measured, "empty"} == {name for name, query in queries.items() if "MetricStat" in query}
    assert queries["marked"]["MetricStat"]["Metric"]["Dimensions"][0]["Value"] == DUE_INDEX
    assert {query["MetricStat"]["Period"] for query in queries.values() if "MetricStat" in query} == {3600}
    starts, time, calls, writes, reads, http = 0.20, 50_000 * 0.0000133334, 1.20, 1.875, 0.125, 1.00
    an_hour = starts + time + calls + writes + reads + http
    assert watched(alarm, measured) == pytest.approx(24 * an_hour, rel=1e-4)
    del measured["requests"]
    assert watched(alarm, measured) == pytest.approx(24 * (an_hour - http), rel=1e-4)


def test_thresholds_are_settings(synthesize: Synthesize) -> None:
    """Each reaches its alarm."""
    thresholds = {
        "alarm_queue_age_seconds": 2000,
        "alarm_function_errors": 11,
        "alarm_function_throttles": 12,
        "alarm_runs_failed": 13,
        "alarm_runs_overdue": 14,
        "alarm_invocations_per_step": 15,
        "alarm_dollars_per_day": 16.5,
    }
    found = {name: alarm["Threshold"] for name, alarm in alarms(synthesize(**thresholds)).items()}
    assert found == {
        "Parked": 1,
        "QueueAge": 2000,
        "Errors": 11,
        "Throttles": 12,
        "RunsFailed": 13,
        "RunsOverdue": 14,
        "RunawayMessages": 15,
        "Cost": 16.5,
    }


def test_alarms_are_told_to_the_address_when_there_is_one(template: Template, full: Template) -> None:
    """When they begin and when they end; without an address there is no topic, and the alarms show in the console."""
    template.resource_count_is("AWS::SNS::Topic", 0)
    (topic,) = properties(full, "AWS::SNS::Topic")
    full.has_resource_properties(
        "AWS::SNS::Subscription", {"Protocol": "email", "Endpoint": "ops@example.com", "TopicArn": {"Ref": topic}}
    )
    for alarm in alarms(full).values():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": topic}]


def test_the_topic_is_encrypted_so_that_cloudwatch_can_write_to_it() -> None:
    """Under a key of its own that is rotated, over TLS alone."""
    stack = Stack()
    AlarmTopic(stack, "Alarms", email="ops@example.com")
    template = Template.from_stack(stack)
    (key,) = properties(template, "AWS::KMS::Key").items()
    assert key[1]["EnableKeyRotation"] is True
    template.has_resource_properties("AWS::SNS::Topic", {"KmsMasterKeyId": {"Fn::GetAtt": [key[0], "Arn"]}})
    users = [statement["Principal"] for statement in key[1]["KeyPolicy"]["Statement"]]
    assert {"Service": "cloudwatch.amazonaws.com"} in users
    template.has_resource_properties(
        "AWS::SNS::TopicPolicy",
        {
            "PolicyDocument": {
                "Statement": Match.array_with(
                    [Match.object_like({"Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "false"}}})]
                )
            }
        },
    )


def test_the_topic_takes_a_key_of_ones_own() -> None:
    """And makes none."""
    stack = Stack()
    key = kms.Key(stack, "Theirs")
    AlarmTopic(stack, "Alarms", email="ops@example.com", encryption_key=key)
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::KMS::Key", 1)
    assert "cloudwatch.amazonaws.com" in json.dumps(properties(template, "AWS::KMS::Key"))
