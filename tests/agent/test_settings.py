"""Settings from the command line and the environment, and what a runner may see of the latter."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent import hiding, settings
from agent.settings import AgentSettings, SettingsError
from api.settings import ApiSettings
from queue_schema.knobs import meanings
from scheduler.settings import SchedulerSettings

MUST = ["--database-url", "postgresql://u:hunter2@h/d", "--api-url", "http://api", "--state-dir", "/tmp/x"]


def test_the_command_line_wins_over_the_environment():
    """A value given twice is the one on the command line."""
    said = settings.read([*MUST, "--slots", "7"], {"ARGOSY_AGENT_SLOTS": "3", "ARGOSY_AGENT_RAM_MIB": "512"})

    assert (said.slots, said.ram_mib, said.state_dir) == (7, 512, Path("/tmp/x"))


def test_labels_and_kinds_may_be_repeated_or_listed():
    """Both spellings of several values mean the same."""
    said = settings.read([*MUST, "--label", "zone=a", "--label", "rack=3", "--kinds", "noop,command"], {})

    assert said.labels == (("zone", "a"), ("rack", "3"))
    assert said.kinds == ("noop", "command")


def test_the_help_says_what_each_setting_means(capsys: pytest.CaptureFixture[str]):
    """With its default and its variable."""
    with pytest.raises(SystemExit):
        settings.read(["--help"], {})
    said = " ".join(capsys.readouterr().out.split())

    assert (
        "--drain-s DRAIN_S How long running jobs may go on after SIGTERM to the agent. [30.0] (ARGOSY_AGENT_DRAIN_S)"
        in said
    )


@pytest.mark.parametrize("of", [AgentSettings, ApiSettings, SchedulerSettings])
def test_no_setting_is_without_a_meaning(of: type):
    """For its help; defaults alone stand in brackets."""
    assert [name for name, meaning in meanings(of).items() if meaning.lstrip()[:1] in ("", "[")] == []


def test_a_secret_is_not_in_the_repr():
    """The database URL is not shown."""
    assert "hunter2" not in repr(settings.read(MUST, {}))


@pytest.mark.parametrize(
    ("argv", "environ", "named"),
    [
        (MUST[2:], {}, "--database-url"),
        (MUST, {"ARGOSY_AGENT_SLOTS": "many"}, "'many'"),
        ([*MUST, "--slots", "0"], {}, "slots must be at least 1, got 0"),
        ([*MUST, "--label", "zone"], {}, "'zone'"),
        ([*MUST, "--entry", "nowhere"], {}, "'nowhere'"),
    ],
)
def test_an_unusable_setting_is_named_with_its_value(argv, environ, named):
    """The text says which setting and what was given."""
    with pytest.raises(SettingsError, match=named):
        settings.read(argv, environ)


def test_only_what_is_listed_reaches_a_runner():
    """Secrets are cut from the environment whatever their name; what a runner needs stays."""
    environ = {
        "PATH": "/bin",
        "LC_ALL": "C",
        "HF_TOKEN": "x",
        "PGPASSWORD": "x",
        "ARGOSY_AGENT_DATABASE_URL": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "OMP_NUM_THREADS": "8",
    }
    hiding.scrub(environ)

    assert environ == {
        "PATH": "/bin",
        "LC_ALL": "C",
        "OMP_NUM_THREADS": "1",
        "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
    }
