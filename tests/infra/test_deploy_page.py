"""docs/deploy.md and the GitHub workflow against the stack they speak of."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra import prices

if TYPE_CHECKING:
    from aws_cdk.assertions import Template

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
WORKFLOW: Final = (ROOT / ".github/workflows/deploy.yml").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text under a heading."""
    return PAGE.split(f"# {title}\n", 1)[1].split("\n#", 1)[0]


def test_every_alarm_is_in_the_runbook(template: Template) -> None:
    """By the name it has in the stack, and no other."""
    named = set(re.findall(r"^\| `(\w+)` \|", section("When an alarm tells"), re.MULTILINE))
    ids = {logical_id.removeprefix("Alarms") for logical_id in template.find_resources("AWS::CloudWatch::Alarm")}
    assert named
    assert {next((name for name in named if logical_id.startswith(name)), logical_id) for logical_id in ids} == named


def test_the_outputs_it_names_are_there(template: Template) -> None:
    """Among them the kill switch."""
    outputs = set(template.find_outputs("*"))
    assert {"ExampleCurl", "StopCommand", "EventSourceMappingId", "ParkedQueueUrl", "ApiUrl"} <= outputs
    assert all(f"`{name}`" in PAGE for name in ("ExampleCurl", "StopCommand"))


def test_a_million_steps_cost_what_the_lines_come_to() -> None:
    """At the prices that the dashboard reckons with."""
    text = section("What it costs")
    for price in (
        prices.LAMBDA_REQUEST,
        prices.SQS_REQUEST,
        prices.TABLE_READ_UNIT,
        prices.TABLE_WRITE_UNIT,
        prices.LAMBDA_GB_SECOND,
    ):
        assert re.search(rf"\${1_000_000 * price:.4g}0? a million", text), price
    lines = re.findall(r"^\| (\w[^|]*) \| 1 M x.* \| ([\d.]+) \|$", text, re.MULTILINE)
    dollars = {name: float(value) for name, value in lines}
    assert len(dollars) == 8
    assert f"| | | **{sum(dollars.values()):.2f}** |" in text
    saved = 0.9 * sum(dollars[name] for name in ("Invocations", "Queue", "Metrics", "Traces"))
    assert f"and a million steps ${sum(dollars.values()) - saved:.2f}." in text


def test_idling_costs_what_its_lines_come_to(template: Template) -> None:
    """Each alarm is billed by the metrics that it looks at."""
    text = section("What it costs").partition("**Idle**")[2]
    *lines, total = re.findall(r"^\| .* \| \**([\d.]+)\** \|$", text, re.MULTILINE)
    assert f"{sum(map(float, lines)):.2f}" == total
    alarms = [alarm["Properties"] for alarm in template.find_resources("AWS::CloudWatch::Alarm").values()]
    metrics = sum(
        len([query for query in alarm.get("Metrics", [{"MetricStat": {}}]) if "MetricStat" in query])
        for alarm in alarms
    )
    assert f"look at {metrics} metrics x $0.10 (`alarms: false` saves them) | {metrics / 10:.2f} |" in text


def test_the_workflow_pins_its_actions_and_asks_for_no_more_than_it_uses() -> None:
    """A tag can be moved, a commit cannot; no permission by default, no value of an event inside a script."""
    used = re.findall(r"uses: (\S+)", WORKFLOW)
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action) for action in used)
    assert "\npermissions: {}\n" in WORKFLOW
    assert set(re.findall(r"^ +([a-z-]+): (?:read|write)", WORKFLOW, re.MULTILINE)) == {"contents", "id-token"}
    scripts = re.findall(r"run: (?:>-|\|)?\n?((?: {10,}.*\n)+|.*)", WORKFLOW)
    assert not [script for script in scripts if "${{" in script]


def test_the_workflow_makes_what_the_makefile_has() -> None:
    """Each target that it calls is there."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"make ([a-z]+)", WORKFLOW)) <= targets
