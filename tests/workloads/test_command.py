from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.crowded import crowded
from workloads.protocol import Failure, Result, Stopped


def test_what_a_program_leaves_is_the_result(perform):
    """Every file below outputs/ becomes an output, nested ones too; links do not."""
    code = (
        "import os, pathlib; o = pathlib.Path('outputs'); (o / 'a').mkdir();"
        "(o / 'a' / 'b.json').write_text('{}'); (o / 'c.png').write_bytes(b'');"
        "os.symlink('/etc/passwd', o / 'secret')"
    )
    result = perform("command", {"argv": ["python", "-c", code]}).last

    assert isinstance(result, Result)
    types = {o.name: o.media_type for o in result.outputs}
    assert types == {"a/b.json": "application/json", "c.png": "image/png"}


def test_a_program_finds_its_inputs(perform, tmp_path):
    """Inputs lie in inputs/ under their own names, whatever they are called on the host."""
    stored = tmp_path / "0f3a"
    stored.write_text("hello")
    argv = ["sh", "-c", "cat inputs/words.txt > outputs/copy.txt"]
    result = perform("command", {"argv": argv}, inputs={"words.txt": str(stored)}).last

    assert Path(result.outputs[0].path).read_text() == "hello"


def test_an_exit_code_is_told(perform, capfd):
    """A program that fails is a user error with its code and the end of its stderr."""
    failure = perform("command", {"argv": ["sh", "-c", "echo gone wrong >&2; exit 3"]}).last

    assert isinstance(failure, Failure)
    assert failure.cause == "user_error"
    assert "exit code 3" in failure.message
    assert "gone wrong" in failure.message
    assert "gone wrong" in capfd.readouterr().err


def test_a_crowded_runner_hears_its_program(perform):
    """What it prints is passed on by handles of any number."""
    argv = ["sh", "-c", "sleep 0.2; echo gone wrong >&2; exit 3"]  # so long that it is waited for
    with crowded():
        failure = perform("command", {"argv": argv}).last

    assert "gone wrong" in failure.message


def test_a_signal_is_told(perform):
    """A program that was killed is said to be, without a guess at memory."""
    failure = perform("command", {"argv": ["sh", "-c", "kill -9 $$"]}).last

    assert failure.cause == "user_error"
    assert "SIGKILL" in failure.message


def test_a_signal_without_a_name_is_told(perform):
    """Of the real-time signals Python names two."""
    failure = perform("command", {"argv": ["sh", "-c", "kill -35 $$"]}).last

    assert failure.message == "'sh' was ended by signal 35"


DEEP = "cd outputs; d=$(printf '%0250d' 0); for i in $(seq 17); do mkdir $d; cd -P $d; done"
CLOSED = "mkdir -m 0 outputs/closed"


@pytest.mark.parametrize(
    ("code", "folder", "why"),
    [
        (DEEP, "outputs/0000", "File name too long"),
        pytest.param(
            CLOSED,
            "outputs/closed",
            "Permission denied",
            marks=pytest.mark.skipif(os.geteuid() == 0, reason="root reads it"),
        ),
    ],
)
def test_a_folder_that_cannot_be_read_is_no_empty_one(perform, code, folder, why):
    """What may lie in it would be lost without a word: the job is told."""
    failure = perform("command", {"argv": ["sh", "-c", code]}).last

    assert isinstance(failure, Failure)
    assert failure.cause == "user_error"
    assert folder in failure.message
    assert why in failure.message


def test_a_name_that_is_not_utf8_is_told(perform):
    """It cannot be sent; the file is named by its bytes."""
    failure = perform("command", {"argv": ["sh", "-c", r"touch outputs/$(printf 'a\377')"]}).last

    assert isinstance(failure, Failure)
    assert failure.cause == "user_error"
    assert r"not UTF-8: 'a\udcff'" in failure.message


def test_who_takes_outputs_away_leaves_none(perform):
    """A folder that is not there has nothing to lose."""
    result = perform("command", {"argv": ["rmdir", "outputs"]}).last

    assert isinstance(result, Result)
    assert result.outputs == []


def test_a_missing_program_names_the_field(perform):
    """What cannot be started is reported against argv."""
    failure = perform("command", {"argv": ["no-such-program"]}).last

    assert "`params.argv`" in failure.message


def test_the_agents_environment_is_not_passed_on(perform, monkeypatch):
    """A database address of the agent stays with the agent."""
    monkeypatch.setenv("ARGOSY_AGENT_DSN", "postgres://secret")
    result = perform("command", {"argv": ["sh", "-c", "env > outputs/env"], "env": {"MINE": "yes"}}).last
    seen = Path(result.outputs[0].path).read_text()

    assert "secret" not in seen
    assert "MINE=yes" in seen


def test_the_runners_mark_stays(perform, monkeypatch):
    """The agent finds a program by its runner's mark, which the job cannot change."""
    monkeypatch.setenv("ARGOSY_RUNNER", "the-mark")
    params = {"argv": ["sh", "-c", "env > outputs/env"], "env": {"ARGOSY_RUNNER": "other"}}
    result = perform("command", params).last

    assert "ARGOSY_RUNNER=the-mark" in Path(result.outputs[0].path).read_text()


def test_a_program_is_ended_when_asked(perform):
    """Stop ends the program and gives the job back."""
    channel = perform("command", {"argv": ["sleep", "30"]}, until="at once")

    assert isinstance(channel.last, Stopped)
