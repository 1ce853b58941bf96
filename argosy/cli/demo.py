"""`argosy demo`: the main job from photos to portraits, on a fleet of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from argosy.demo import story


def demo(
    *,
    user_seed: Annotated[int, typer.Option(min=0, max=9999, help="Which made-up user.")] = 0,
    out: Annotated[Path, typer.Option(help="Where everything goes.")] = Path("demo-out"),
    port: Annotated[int, typer.Option(help="The API's port; 0 for any free one.")] = 0,
) -> None:
    """Train on 12 photos, make portraits, and kill a machine in between. The last line is JSON."""
    verdict = story.tell(user_seed, out.resolve(), port)
    console = Console(stderr=True)
    console.print(
        f"\nrecognised among 21 people: [b]{verdict.score_before:.0%}[/b] of the portraits before,"
        f" [b]{verdict.score_after:.0%}[/b] after; background as asked: {verdict.backgrounds:.0%};"
        f" other people who look like the user: {verdict.leak:.0%}"
    )
    console.print("the killed machine: " + ", then ".join(verdict.attempts))
    console.print(f"look at [cyan]{verdict.sheet}[/cyan]\n")
    sys.stdout.write(story.as_json(verdict) + "\n")
    if not verdict.passed:
        raise typer.Exit(1)
