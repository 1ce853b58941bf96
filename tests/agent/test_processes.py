"""The processes below one, by the kernel's own lists."""

from __future__ import annotations

import os
import subprocess
import sys

from agent import processes
from tests.support.waiting import eventually

DEEP = """
import subprocess, sys, threading, time
def below():
    subprocess.run(["sh", "-c", "sleep 600 & wait"])
threading.Thread(target=below, daemon=True).start()
time.sleep(600)
"""


def test_a_tree_has_all_that_are_below():
    """Those that a thread started, and theirs; as the table has them, without reading anybody else."""
    with subprocess.Popen([sys.executable, "-c", DEEP], process_group=0) as root:
        try:
            started = processes.look_up(root.pid).started

            def below() -> set[int]:
                return {each.pid for each in processes.tree(root.pid, started) or []}

            eventually(lambda: len(below()) == 3)
            seen = processes.members(root.pid, started, processes.table())
            assert {each.pid for each in seen} == below()
        finally:
            os.killpg(root.pid, 9)


def test_one_that_is_gone_has_no_tree():
    """Nor has somebody else with its number: the table must say who is left of it."""
    own = processes.look_up(os.getpid())
    assert own is not None
    assert processes.tree(own.pid, own.started) is not None
    assert processes.tree(own.pid, own.started - 1) is None
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
        assert processes.tree(ended.pid, own.started) is None
