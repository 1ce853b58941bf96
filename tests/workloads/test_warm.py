"""Runners that keep their model, and jobs done as one: what came before, or is beside, changes nothing."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tests.workloads.conftest import Recorder, Started, new_spec
from workloads import confine, runner
from workloads.models import Models
from workloads.protocol import Batch, Failure, Idle, Progress, Result, Spec, Stopped, decode_from_runner

FACE = "a portrait of a sks person"
TRAINING = {"steps": 2, "prior": 4, "rank": 4, "lr": 0.05, "prior_batch": 0}


def drawing(folder: Path, name: str, *, inputs: dict[str, str] | None = None, **params: Any) -> Spec:
    """A job of one picture."""
    work_dir = folder / name
    work_dir.mkdir()
    params = {"prompt": FACE, "steps": 2, **params}
    return new_spec("diffusion.generate", params, work_dir, inputs=inputs or {})


def pixels(channel: Recorder) -> list[bytes]:
    """The pictures, in the order of the jobs."""
    results = sorted(channel.of(Result), key=lambda result: result.at)
    return [Path(output.path).read_bytes() for result in results for output in result.outputs]


def drawn(spec: Spec, models: Models) -> bytes:
    """The one picture of a job, in a process that has loaded what `models` has."""
    channel = Recorder()
    runner.perform(spec, channel, models=models)
    [picture] = pixels(channel)
    return picture


@pytest.fixture(scope="module")
def lora(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The inputs of a job that wants somebody drawn: two steps are enough to change a picture."""
    from workloads.portraits import draw

    folder = tmp_path_factory.mktemp("training")
    draw.write_user(3, folder / "photos")
    photos = {f"photo-{i:02}.png": str(folder / "photos" / f"photo-{i:02}.png") for i in range(4)}
    params = {"captions": dict.fromkeys(photos, FACE), **TRAINING}
    channel = Recorder()
    runner.perform(new_spec("diffusion.train_lora", params, folder, inputs=photos), channel)
    return {"lora.safetensors": str(folder / "outputs" / "lora.safetensors")}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As a job that books one core has; with another number of them pictures differ in a bit here and there."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_three_threads_draw_as_two(tmp_path: Path):
    """Rows that are shared unevenly would be computed differently by where they stand."""
    torch.set_num_threads(2)
    two = drawn(drawing(tmp_path, "two"), Models())
    torch.set_num_threads(3)

    assert drawn(drawing(tmp_path, "three"), Models()) == two


def test_a_kept_model_draws_what_a_fresh_one_draws(tmp_path: Path, lora: dict[str, str]):
    """Also after a LoRA was merged into it: what was changed is put back bit by bit."""
    fresh = drawn(drawing(tmp_path, "fresh"), Models())
    somebody = drawn(drawing(tmp_path, "somebody", inputs=lora), Models())
    assert fresh != somebody

    kept = Models()
    order = ["bare", "with", "bare again", "with again", "with once more", "bare at last"]
    made = [
        drawn(drawing(tmp_path, name, inputs=lora if name.startswith("with") else None), kept)
        for name in order
    ]

    assert made == [fresh, somebody, fresh, somebody, somebody, fresh]


def test_jobs_done_as_one_give_what_each_alone_gives(tmp_path: Path, lora: dict[str, str], unbound):
    """Whatever of them can be drawn together; each hears of its own."""
    wanted: list[dict[str, Any]] = [
        {"seed": 1},
        {"seed": 2, "inputs": lora},
        {"seed": 3, "prompt": "a person"},
        {"seed": 4, "steps": 3},
        {"seed": 5, "inputs": lora},
    ]
    alone = [drawn(drawing(tmp_path, f"alone-{i}", **each), Models()) for i, each in enumerate(wanted)]
    channel = Recorder()

    specs = [drawing(tmp_path, f"together-{i}", **each) for i, each in enumerate(wanted)]
    done = runner.perform_all(specs, channel, unbound, Models())

    assert done.succeeded
    assert pixels(channel) == alone
    assert {message.at for message in channel.of(Progress)} == set(range(5))
    assert {result.peak_mib for result in channel.of(Result)} == {None}


def test_one_bad_job_spoils_no_other(tmp_path: Path, unbound):
    """Then each is done alone, and fails or succeeds as it would have."""
    channel = Recorder()
    specs = [drawing(tmp_path, str(at), steps=steps) for at, steps in enumerate([2, 0, 2])]

    done = runner.perform_all(specs, channel, unbound, Models())

    assert not done.succeeded
    assert [result.at for result in channel.of(Result)] == [0, 2]
    [failure] = channel.of(Failure)
    assert (failure.at, failure.cause) == (1, "user_error")
    assert "params.steps" in failure.message


def test_a_lora_that_half_fits_spoils_no_other(tmp_path: Path, lora: dict[str, str], unbound):
    """Its weights for the UNet are in the model when those for the text turn out to be of another shape."""
    fresh = drawn(drawing(tmp_path, "fresh"), Models())
    weights = {
        name: tensor[..., :1].clone() if name.startswith("text_encoder") else tensor
        for name, tensor in load_file(lora["lora.safetensors"]).items()
    }
    with safe_open(lora["lora.safetensors"], framework="pt") as file:
        save_file(weights, tmp_path / "bad.safetensors", metadata=file.metadata())
    channel = Recorder()
    bare = drawing(tmp_path, "bare")
    bad = drawing(tmp_path, "bad", inputs={"lora.safetensors": str(tmp_path / "bad.safetensors")})

    for specs in ([bad, bare], [bare, bad]):
        channel = Recorder()
        runner.perform_all(specs, channel, unbound, Models())
        assert pixels(channel) == [fresh]
        assert [failure.cause for failure in channel.of(Failure)] == ["user_error"]


def test_all_of_a_batch_give_back_when_asked(tmp_path: Path, unbound):
    """Between two steps."""
    channel = Recorder(stop=True)

    runner.perform_all([drawing(tmp_path, str(at)) for at in range(3)], channel, unbound, Models())

    assert channel.sent == [Stopped(at) for at in range(3)]


def test_a_runner_goes_on_to_the_next_job(start, tmp_path: Path):
    """In the same process, in the next job's folder; it ends when the agent hangs up."""
    one: Started = start("noop", {"values": {"job": 1}})
    assert hears(one) == [{"job": 1}]
    for job in (2, 3):
        one.tell(new_spec("noop", {"values": {"job": job}}, tmp_path))
        assert hears(one) == [{"job": job}]
    specs = [new_spec("noop", {"values": {"job": job}}, tmp_path) for job in (4, 5)]
    one.tell(Batch(specs))
    assert hears(one) == [{"job": 4}, {"job": 5}]

    assert one.process.is_alive()
    assert one.wait() == 0


def test_a_runner_does_not_go_on_after_a_failure(start):
    """A process in which something went wrong is not used again."""
    one: Started = start("noop", {"seconds": -1})

    assert [type(message) for message in one.lines()] == [Failure]
    assert one.wait() == 70


def hears(one: Started) -> list[dict[str, Any]]:
    """The values of the results up to the idling."""
    text = b""
    while not text.endswith(b"\n") or not isinstance(decode_from_runner(text.splitlines()[-1]), Idle):
        text += one.channel_bytes()
    return [said.values for line in text.splitlines() if isinstance(said := decode_from_runner(line), Result)]


@pytest.fixture
def unbound(monkeypatch: pytest.MonkeyPatch) -> confine.Bounds:
    """Of this process, which is the tests' own: nothing is limited, and it stays in its folder."""
    monkeypatch.setattr(runner.os, "chdir", lambda _: None)
    monkeypatch.setenv("ARGOSY_JOB_ID", "")
    monkeypatch.setenv("ARGOSY_ATTEMPT", "")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return confine.Bounds(for_good=False)


def test_limits_are_set_anew_for_each_piece_of_work():
    """Over what the process had before the first: a job after a larger one is held to its own, and one before it too."""
    code = """
        from workloads.confine import Bounds
        from workloads.protocol import Device

        def fits(mib):
            try:
                return bool(bytearray(mib << 20))
            except MemoryError:
                return False

        bounds = Bounds(for_good=False)
        said = []
        for booked in (64, 512, 64):
            bounds.hold([Device("ram", 0, booked)], 0)
            said.append(fits(256))
        print(said)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, check=True)

    assert done.stdout.decode().strip() == "[False, True, False]"
