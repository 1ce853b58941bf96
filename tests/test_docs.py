"""The docs say what is true: their SQL runs, and their words are the code's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from argosy.demo import story, workflow
from queue_schema import desk
from queue_schema.calls import questions, schedules
from queue_schema.calls.schedules import Schedule
from queue_schema.shapes import Submission
from queue_schema.states import Cause
from tests.support.verbs import Agent, Project
from workloads.portraits import draw

ROOT = Path(__file__).resolve().parent.parent
QUERIES = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "psql.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("query", QUERIES, ids=[query.split("\n")[0][:60] for query in QUERIES])
def test_every_query_of_the_psql_cookbook_answers(conn, project: Project, agent: Agent, query: str):
    """Q13: on a fleet with something queued, waiting, running and failed."""
    failed = project.submit()
    agent.fail(agent.claim_one(), Cause.USER_ERROR)
    done = project.submit()
    agent.complete(agent.claim_one())
    running = project.submit()
    agent.claim()
    project.submit(after=[str(running)])
    project.submit()
    nightly = Schedule(name="nightly", cron="@daily", jobs=[Submission(kind="noop")])
    schedules.create(conn, project.id, nightly, next_tick=desk.now(conn))
    questions.forecast(conn)

    rows = conn.execute(query.replace("01a2...", str(failed))).fetchall()

    assert rows
    assert project.state(done) == "succeeded"


def test_the_demo_and_the_drawings_use_the_same_words():
    """Argosy imports nothing of workloads, so these are written twice."""
    assert workflow.BACKGROUNDS == draw.BACKGROUNDS
    assert workflow.PROMPT == draw.PROMPT


def test_the_readme_names_only_files_that_are_there():
    """A link that leads nowhere wastes a stranger's time."""
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if not target.startswith("http"):
                assert (ROOT / target).exists(), f"{page.name} links to {target}"


def test_the_bars_of_the_demo_are_the_promised_ones():
    """Rank-1 after at least 0.9, before at most 0.2, backgrounds at least 0.9, leak at most 0.1."""
    assert (story.RANK_AFTER, story.RANK_BEFORE, story.BACKGROUNDS, story.LEAK) == (0.9, 0.2, 0.9, 0.1)
