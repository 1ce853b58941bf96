"""Nodes with a GPU, for what is learned of memory."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.needs import BIG_MIB, SMALL_MIB
from tests.support.verbs import Agent

KINDS = ["diffusion.generate", "selftest.allocate", "command", "noop"]


@pytest.fixture
def small(conn: psycopg.Connection[Any]) -> Agent:
    """A node with one GPU of 8 GiB."""
    return Agent(conn, "small", gpus=[SMALL_MIB], kinds=KINDS)


@pytest.fixture
def big(conn: psycopg.Connection[Any]) -> Agent:
    """A node with one GPU of 24 GiB."""
    return Agent(conn, "big", gpus=[BIG_MIB], kinds=KINDS)
