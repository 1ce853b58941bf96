"""The demo's plot: a fleet comes up, work begins, a machine joins, the other one is killed, and nothing is lost."""

from __future__ import annotations

import json
import shutil
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from argosy import Client
from argosy.demo import workflow
from argosy.demo.show import Show
from argosy.errors import ArgosyError
from argosy.local.fleet import LocalFleet, LocalFleetSettings

LEASE_S = 9.0
"""Shorter than the usual 30 s, so that nobody has to wait for the lost machine to be missed."""
_LOOK_S = 0.3
_JOIN_AT = 0.10
_KILL_AT = 0.40
_LIMIT_S = 900.0
_FIRST, _SECOND = "node-1", "node-2"

RANK_AFTER, RANK_BEFORE, BACKGROUNDS, LEAK = 0.9, 0.2, 0.9, 0.1


@dataclass
class Verdict:
    """What the demo shows; its last line as JSON."""

    user_seed: int
    score_before: float
    score_after: float
    leak: float
    """Share of "a person" that shows the user: nearest, and as like them as their own photos are."""
    leak_rank1: float
    """The same by rank-1 alone, which must always pick somebody; see docs/adr/0002."""
    backgrounds: float
    recovered_after_kill: bool
    resumed_from_step: int | None
    attempts: list[str]
    seconds: float
    sheet: str
    passed: bool


def tell(user_seed: int, out: Path, port: int) -> Verdict:
    """Run the whole story; everything it makes is in *out*.

    Raises:
        ArgosyError: The fleet does not come up, or a job failed.
    """
    start = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    photos = out / f"user-{user_seed}"
    workflow.draw_photos(user_seed, photos)
    with Show() as show:
        fleet = LocalFleet(LocalFleetSettings(home=out / "fleet", port=port, lease_s=LEASE_S), show.tell)
        try:
            fleet.start()
            show.tell(f"the fleet is up at {fleet.url}; [b]{_FIRST}[/b] joins")
            fleet.add_agent(_FIRST)
            with Client(fleet.url, fleet.api_key) as client:
                jobs = workflow.submit(client, user_seed, photos)
                show.tell("12 photos uploaded; training, portraits and the judge submitted as one graph")
                _follow(fleet, jobs, show)
                jobs.score.download(photos, names=["score.json", "sheet.png"])
                attempts = jobs.train.attempts()
                resumed = _resumed_from(jobs)
        finally:
            fleet.stop()
    score = json.loads((photos / "score.json").read_text())
    sheet = out / f"before-after-{user_seed}.png"
    shutil.copyfile(photos / "sheet.png", sheet)
    recovered = (
        len({attempt.node for attempt in attempts}) == 2
        and attempts[0].cause == "lost"
        and attempts[-1].outcome == "succeeded"
        and bool(resumed)
    )
    return Verdict(
        user_seed=user_seed,
        score_before=score["score_before"],
        score_after=score["score_after"],
        leak=score["leak"],
        leak_rank1=score["leak_rank1"],
        backgrounds=score["backgrounds"],
        recovered_after_kill=recovered,
        resumed_from_step=resumed,
        attempts=[
            f"{attempt.node}: {attempt.outcome}" + (f" ({attempt.cause})" if attempt.cause else "")
            for attempt in attempts
        ],
        seconds=round(time.monotonic() - start, 1),
        sheet=str(sheet),
        passed=recovered
        and score["score_after"] >= RANK_AFTER
        and score["score_before"] <= RANK_BEFORE
        and score["backgrounds"] >= BACKGROUNDS
        and score["leak"] <= LEAK,
    )


def _follow(fleet: LocalFleet, jobs: workflow.Workflow, show: Show) -> None:
    """Watch until all has ended; meanwhile one machine joins and the other one is killed."""
    joined = killed = back = False
    end = time.monotonic() + _LIMIT_S
    while time.monotonic() < end:
        infos = {name: job.refresh() for name, job in jobs.all().items()}
        for name, info in infos.items():
            show.update(name, info)
            if info.state in ("failed", "cancelled"):
                said = info.error.message if info.error else info.cause
                raise ArgosyError(
                    f"{name} ended as {info.state}: {said}",
                    code="demo_failed",
                    fix=f"argosy job logs {info.job_id}",
                )
        if all(info.ended for info in infos.values()):
            return
        train = infos["train"]
        share = 0.0
        if train.state == "running" and train.progress and train.progress.step and train.progress.total:
            share = train.progress.step / train.progress.total
        if not joined and share >= _JOIN_AT:
            fleet.add_agent(_SECOND)
            show.tell(f"[b]{_SECOND}[/b] joins: one command, and nobody had to be told")
            joined = True
        if joined and not killed and share >= _KILL_AT and train.node == _FIRST:
            victim = fleet.agents[_FIRST]
            fleet.forget_agent(_FIRST)
            victim.signal(signal.SIGKILL)
            show.tell(f"[red]kill -9[/red] of the agent on {_FIRST}, at {share:.0%} of the training")
            killed = True
        if killed and not back and train.state == "running" and train.node == _SECOND:
            show.tell(f"the training is back: {_SECOND} goes on from the last checkpoint")
            back = True
        fleet.watch()
        time.sleep(_LOOK_S)
    raise ArgosyError(f"the demo did not end within {_LIMIT_S:.0f} s", code="demo_slow")


def _resumed_from(jobs: workflow.Workflow) -> int | None:
    """The step of the last checkpoint before the attempt that finished, from the job's own history."""
    step = None
    for event in jobs.train.events():
        if event.name == "checkpoint":
            step = (event.data.get("detail") or event.data).get("step")
        elif event.name == "lost":
            return step
    return None


def as_json(verdict: Verdict) -> str:
    """One line."""
    return json.dumps(asdict(verdict))
