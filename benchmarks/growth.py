"""How mtlreg's time grows with n, p and T, and how near it is to its floor: `python -m benchmarks.growth --help`.

Each of n, p and T is doubled four times from a base, the others fixed; l1/l2, squared loss, alpha = alpha_max / 10, a
gap of 1e-6. The slope is that of the logarithm of CPU seconds against the logarithm of the size, by least squares over
all five sizes: 1 is linear. The floor is one gradient X'(X W - Y) with a full W, about what any certificate costs, and
the Gram matrix where n > p. Sizes are measured in turn, all of them once a round.
"""

import argparse
import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks import peers
from benchmarks.certify import relative_gap
from benchmarks.problems import Shape, from_shape
from benchmarks.report import environment, table

__all__ = ["main"]

BASES = {"wide": Shape(100, 1000, 10, 10), "tall": Shape(2000, 100, 10, 10)}
SMALL = {"wide": Shape(40, 100, 5, 5), "tall": Shape(200, 40, 5, 5)}
DOUBLINGS = 4
GOAL, DIVISOR = 1e-6, 10
LONG_ENOUGH = 0.1  # seconds: a shorter call is averaged over several
HEADER = ["base", "grows", "n", "p", "T", "CPU s", "certified gap", "gradient s", "s / gradient", "Gram s", "s / Gram"]


def main(arguments=None):
    """Measure, and print or write the tables."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small bases: seconds")
    parser.add_argument("--repeats", type=int, default=5, help="rounds, of which the median counts (default: 5)")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    options = parser.parse_args(arguments)
    from threadpoolctl import threadpool_limits

    sizes, slopes = [], []
    with threadpool_limits(1):
        for base, shape in (SMALL if options.quick else BASES).items():
            for grows in ("n", "p", "tasks"):
                rows = _grow(base, shape, grows, options.repeats)
                sizes += rows
                slopes.append([base, grows, f"{_slope(rows):.2f}"])
    command = shlex.join(["python", "-m", "benchmarks.growth", *arguments])
    title = f"mtlreg, l1/l2, squared loss, alpha_max / {DIVISOR}, to a gap of {GOAL:g}. CPU seconds, medians."
    lines = ["# Growth", "", *environment(command), "", title, "", *table(["base", "grows", "slope"], slopes)]
    text = "\n".join([*lines, "", "## Sizes", "", *table(HEADER, sizes)]) + "\n"
    if options.out is not None:
        options.out.write_text(text)
    print(text)


def _grow(base, shape, grows, repeats):
    """A row for each size."""
    doubled = [replace(shape, **{grows: getattr(shape, grows) * 2**k}) for k in range(DOUBLINGS + 1)]
    problems = [from_shape(one, base) for one in doubled]
    solves, gaps = [_solve(problem) for problem in problems], []
    for problem, solve in zip(problems, solves, strict=True):
        gaps.append(relative_gap(problem, problem.alpha_max / DIVISOR, solve()["W"]))  # compiles, too
    rounds = [[_cpu(solve) for solve in solves] for _ in range(repeats)]
    rows = []
    for problem, gap, *times in zip(problems, gaps, *rounds, strict=True):
        (n, p), T, seconds = problem.X.shape, problem.Y.shape[1], median(times)
        floor = [_floor(lambda problem=problem: problem.X.T @ (problem.X @ _full(problem) - problem.Y), repeats)]
        floor += [_floor(lambda problem=problem: problem.X.T @ problem.X, repeats)] if n > p else []
        cells = [cell for unit in floor for cell in (f"{unit:.3g}", f"{seconds / unit:.2g}")]
        cells += [""] * (4 - len(cells))
        rows.append([base, grows, n, p, T, f"{seconds:.3g}", f"{gap:.0e}", *cells])
    return rows


def _solve(problem):
    mtlreg, alpha = peers.load(peers.ours), problem.alpha_max / DIVISOR
    return lambda: mtlreg.solve(problem, alpha, GOAL)


def _full(problem):
    return problem.ready(_ones)


def _ones(problem):
    return np.ones(problem.shape_w)


def _cpu(call):
    """CPU seconds of a call, the mean of several where it is short."""
    calls, before = 0, time.process_time()
    while (seconds := time.process_time() - before) < LONG_ENOUGH or not calls:
        call()
        calls += 1
    return seconds / calls


def _floor(call, repeats):
    call()
    return median(_cpu(call) for _ in range(repeats))


def _slope(rows):
    return np.polyfit(np.arange(len(rows)), np.log2([float(row[5]) for row in rows]), 1)[0]


if __name__ == "__main__":
    main()
