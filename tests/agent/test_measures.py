"""What an agent measures of itself, as Prometheus and a collector see it."""

from __future__ import annotations

from dataclasses import replace

import httpx
from prometheus_client.parser import text_string_to_metric_families

from agent import processes
from agent.measures import Measures
from argosy.mock import gpus
from argosy.mock.gpus import MockNode
from queue_schema.shapes import Completion
from queue_schema.signals import prepare
from tests.agent.conftest import Bench
from tests.agent.daemons import Daemon, Fleet
from tests.support.collector import collecting
from tests.support.waiting import eventually

MIB = 2**20


def scraped(daemon: Daemon) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Every sample, by name and labels."""
    answer = httpx.get(daemon.wait("metrics.served")["url"])
    assert answer.status_code == 200
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def value(daemon: Daemon, name: str, **labels: str) -> float:
    """The sum over all with these labels."""
    samples = scraped(daemon).get(name, {})
    return sum(value for of, value in samples.items() if labels.items() <= dict(of).items())


def test_claims_starts_ends_and_beats_are_counted(fleet: Fleet):
    """One success, one failure, one out of memory: each once, under its kind and cause."""
    daemon = fleet.agent("--metrics-port", "0")
    fleet.ends(fleet.submit("noop", {}), "succeeded")
    fleet.ends(fleet.submit("command", {"argv": ["false"]}), "failed")
    eventually(lambda: value(daemon, "argosy_agent_attempts_total") == 2)
    eventually(lambda: value(daemon, "argosy_heartbeat_duration_seconds_count") > 0)

    assert value(daemon, "argosy_agent_attempts_total", kind="noop", outcome="completed", node="host-a") == 1
    assert (
        value(daemon, "argosy_agent_attempts_total", kind="command", outcome="failed", cause="user_error")
        == 1
    )
    assert value(daemon, "argosy_claimed_jobs_total", kind="command") == 1
    assert value(daemon, "argosy_claim_duration_seconds_count", outcome="jobs") == 2
    assert value(daemon, "argosy_claim_duration_seconds_count", outcome="nothing") >= 1
    assert value(daemon, "argosy_job_wait_seconds_count") == 2
    assert 0 <= value(daemon, "argosy_job_wait_seconds_sum") < 60
    assert value(daemon, "argosy_runner_starts_total", start="cold") == 2
    assert value(daemon, "argosy_settle_duration_seconds_count") == 2
    assert value(daemon, "argosy_agent_slots") == 4
    assert value(daemon, "argosy_agent_leases") == 0
    assert value(daemon, "argosy_lease_losses_total") == 0
    assert value(daemon, "argosy_node_disk_free_bytes") > 0


def test_a_lease_that_somebody_else_has_is_counted_as_lost(fleet: Fleet):
    """Also when the beat is what tells us."""
    daemon = fleet.agent("--metrics-port", "0")
    job = fleet.submit("noop", {"seconds": 60})
    fleet.ends(job, "running")
    fleet.conn.execute("update fleet.leases set token = gen_random_uuid()")
    daemon.wait("lease.lost")

    assert value(daemon, "argosy_lease_losses_total") == 1


def test_errors_of_verbs_are_counted_by_code(fleet: Fleet):
    """A refused claim is no silent loop."""
    daemon = fleet.agent("--metrics-port", "0")
    fleet.conn.execute("revoke execute on function fleet.claim_v1 from fleet_agent")
    try:
        eventually(lambda: value(daemon, "argosy_verb_errors_total", verb="claim") > 0)
    finally:
        fleet.conn.execute("grant execute on function fleet.claim_v1 to fleet_agent")


def test_memory_of_each_device_is_told_by_who_holds_it(fleet: Fleet, mock: MockNode):
    """Booked, used by jobs, used by strangers; and how busy the driver says it is."""
    gpus.occupy(mock, 1, 3000)
    daemon = fleet.agent("--metrics-port", "0", "--isolation", "off", environment=mock.environment)
    hold = {"mib": 100, "hold_s": 60}
    job = fleet.submit("selftest.allocate", hold)
    fleet.ends(job, "running")
    gpu = str(fleet.one("select devices[1] from fleet.leases where job_id = %s", job))
    other = {"0": "1", "1": "0"}[gpu]

    eventually(lambda: value(daemon, "argosy_device_memory_used_bytes", device=gpu, by="jobs") >= 100 * MIB)
    assert value(daemon, "argosy_agent_device_memory_booked_bytes", device=gpu) == 256 * MIB
    assert value(daemon, "argosy_agent_device_memory_booked_bytes", device=other) == 0
    eventually(lambda: value(daemon, "argosy_device_utilization_ratio", device=gpu, kind="gpu") == 1)
    assert value(daemon, "argosy_device_utilization_ratio", device=other, kind="gpu") == 0
    assert value(daemon, "argosy_device_memory_used_bytes", device="1", by="others") >= 3000 * MIB


def test_the_same_goes_to_a_collector(fleet: Fleet):
    """Over OTLP, under the names of OpenTelemetry, with no port opened."""
    with collecting() as collector:
        daemon = fleet.agent(environment=collector.environment)
        fleet.ends(fleet.submit("noop", {}), "succeeded")
        names = eventually(lambda: "argosy.agent.attempts" in collector.metrics.get("argosy-agent", ()))

        assert names
        assert {
            "argosy.claim.duration",
            "argosy.runner.starts",
            "argosy.device.memory.used",
        } <= collector.metrics["argosy-agent"]
        assert not daemon.seen("metrics.served")
        daemon.end()


def test_the_agent_stays_small_with_all_of_it_on(fleet: Fleet):
    """Traces, metrics to a collector, and scrapes."""
    with collecting() as collector:
        daemon = fleet.agent("--metrics-port", "0", environment=collector.environment)
        for _ in range(5):
            fleet.ends(fleet.submit("noop", {}), "succeeded")
        scraped(daemon)
        eventually(lambda: collector.spans("attempt"))

        assert processes.resident_mib(daemon.process.pid) < 90
        daemon.end()


def test_a_port_that_is_taken_ends_the_agent_at_once(fleet: Fleet):
    """With the setting's name."""
    daemon = fleet.agent("--metrics-port", "0")
    port = daemon.wait("metrics.served")["url"].split(":")[2].partition("/")[0]
    second = fleet.agent("--metrics-port", port, "--state-dir", str(fleet.folder / "other"), ready=False)

    assert second.process.wait(15) == 2
    assert "metrics_port" in second.wait("agent.unusable")["error"]


def test_who_began_on_a_runner_at_rest_is_a_warm_hit(bench: Bench):
    """The first is a cold start; the next of its model is not."""
    signals = prepare("agent", "test", {}, prometheus=True).open()
    bench.shop = replace(bench.shop, measures=Measures(signals, "n-1"))
    bench.shop.forkserver._entry = "tests.agent.entries:hoarding"
    try:
        for _ in range(3):
            assert isinstance(bench.outcome(bench.start("noop", {"values": {}}, model="m")), Completion)
    finally:
        bench.shop.forkserver._entry = "workloads.entry:start"
    text = signals.exposition()[0].decode()
    starts = {
        sample.labels["start"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "argosy_runner_starts_total"
    }

    assert starts == {"cold": 1, "warm": 2}
