"""What an attempt brings from the store and leaves there, and who may stop it amid that."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from uuid import uuid4

import pytest

from agent.checkpoints import Newest
from agent.files.own import NotOwn, opened
from agent.isolation import clear
from agent.leases import Ending, Lease
from queue_schema.shapes import Artifact, CheckpointRef, ClaimedInput, Completion, Failed, Released
from queue_schema.states import Cause
from tests.agent.conftest import Bench, python
from tests.support.waiting import eventually
from workloads.protocol import Checkpoint


def test_outputs_are_stored_before_the_completion(bench: Bench, blobs):
    """Files a job leaves are in the store, by hash, when its completion is told."""
    code = "import os; os.makedirs('outputs', exist_ok=True); open('outputs/a.txt','w').write('hello')"
    lease = bench.start("command", python(code))

    outcome = bench.outcome(lease)
    assert isinstance(outcome, Completion), outcome
    [artifact] = [each for each in outcome.artifacts if each.name.endswith("a.txt")]
    assert isinstance(artifact, Artifact)
    assert blobs.files[artifact.sha256] == b"hello"
    assert artifact.size == 5


LEAVES_ONE = "open('outputs/a.txt', 'w').write('hello')"


def test_a_cancel_does_not_wait_for_a_store_that_hangs(bench: Bench, blobs):
    """Nobody wants the outputs of a cancelled job: its place is free long before the store is given up."""
    bench.shop.transfer._client.timeout = 0.5
    blobs.hold.clear()
    lease = bench.start("command", python(LEAVES_ONE))
    eventually(lambda: blobs.puts)
    bench.shop.leases.end([lease.token], Ending.CANCEL)

    outcome = bench.outcome(lease, within_s=2.0)
    assert isinstance(outcome, Failed)
    assert outcome.cause is Cause.CANCELLED
    assert blobs.files == {}


def test_a_cancel_does_not_wait_for_a_checkpoint_either(bench: Bench, blobs, tmp_path):
    """As for outputs; and a drain, which wants it, does."""
    bench.shop.transfer._client.timeout = 0.5
    blobs.hold.clear()
    path = tmp_path / "state.bin"
    path.write_text("so far")
    lease = Lease(uuid4(), uuid4(), None, 0.0)
    keeping = Thread(
        target=bench.shop.checkpoints.keep,
        args=(lease, Checkpoint(5, str(path))),
        kwargs={"within": tmp_path},
    )
    keeping.start()
    eventually(lambda: blobs.puts)
    lease.end(Ending.DRAIN)
    eventually(lambda: len(blobs.puts) > 1)
    lease.end(Ending.CANCEL)

    keeping.join(2.0)
    assert not keeping.is_alive()


def test_the_time_limit_holds_while_outputs_are_stored(bench: Bench, blobs):
    """A store that hangs does not keep a job on its place beyond its limit."""
    bench.shop.transfer._client.timeout = 0.5
    blobs.hold.clear()
    lease = bench.start("command", python(LEAVES_ONE), timeout_s=2)
    eventually(lambda: blobs.puts)

    outcome = bench.outcome(lease, within_s=4.0)
    assert isinstance(outcome, Failed)
    assert (outcome.cause, outcome.message) == (Cause.TIMEOUT, "not finished within its limit of 2 s")


def test_only_the_newest_checkpoint_waits(tmp_path: Path):
    """What it overtakes is gone from the disk, and so is what waits when there is a result."""
    queue = Newest()
    files = [tmp_path / str(step) for step in range(4)]
    for step, path in enumerate(files[:3]):
        path.write_text("so far")
        queue.put(Checkpoint(step, str(path)), within=tmp_path)
    taken = queue.take()
    files[3].write_text("so far")
    queue.put(Checkpoint(3, str(files[3])), within=tmp_path)
    queue.drop()
    queue.end()

    assert taken == Checkpoint(2, str(files[2]))
    assert [path.exists() for path in files] == [False, False, True, False]
    assert queue.take() is None


def test_a_result_does_not_wait_for_a_checkpoint(bench: Bench, blobs, tmp_path: Path):
    """Nor does a job that has had its time: nobody goes on from there."""
    bench.shop.transfer._client.timeout = 0.5
    blobs.hold.clear()
    for ends in ("result", "timeout"):
        path = tmp_path / ends
        path.write_text(ends)
        lease = Lease(uuid4(), uuid4(), None, 0.0)
        results: list[str] = []
        seen = len(blobs.puts)
        keeping = Thread(
            target=bench.shop.checkpoints.keep,
            args=(lease, Checkpoint(5, str(path))),
            kwargs={"within": tmp_path, "needed": lambda results=results: not results},
        )
        keeping.start()
        eventually(lambda seen=seen: len(blobs.puts) > seen)
        if ends == "result":
            results.append(ends)
        else:
            lease.end(Ending.TIMEOUT)

        keeping.join(2.0)
        assert not keeping.is_alive(), ends


def test_an_output_that_is_too_large_is_the_owners_mistake(bench: Bench, blobs):
    """It would be as large on every other node."""
    blobs.most = 4
    lease = bench.start("command", python(LEAVES_ONE))

    outcome = bench.outcome(lease)
    assert isinstance(outcome, Failed)
    assert outcome.cause is Cause.USER_ERROR
    assert "output 'a.txt' is larger than the store takes" in outcome.message


def as_nobody(folder: Path, do: Callable[[], None]) -> None:
    """Do it in a process without rights, to whom the folder belongs."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            if os.geteuid() == 0:
                os.chown(folder, 65534, 65534)
                os.chdir(folder)  # the folders above it are closed
                os.setuid(65534)
            do()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0


def test_an_output_that_its_job_closed_is_none(tmp_path: Path):
    """Its owner's mistake, where the agent is not root and may not read it either."""

    def do() -> None:
        Path("closed").touch(mode=0)
        with pytest.raises(NotOwn), opened(Path("closed"), Path()):
            pass

    as_nobody(tmp_path, do)


def test_a_folder_that_its_job_closed_is_cleared(tmp_path: Path):
    """Where the agent is not root, too: what is left there may be somebody's photos."""

    def do() -> None:
        Path("work/cache").mkdir(parents=True)
        Path("work/cache/photo").touch()
        Path("work/cache").chmod(0o555)
        Path("work/dark").mkdir(mode=0)
        clear(Path("work"))
        assert list(Path().iterdir()) == []

    as_nobody(tmp_path, do)


def test_a_drain_waits_for_outputs_on_their_way(bench: Bench, blobs):
    """Who only wants the place back gets it with the result."""
    blobs.hold.clear()
    lease = bench.start("command", python(LEAVES_ONE))
    eventually(lambda: blobs.puts)
    bench.shop.leases.end([lease.token], Ending.DRAIN)
    blobs.hold.set()

    assert isinstance(bench.outcome(lease), Completion)


def test_inputs_reach_the_job_read_only(bench: Bench, blobs):
    """An input is a read-only file below the work folder; the request names session, job and token."""
    sha256 = blobs.add(b"photo")
    inputs = [ClaimedInput("a/photo.bin", sha256, 5, "upload")]
    code = "import os; p='inputs/a/photo.bin'; print(open(p).read(), oct(os.stat(p).st_mode & 0o777))"
    lease = bench.start("command", python(code), inputs=inputs)

    outcome = bench.outcome(lease)
    assert isinstance(outcome, Completion), outcome
    [text] = [c.text for c in bench.shop.reporter._news[lease.token].take().logs if c.stream == "stdout"]
    assert text == "photo 0o444\n"
    assert blobs.headers[0]["Argosy-Token"] == str(lease.token)
    assert blobs.headers[0]["Argosy-Job"] == str(lease.job_id)


def test_an_input_that_nobody_made_is_the_owners_mistake(bench: Bench):
    """An input without a hash fails the job at once, naming the input and where it was to come from."""
    inputs = [ClaimedInput("photo", None, None, "job 12 output x.png")]
    lease = bench.start("noop", {}, inputs=inputs)

    outcome = bench.outcome(lease)
    assert isinstance(outcome, Failed)
    assert outcome.cause is Cause.USER_ERROR
    assert "'photo'" in outcome.message
    assert "job 12 output x.png" in outcome.message


@pytest.mark.parametrize(
    "names", [["a", "a/b"], ["a", "a/b/c"], ["a/b", "a"], ["a", "./a"], ["é" * 128], ["x" * 256 + "/a"]]
)
def test_inputs_in_each_others_way_are_the_owners_mistake(bench: Bench, blobs, names: list[str]):
    """A name that cannot be a file beside the others is told as the owner wrote it, without this host's paths."""
    sha256 = blobs.add(b"photo")
    inputs = [ClaimedInput(name, sha256, 5, "upload") for name in names]
    lease = bench.start("noop", {}, inputs=inputs)

    outcome = bench.outcome(lease)
    assert isinstance(outcome, Failed)
    assert outcome.cause is Cause.USER_ERROR
    assert repr(names[-1]) in outcome.message
    assert str(bench.shop.settings.state_dir) not in outcome.message


def test_a_checkpoint_is_brought_along(bench: Bench, blobs):
    """A claimed checkpoint is downloaded and is not an input."""
    sha256 = blobs.add(b"half way")
    lease = bench.start("noop", {"seconds": 60}, checkpoint=CheckpointRef(sha256, 8, 500))
    bench.running(lease)

    assert (bench.shop.folder(lease) / "checkpoint").read_bytes() == b"half way"
    lease.end(Ending.DRAIN)
    assert isinstance(bench.outcome(lease), Released)


@pytest.mark.parametrize("what", ["missing", "damaged"])
def test_a_checkpoint_that_is_gone_costs_what_it_saved(bench: Bench, blobs, what: str):
    """The job starts from the beginning and says so: the checkpoint would not be there for the next attempt either."""
    sha256 = blobs.add(b"half way") if what == "damaged" else "0" * 64
    blobs.damage_next = 1000
    bench.shop.transfer._patience_s = 0.5
    lease = bench.start("noop", {"values": {"done": True}}, checkpoint=CheckpointRef(sha256, 8, 500))

    outcome = bench.outcome(lease)
    assert isinstance(outcome, Completion), outcome
    [text] = [c.text for c in bench.shop.reporter._news[lease.token].take().logs if c.stream == "agent"]
    assert text == "starts from the beginning: the checkpoint of step 500 is gone\n"
