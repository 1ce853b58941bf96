"""From empty machines to a fleet, and back: installed, run through, upgraded while it works, drained, removed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.agent.test_isolation import SPY
from tests.ansible.conftest import DIFFERENCE
from tests.ansible.hosts import Host
from tests.ansible.playing import BUILD, ROOT, Fleet, read_to
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(900)
UPGRADED = "fleet,gpu-1" if os.environ.get("ARGOSY_TEST_ANSIBLE") == "all" else "gpu-1"
LINKS = "readlink /opt/argosy/agent/current /opt/argosy/agent/previous || true"
SWITCHED = "Write its settings"
"""The first task between the switch of the link and the start."""
ADMIN = "/usr/local/sbin/argosy-admin"
LOGIN = "select rolname, rolconnlimit from pg_roles where rolname ~ '^argosy_' order by 1"


def pid_of(host: Host) -> int:
    """The agent's."""
    return int(host.run("systemctl", "show", "--property=MainPID", "--value", "argosy-agent"))


def secrets_of(host: Host) -> list[str]:
    """The passwords and keys on a host."""
    found = host.sh("cat /etc/argosy/*.password").split()
    if "client.json" in host.sh("ls /etc/argosy"):
        found.append(json.loads(host.run("cat", "/etc/argosy/client.json"))["api_key"])
    return found


def state_of(host: Host) -> str:
    """What systemd says of the agent."""
    return host.run("systemctl", "is-active", "argosy-agent", check=False)


def test_no_two_nodes_have_one_login():
    """Whatever signs their names have, and however long they are; a name that is one already stays readable."""
    names = ["gpu_1_eu", "gpu-1.eu", "gpu-1-eu", "GPU_1_EU", f"{'n' * 60}1", f"{'n' * 60}2"]
    program = [
        str(Path(sys.executable).with_name("ansible")),
        "all",
        "--inventory",
        ",".join(names),
        "--connection",
        "local",
    ]
    program += ["--extra-vars", "@roles/argosy/defaults/main.yml", "--extra-vars", "argosy_program=scheduler"]
    program += ["--module-name", "debug", "--args", "var=argosy_login"]
    said = subprocess.run(program, cwd=ROOT / "ansible", capture_output=True, text=True, check=True).stdout
    logins = re.findall(r'"argosy_login": "(\w+)"', said)

    assert len(set(logins)) == len(names), said
    assert "argosy_scheduler_gpu_1_eu" in logins
    assert max(map(len, logins)) <= 63


def test_a_rehearsal_on_empty_machines_leaves_no_trace(fleet: Fleet):
    """`--check` before anything is there ends well, says what it would do, and does none of it."""
    assert min(fleet.played["check"].changed.values()) > 0
    assert set(fleet.played["check"].changed) == set(fleet.hosts)
    assert set(fleet.traces.values()) == {""}


def test_one_command_makes_a_fleet_that_finishes_a_job(fleet: Fleet):
    """Server, database and two agents on empty machines; its time goes to build/ansible/times.txt."""
    job = fleet.submit("hostname")
    job.wait(timeout=60)
    words = (
        f"empty machines to a fleet: {fleet.played['site'].seconds:.0f} s, one command; then a job finished"
    )
    (BUILD / "times.txt").write_text(words + "\n")

    assert job.refresh().state == "succeeded"
    assert fleet.sql(LOGIN) == [
        ["argosy_agent_gpu_1_dfe1f80e", "8"],  # two machines may be gpu-1 and gpu_1
        ["argosy_agent_gpu_2_a4977e4c", "8"],
        ["argosy_api_fleet", "32"],
        ["argosy_scheduler_fleet", "32"],
    ]
    assert fleet.node("gpu-1")["labels"]["isolation"] == "user,tmp,network,cgroup"


def test_programs_have_what_was_said_of_their_surroundings(fleet: Fleet):
    """`argosy_environment` and `argosy_database_options`, as they were written."""
    for host, unit in (("fleet", "argosy-api"), ("fleet", "argosy-scheduler"), ("gpu-1", "argosy-agent")):
        pid = fleet.hosts[host].run("systemctl", "show", "--property=MainPID", "--value", unit).strip()
        environment = fleet.hosts[host].run("cat", f"/proc/{pid}/environ").split("\0")

        assert 'OTEL_SERVICE_NAME=a "fleet"' in environment, unit
        assert any(
            "_DATABASE_URL=" in each and each.endswith("&connect_timeout=9") for each in environment
        ), unit


def test_a_second_run_changes_nothing(fleet: Fleet):
    """Neither for real nor in a rehearsal."""
    for words in ((), ("--check", "--diff", "--limit", "gpu-1")):
        played = fleet.play("site.yml", *words)

        assert set(played.changed.values()) == {0}, played.output


def test_the_administrator_finds_the_api_where_it_went(fleet: Fleet):
    """At another address and port, and back again; the key stays."""
    server = fleet.hosts["fleet"]
    key = secrets_of(server)[-1]
    moved = ("-e", f"argosy_api_host={server.address}", "-e", "argosy_api_port=8081")
    for words, url in ((moved, f"http://{server.address}:8081"), ((), "http://127.0.0.1:8080")):
        fleet.play("site.yml", "--limit", "fleet", *words)

        assert "gpu-1" in server.run(ADMIN, "node", "list", "--json")
        assert json.loads(server.run("cat", "/etc/argosy/client.json")) == {"url": url, "api_key": key}


def test_a_host_without_a_driver_is_told_so(fleet: Fleet):
    """Before anything is done to it, and with the word that helps."""
    played = fleet.play("site.yml", "--limit", "gpu-1", "-e", "argosy_gpus=auto", fails=True)

    assert "gpu-1 has no GPU that works" in played.output
    assert "argosy_gpus=none" in played.output
    assert played.changed == {"gpu-1": 0}


def test_secrets_are_seen_by_nobody(fleet: Fleet):
    """Not in what Ansible prints, not in a command line, not in the journal; only root may read them."""
    for host in fleet.hosts.values():
        secrets = secrets_of(host)
        seen = host.sh(
            "cat /run/seen; cat /proc/[0-9]*/cmdline; journalctl --no-pager; systemctl show 'argosy-*'"
        )

        assert secrets
        assert "argosy" in seen
        assert not [secret for secret in secrets if secret in seen or secret in "".join(fleet.said)]
        assert host.sh("stat -c '%a %U' /etc/argosy") == "700 root"
        assert set(host.sh("stat -c '%a %U' /etc/argosy/*").splitlines()) == {"600 root"}


def test_a_hostile_job_gets_nothing(fleet: Fleet):
    """The spy of tests/agent/test_isolation.py, under the unit as it is installed."""
    host = fleet.hosts["gpu-1"]
    forkserver = int(host.sh(f"pgrep -P {pid_of(host)} -f 'forkserver import'"))
    script = SPY % ((pid_of(host), forkserver, "/var/lib/argosy-agent", 5432),)
    more = f"""
import os, socket
for path in ("/etc/argosy/agent.database.env", "/etc/ssh/ssh_host_ed25519_key", "/root/.ssh/authorized_keys"):
    try:
        print("read", open(path).read())
    except OSError:
        pass
try:
    socket.create_connection(("{fleet.hosts["fleet"].address}", 5432), 1)
    print("database")
except OSError:
    pass
print(open("/proc/self/oom_score_adj").read().strip(), "NOTIFY_SOCKET" in os.environ)
"""
    job = fleet.submit(script + more, node="gpu-1", argv=("/usr/bin/python3", "-c"))
    job.wait(timeout=60)
    spied, *rest = "".join(chunk.text for chunk in job.logs() if chunk.stream == "stdout").splitlines()
    seen = json.loads(spied)

    assert rest == ["500 False"]
    assert seen.pop("uid") >= 1_900_000_000
    assert seen.pop("groups") == 1
    assert seen.pop("interfaces") == ["lo"]
    assert seen.pop("loopback") is True
    assert not any(seen.pop("tmp").values())
    assert not [name for name in seen.pop("environ") if "SECRET" in name or "DATABASE" in name]
    assert [what for what, got in seen.items() if got] == []
    assert host.sh("ls -d /tmp/argosy-was-here /etc/argosy-was-here 2>/dev/null || true") == ""


def test_an_agent_that_dies_or_hangs_is_started_again(fleet: Fleet):
    """By systemd, at once or when the watchdog has waited long enough; its job runs again."""
    host = fleet.hosts["gpu-1"]
    first = pid_of(host)
    job = fleet.submit("sleep 5", node="gpu-1")
    eventually(lambda: job.refresh().state == "running", 20)
    host.run("kill", "-9", str(first))
    eventually(lambda: pid_of(host) not in (0, first), 20)
    eventually(lambda: host.run("systemctl", "is-active", "argosy-agent", check=False) == "active", 30)
    second = pid_of(host)
    host.run("kill", "-STOP", str(second))
    eventually(
        lambda: (
            "watchdog" in host.run("systemctl", "show", "-P", "Result", "argosy-agent")
            or pid_of(host) != second
        ),
        30,
    )
    eventually(lambda: host.run("systemctl", "is-active", "argosy-agent", check=False) == "active", 30)
    job.wait(timeout=60)

    assert job.refresh().state == "succeeded"
    assert "Watchdog timeout" in host.run("journalctl", "--no-pager", "-u", "argosy-agent")
    assert pid_of(host) not in (first, second)


def test_an_upgrade_under_load_loses_nothing(fleet: Fleet, later: Path):
    """One agent (and with ARGOSY_TEST_ANSIBLE=all the server), while both work; the other goes on beside it as it is."""
    long = fleet.submit("sleep 15; echo done", node="gpu-1")
    eventually(lambda: long.refresh().state == "running", 20)
    jobs, enough = [long], threading.Event()

    def load() -> None:
        while not enough.wait(2.0) and len(jobs) < 40:
            jobs.append(fleet.submit("sleep 1.5"))

    loader = threading.Thread(target=load)
    loader.start()
    try:
        fleet.play("upgrade.yml", "--limit", UPGRADED, "-e", f"argosy_wheel={later}")
    finally:
        enough.set()
        loader.join(60)
    for job in jobs:
        job.wait(timeout=120)
    ends = fleet.sql(
        "select state, attempts, node from fleet.v_jobs order by created_at desc limit " + str(len(jobs))
    )

    assert {(state, attempts) for state, attempts, _ in ends} == {("succeeded", "1")}
    assert {node for *_, node in ends} == {"gpu-1", "gpu-2"}
    assert [fleet.node(name)["version"] for name in ("gpu-1", "gpu-2")] == ["99.0.0", "0.1.0"]
    assert fleet.node("gpu-1")["state"] == "live"
    assert len(long.attempts()) == 1


def test_a_rollback_is_a_switch(fleet: Fleet):
    """To the release that lies there still."""
    fleet.play("rollback.yml", "--limit", "gpu-1")
    job = fleet.submit("true", node="gpu-1")
    job.wait(timeout=60)

    assert fleet.node("gpu-1")["version"] == "0.1.0"
    assert job.refresh().state == "succeeded"


def test_an_upgrade_that_breaks_off_is_taken_up(fleet: Fleet, later: Path):
    """Ctrl-C while it waits for a job: the next run lets the node work again, and the one after has nothing to do."""
    words = ("upgrade.yml", "--limit", "gpu-1", "-e", f"argosy_wheel={later}")
    long = fleet.submit("sleep 600", node="gpu-1")
    eventually(lambda: long.refresh().state == "running", 20)
    fleet.break_off(*words, at="Wait until nothing runs there")
    left = (state_of(fleet.hosts["gpu-1"]), fleet.node("gpu-1")["state"], fleet.node("gpu-1")["version"])
    long.cancel()
    fleet.play(*words)

    assert left == ("active", "draining", "0.1.0")
    assert (fleet.node("gpu-1")["state"], fleet.node("gpu-1")["version"]) == ("live", "99.0.0")
    assert fleet.play(*words).changed["gpu-1"] == 0


def test_a_rollback_that_breaks_off_goes_on_the_same_way(fleet: Fleet):
    """Ctrl-C between the switch of the link and the start; and who drained the node before finds it drained."""
    host = fleet.hosts["gpu-1"]
    new, old = host.sh(LINKS).split()
    fleet.client.drain("gpu-1")
    fleet.break_off("rollback.yml", "--limit", "gpu-1", at=SWITCHED)
    left = state_of(host)
    fleet.play("rollback.yml", "--limit", "gpu-1")
    drained = fleet.node("gpu-1")["state"]
    fleet.client.drain("gpu-1", on=False)

    assert (left, drained) == ("inactive", "draining")
    assert (state_of(host), fleet.node("gpu-1")["version"]) == ("active", "0.1.0")
    assert host.sh(LINKS).split() == [old, new]


def test_a_rollback_undoes_an_upgrade_that_broke_off(fleet: Fleet, broken: Path):
    """Whatever links it had switched, the node has what it had, a way back as well, and works."""
    host = fleet.hosts["gpu-1"]
    links = host.sh(LINKS)
    words = ("upgrade.yml", "--limit", "gpu-1", "-e", f"argosy_wheel={broken}")
    fleet.break_off(*words, at=SWITCHED)
    left = (state_of(host), fleet.node("gpu-1")["draining"])
    fleet.play("rollback.yml", "--limit", "gpu-1")

    assert left == ("inactive", True)
    assert host.sh(LINKS) == links
    assert (state_of(host), fleet.node("gpu-1")["state"]) == ("active", "live")


def test_a_drain_that_fails_leaves_the_agent_as_it_was(fleet: Fleet, later: Path):
    """Where nobody can say what runs there it is not stopped; it takes work again, and the playbook fails."""
    server, host = fleet.hosts["fleet"], fleet.hosts["gpu-1"]
    long = fleet.submit("sleep 600", node="gpu-1")
    eventually(lambda: long.refresh().state == "running", 20)
    before = (pid_of(host), host.sh(LINKS))
    words = ("--limit", "gpu-1", "-e", f"argosy_wheel={later}", "-e", "argosy_empty_s=4")
    running = fleet.begin("upgrade.yml", *words)
    said = read_to(running, "TASK [agent : Wait until nothing runs there]")
    server.run("systemctl", "stop", "argosy-api")
    try:
        said += read_to(running, "fatal:")
    finally:
        server.run("systemctl", "start", "argosy-api")
    said += read_to(running)
    fleet.said.append(said)

    assert running.wait() != 0, said[-6000:]
    assert "gpu-1 could not be drained, and is as it was before" in said
    assert (pid_of(host), host.sh(LINKS)) == before
    assert (long.refresh().state, fleet.node("gpu-1")["state"]) == ("running", "live")
    assert host.sh("ls /opt/argosy/agent/replacing 2>/dev/null || true") == ""
    long.cancel()


def test_a_release_that_does_not_join_ends_the_upgrade_at_its_first_host(fleet: Fleet, broken: Path):
    """That one has what it had, and works, even after a break; the playbook says why; the others are not touched."""
    first, other = fleet.hosts["gpu-1"], fleet.hosts["gpu-2"]
    releases = {host: host.sh(LINKS) for host in (first, other)}
    words = ("upgrade.yml", "--limit", "argosy_agents", "-e", f"argosy_wheel={broken}")
    fleet.break_off(*words, at=SWITCHED)
    pid, beside = pid_of(other), fleet.submit("sleep 20", node="gpu-2")
    eventually(lambda: beside.refresh().state == "running", 20)
    played = fleet.play(*words, fails=True)
    after = [fleet.submit("true", node=name) for name in ("gpu-1", "gpu-2")]
    for job in (beside, *after):
        job.wait(timeout=60)

    assert re.search(
        r"gpu-1 does not join with 99\.1\.0-\w+; (0\.1\.0-\w+)\s+works there again", played.output
    )
    assert "this release is broken" in first.run("journalctl", "--no-pager", "-u", "argosy-agent")
    assert {host: host.sh(LINKS) for host in (first, other)} == releases
    assert (pid_of(other), len(beside.attempts())) == (pid, 1)
    assert {job.state for job in (beside, *after)} == {"succeeded"}
    assert [fleet.node(name)["version"] for name in ("gpu-1", "gpu-2")] == ["0.1.0", "0.1.0"]
    assert [fleet.node(name)["state"] for name in ("gpu-1", "gpu-2")] == ["live", "live"]


def test_a_drained_agent_finishes_and_takes_nothing_new(fleet: Fleet):
    """The playbook ends when the last job has."""
    running = fleet.submit("sleep 4", node="gpu-2")
    eventually(lambda: running.refresh().state == "running", 20)
    fleet.play("drain.yml", "--limit", "gpu-2")
    waiting = fleet.submit("true", node="gpu-2")

    assert running.refresh().state == "succeeded"
    assert fleet.node("gpu-2")["state"] == "draining"
    assert waiting.refresh().state == "ready"
    waiting.cancel()


def test_what_is_removed_leaves_nothing(fleet: Fleet):
    """No file, no unit, no process, no login; and only what was named is removed."""
    host = fleet.hosts["gpu-2"]
    refused = fleet.play("remove.yml", fails=True)
    fleet.play("remove.yml", "--limit", "gpu-2")

    assert "Say which machines with --limit" in refused.output
    assert host.sh(DIFFERENCE) == ""
    # systemd forgets a unit without a file when it comes to it.
    eventually(lambda: host.run("systemctl", "list-units", "--all", "--no-legend", "argosy*") == "", 20)
    assert host.run("pgrep", "-fa", "python.*(agent|argosy)", check=False) == ""
    assert [uid for uid in host.run("ps", "-eo", "uid=").split() if int(uid) >= 1_900_000_000] == []
    assert "argosy_agent_gpu_2" not in str(fleet.sql(LOGIN))
    assert fleet.node("gpu-2")["state"] == "gone"
    assert fleet.node("gpu-1")["state"] == "live"
