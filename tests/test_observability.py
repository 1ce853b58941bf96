"""Alerts, dashboard and runbook say what is true: each rule fires and does not, and every name in them exists."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import typer
import yaml
from opentelemetry.metrics import Observation
from prometheus_client.parser import text_string_to_metric_families

from agent.devices.host import HostMemory
from agent.leases import Leases
from agent.measures import Measures
from agent.runners.forkserver import Forkserver
from agent.sampling import Sampler
from agent.warm import Warm
from api.metrics import NUMBERS, FleetNumbers
from api.observed import Observed
from api.submissions import Submissions
from argosy.cli.app import build
from queue_schema.shapes import Claimed, Grant, Principal, Submission, Submitted
from queue_schema.signals import prepare
from queue_schema.states import JobState
from tests.support.verbs import Agent, Project

HERE = Path(__file__).resolve().parent.parent / "docs"
FOLDER = HERE / "observability"
RUNBOOK = (HERE / "runbook.md").read_text()
RULES = [
    rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]
ALERTS = [rule["alert"] for rule in RULES]
DASHBOARD = json.loads((FOLDER / "grafana-dashboard.json").read_text())
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
NAME = re.compile(r"\b((?:argosy|http)_[a-z0-9_]+)")
SQL = re.findall(r"```sql\n(.*?)```", RUNBOOK, re.DOTALL)
COMMANDS = [
    line
    for page in (RUNBOOK, (FOLDER / "README.md").read_text())
    for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    for line in block.splitlines()
]


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("no promtool: it is in Debian's package prometheus")
    return found


def entry(alert: str) -> str:
    """What the runbook says of an alert."""
    found = re.search(rf"^## {alert}$(.*?)(?=^## |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL)
    assert found is not None, f"the runbook has no entry {alert}"
    return found[1]


def samples(text: bytes) -> set[str]:
    return {s.name for family in text_string_to_metric_families(text.decode()) for s in family.samples}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Every sample that an API and an agent can export, by the real exporter."""
    return _of_an_api() | _of_an_agent(tmp_path_factory.mktemp("agent"))


def _of_an_api() -> set[str]:
    signals = prepare("api", "test", {}, prometheus=True).open()
    numbers = FleetNumbers(None, age_s=60.0)  # type: ignore[arg-type]
    numbers._read = lambda: {number.name: [Observation(1)] for number in NUMBERS}  # type: ignore[method-assign]
    numbers.observe(signals.meter)
    who = Principal(uuid4(), uuid4(), "acme", ["submit"])
    answers = [Submitted(uuid4(), JobState.READY)]
    Submissions(signals).told(who, [Submission("noop")], None, lambda _: answers)
    Observed(None, signals)._durations.record(0.1)  # type: ignore[arg-type]
    return samples(signals.exposition()[0])


def _of_an_agent(folder: Path) -> set[str]:
    signals = prepare("agent", "test", {}, prometheus=True).open()
    measures = Measures(signals, "n-1")
    claimed = Claimed(uuid4(), uuid4(), 1, uuid4(), "noop", {}, [], Grant([], 0, 0, 0, 0), 60, False)
    measures.claimed(0.1, [claimed])
    measures.beat(0.1)
    measures.settled(0.1)
    measures.failed("claim", "away")
    measures.began("noop", 0.1, jobs=1, warm=False)
    measures.ended("noop", "completed", "")
    leases = Leases()
    warm = Warm(leases, most=0, rest_s=1.0, faults=dict)
    host = HostMemory(budget_mib=1024, takes_vram=True)
    host.busy = lambda: {-1: 0.5}  # type: ignore[method-assign]
    forkserver = Forkserver(preload=(), entry="workloads.entry:start")
    sampler = Sampler([host], leases, forkserver, warm, disk=folder)
    measures.observe(sampler, leases, warm, folder=folder, slots=4)
    return samples(signals.exposition()[0])


def test_promtool_finds_no_fault_in_the_rules(promtool: str):
    """Syntax, and names of labels."""
    done = subprocess.run(
        [promtool, "check", "rules", FOLDER / "alerts.yml"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_fires_when_it_should_and_else_does_not(promtool: str):
    """Promtool plays the series of alerts.test.yml."""
    done = subprocess.run(
        [promtool, "test", "rules", FOLDER / "alerts.test.yml"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_is_tested_both_ways(alert: str):
    """One that was never seen to fire may never; one that always does is worth nothing."""
    tests = yaml.safe_load((FOLDER / "alerts.test.yml").read_text())["tests"]
    expected = [
        bool(case["exp_alerts"])
        for test in tests
        for case in test["alert_rule_test"]
        if case["alertname"] == alert
    ]

    assert set(expected) == {True, False}


@pytest.mark.parametrize("rule", RULES, ids=ALERTS)
def test_each_alert_has_its_entry_in_the_runbook(rule: dict[str, Any]):
    """What it means, where to look, what to do; and the alert links there."""
    text = entry(rule["alert"])

    assert [
        re.search(rf"^\*\*{word}\.\*\*", text, re.MULTILINE) is not None for word in ("Means", "Look", "Do")
    ] == [True] * 3
    assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"
    assert rule["labels"]["severity"] in ("page", "ticket")


def test_the_runbook_has_no_entry_for_an_alert_that_is_gone():
    """Both lists are the same, in the same order or not."""
    assert set(re.findall(r"^## (\w+)$", RUNBOOK, re.MULTILINE)) == set(ALERTS)


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("alerts.yml", "\n".join(rule["expr"] for rule in RULES)),
        (
            "alerts.test.yml",
            "\n".join(re.findall(r"series: '([a-z_]+)", (FOLDER / "alerts.test.yml").read_text())),
        ),
        ("grafana-dashboard.json", "\n".join(EXPRESSIONS)),
    ],
)
def test_every_metric_that_is_asked_for_exists(exported: set[str], where: str, text: str):
    """A typing error would be an alert that never fires."""
    labels = {"http_route", "http_response_status_code", "http_request_method"}
    asked = set(NAME.findall(text)) - labels

    assert asked
    assert asked - exported == set(), where


def test_the_page_lists_every_metric_there_is(exported: set[str]):
    """And nothing else. Of a histogram and a counter one name is enough."""
    page = (FOLDER / "README.md").read_text()
    listed = set(NAME.findall(page)) - {"http_route", "http_response_status_code", "http_request_method"}
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in exported if name != "target_info"}

    assert listed == families


def test_the_dashboard_is_whole(exported: set[str]):
    """Every panel has a query, an id of its own and a place of its own, and nothing that is exported is left out."""
    panels = DASHBOARD["panels"]
    places = [tuple(panel["gridPos"].values()) for panel in panels]
    shown = {re.sub(r"_(bucket|count|sum)$", "", name) for name in NAME.findall("\n".join(EXPRESSIONS))}
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in exported if name != "target_info"}

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(set(places)) == len(places)
    assert all(panel["type"] == "row" or panel["targets"] for panel in panels)
    # These speak through an alert, or beside another one.
    assert families - shown == {"argosy_reaper_alarm", "argosy_database_up", "argosy_forecast_judged"}


def test_promtool_reads_every_query_of_the_dashboard(promtool: str, tmp_path: Path):
    """As rules, with Grafana's variables filled in."""
    rules = [
        {"record": f"panel:{at}", "expr": expr.replace("$__rate_interval", "5m").replace("$node", ".*")}
        for at, expr in enumerate(EXPRESSIONS)
    ]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run([promtool, "check", "rules", path], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "query", [q for block in SQL for q in block.strip().split(";\n")], ids=lambda q: q[:50]
)
def test_every_query_of_the_runbook_answers(conn, project: Project, agent: Agent, query: str):
    """At psql, by whoever may read; what needs a superuser says so."""
    if "pg_stat_activity" not in query and "pg_prepared_xacts" not in query:
        conn.execute("set role fleet_reader")

    conn.execute(query)


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_of_the_runbook_exists(line: str):
    """With every option it is given."""
    words = shlex.split(line)
    assert words.pop(0) == "argosy"
    command: Any = typer.main.get_command(build(words))
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    options = {text for each in command.params for text in (*each.opts, *each.secondary_opts)}

    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= options
