"""Why a job has not started: the true reasons, and the smallest changes that start it (Q10)."""

from __future__ import annotations

import os
import random

import pytest

from queue_schema.calls import questions
from tests.support.stuck import SORTS, smaller, sorts_of, stuck

STATES = int(os.environ.get("ARGOSY_WHY_STATES", "40"))
"""`ARGOSY_WHY_STATES=200 pytest tests/sql/test_why.py` is what the bench runs."""


@pytest.mark.parametrize("sort", SORTS)
def test_the_reasons_are_true_and_the_changes_start_the_job_and_no_smaller_ones_do(conn, sort: str):
    """In random states, each reason alone and with others; every change is applied by the real verbs."""
    for seed in range(STATES // len(SORTS)):
        chance = random.Random(f"{sort} {seed}")
        sorts = {sort} if seed % 3 == 0 else sorts_of(chance, first=sort)
        with conn.transaction(force_rollback=True):
            state = stuck(conn, chance, sorts)

            told = questions.why(conn, state.project.id, state.job)

            where = f"{sort}, seed {seed}: {told}"
            assert {cause.cause for cause in told.causes} == sorts, where
            assert told.proved, where
            for cause in told.causes:
                assert cause.change is not None, where
                for less in smaller(cause.change):
                    with conn.transaction(force_rollback=True):
                        assert not state.started(told, but=cause.change, instead=less), (where, less)
            assert state.started(told), where
