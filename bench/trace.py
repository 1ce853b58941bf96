"""A trace of jobs like those of a product that paints portraits: short paintings, long trainings, a few large jobs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from bench.simulate import Job

GIB = 1024


def portraits(jobs: int, *, over_s: float, seed: int = 1, backlog: float = 0.5) -> list[Job]:
    """Jobs of two projects, in the order of their submissions.

    Seven in ten paint (6 to 12 GiB, 20 to 60 s), a quarter trains (10 to 24 GiB, 3 to 10 minutes), three in a hundred
    need a GPU of 40 GiB (26 to 40 GiB, 1 to 5 minutes) and two one of 80 (50 to 80 GiB, 2 to 6 minutes).

    Args:
        jobs: How many.
        over_s: They are submitted from 0 to then, at random.
        seed: The same one gives the same trace.
        backlog: The share of them that stands there from the beginning.
    """
    chance = random.Random(seed)  # noqa: S311  # to be repeatable is the point
    made = []
    for _ in range(jobs):
        at_s = 0.0 if chance.random() < backlog else round(chance.uniform(0.0, over_s), 1)
        sort = chance.random()
        if sort < 0.70:
            kind, gib, run_s = "diffusion.generate", chance.randint(6, 12), chance.uniform(20, 60)
        elif sort < 0.95:
            kind, gib, run_s = "diffusion.train_lora", chance.randrange(10, 25, 2), chance.uniform(180, 600)
        elif sort < 0.98:
            kind, gib, run_s = "selftest.allocate", chance.randrange(26, 41, 2), chance.uniform(60, 300)
        else:
            kind, gib, run_s = "selftest.allocate", chance.randrange(50, 81, 10), chance.uniform(120, 360)
        project = "portraits" if chance.random() < 0.8 else "studio"
        made.append(Job(at_s, project, gib * GIB, round(run_s, 1), kind=kind))
    return sorted(made, key=lambda job: job.at_s)


def in_bursts(jobs: Sequence[Job], *, over_s: float, seed: int = 1) -> list[Job]:
    """The same jobs as customers send them: one to 24 at a time, each burst of one project and at any moment."""
    chance = random.Random(seed)  # noqa: S311  # as above
    left = list(jobs)
    chance.shuffle(left)
    sent: list[Job] = []
    while left:
        burst, left = left[: (many := chance.randint(1, 24))], left[many:]
        at_s = round(chance.uniform(0.0, over_s), 1)
        sent += [replace(job, at_s=at_s, project=burst[0].project) for job in burst]
    return sorted(sent, key=lambda job: job.at_s)
