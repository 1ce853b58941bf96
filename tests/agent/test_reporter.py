"""News of an attempt stays bounded, in order, and says what it left out."""

from __future__ import annotations

from uuid import uuid4

from agent.reporter import News
from workloads.protocol import Metrics, Progress


def test_only_the_newest_progress_is_told():
    """A hundred steps between two batches make one report."""
    news = News(uuid4(), uuid4())
    for step in range(100):
        news.add(Progress(step, 100))

    report = news.take()
    assert (report.step, report.total) == (99, 100)
    assert news.take() is None


def test_the_newest_value_of_each_metric_is_told():
    """Metrics of several messages become one report, since the database keeps one value of each."""
    news = News(uuid4(), uuid4())
    for step in range(3):
        news.add(Metrics(step, {"loss": 1.0 / (step + 1)}))
    news.add(Metrics(3, {"rate": 0.5}))

    report = news.take()
    assert (report.metrics_step, report.metrics) == (3, {"loss": 1 / 3, "rate": 0.5})


def test_lines_that_do_not_fit_are_dropped_oldest_first_and_counted():
    """While the database is away the log keeps its newest lines and says how many are missing."""
    news = News(uuid4(), uuid4(), max_bytes=100)
    for number in range(50):
        news.add_lines("stdout", [f"line {number:03}"])

    report = news.take()
    marker, lines = report.logs
    assert marker.stream == "agent"
    assert marker.text == "[39 lines were dropped here]\n"
    assert lines.text.splitlines() == [f"line {number:03}" for number in range(39, 50)]


def test_streams_keep_their_order_and_chunks_their_size():
    """A change of stream starts a chunk, and no chunk is beyond 64 KiB."""
    news = News(uuid4(), uuid4())
    news.add_lines("stdout", ["a"])
    news.add_lines("stderr", ["b"])
    news.add_lines("stdout", ["x" * 1000] * 200)

    report = news.take()
    assert [chunk.stream for chunk in report.logs[:2]] == ["stdout", "stderr"]
    assert max(len(chunk.text) for chunk in report.logs) <= 64 * 1024
    assert sum(chunk.text.count("\n") for chunk in report.logs) == 202
