"""Times of whole regularisation paths under l1/l2, at the worst certified gap of their points: `--help`.

Fifty strengths from alpha_max to alpha_max / 100 (the first has W = 0). Each peer is given all of them at once, by its
path function or with its warm start, and quoted with the loosest of its tolerances at which every point certifies.
"""

import argparse
import shlex
import sys
from pathlib import Path

import numpy as np

from benchmarks import peers
from benchmarks.measure import measure, workers
from benchmarks.problems import make_problem
from benchmarks.report import BOUND, details, environment, overview
from benchmarks.run import installed, log

__all__ = ["main"]

TARGETS = (1e-4, 1e-6)
POINTS, RATIO = 50, 100
EXPLANATION = [
    "Cells: CPU seconds of the whole path, its worst point being certified to 1e-4 / 1e-6; median of the repeats.",
    "`>t@g`: a path was stopped after t seconds, g being the best gap then. `-@g`: every tolerance was tried, g",
    "being the best. Ratio: best other peer over mtlreg, in CPU seconds of one round: median (least, most).",
]


def main(arguments=None):
    """Run what the arguments say; the text is written after every problem."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    command = shlex.join(["python", "-m", "benchmarks.paths", *arguments])
    names, rows = installed(options.peers), []
    for name in options.problems:
        problem = make_problem(name, "l21", options.quick)
        alphas = np.geomspace(1.0, 1.0 / RATIO, options.points) * problem.alpha_max
        with workers(problem, names, options.quick, able="path") as (usable, processes):
            settings = (options.repeats, options.budget, log)
            rows.append(measure(problem, alphas, f"1..{RATIO}", TARGETS, usable, processes, *settings))
        text = _report(rows, names, command, options.points)
        if options.out is not None:
            options.out.write_text(text)
    print(text)


def _report(rows, names, command, points):
    shown = [peer for peer in names if any(peer in row.ladders for row in rows)]
    title = f"{points} strengths from alpha_max to alpha_max / {RATIO}, l1/l2, squared loss."
    lines = ["# Paths to a certified gap", "", *environment(command, shown), "", title, *EXPLANATION, ""]
    return "\n".join([*lines, *overview(rows, shown), "", "## Details", "", *BOUND, "", *details(rows, shown)]) + "\n"


def _parser():
    able = [peer for peer in peers.PEERS if hasattr(peers.load(peer), "path")]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paths", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small versions of the problems")
    parser.add_argument("--problems", nargs="+", choices=["wide", "tall"], default=["wide", "tall"])
    parser.add_argument("--peers", nargs="+", choices=able, default=able, help="default: all")
    parser.add_argument("--points", type=int, default=POINTS, help="of a path (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="of every time in the table (default: 3)")
    parser.add_argument("--budget", type=float, default=120.0, help="seconds for one path (default: 120)")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    return parser


if __name__ == "__main__":
    main()
