"""`python -m bench [--quick] [PART ...]`: measure all parts, or those named, and write down what came of it."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from bench import findings, report, server, sizes
from bench.registry import LONG, PARTS


def main(arguments: list[str] | None = None) -> None:
    """Measure; print each part's ratios as one line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"{' '.join(PARTS)}; only when named: {' '.join(LONG)}"
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds and shorter runs")
    parser.add_argument("--tiny", action="store_true", help="only see that every part runs")
    parser.add_argument(
        "--results", type=Path, default=findings.RESULTS, help="where the numbers go (default: %(default)s)"
    )
    chosen = parser.parse_args(arguments)
    known = {**PARTS, **LONG}
    unknown = [name for name in chosen.parts if name not in known]
    if unknown:
        parser.error(f"there is no part {unknown[0]}; choose from: {' '.join(known)}")
    name = "tiny" if chosen.tiny else "quick" if chosen.quick else "full"
    size = {"tiny": sizes.TINY, "quick": sizes.QUICK, "full": sizes.FULL}[name]
    with server.running(fsync=not chosen.tiny) as running:
        facts = {"size": name, "server": running.facts()}
        for part in chosen.parts or PARTS:
            before = findings.circumstances()
            start = time.monotonic()
            found = known[part](running, size)
            took = {"took_s": round(time.monotonic() - start, 1)}
            findings.merge(chosen.results, part, found, facts | before | took)
            report.write(chosen.results)
            print(json.dumps({"part": part, **took, **found.ratios}), flush=True)


if __name__ == "__main__":
    main()
