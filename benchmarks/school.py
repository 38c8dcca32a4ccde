"""CPU seconds of every convex family of penalties on School to a gap of 1e-6: `python -m benchmarks.school --help`.

The data, the penalties and their strengths are those of `benchmarks.certify_school`: 139 tasks with rows of their own;
the folder of the data is in the environment variable MTLREG_DATA. The first fit of each is not counted, so that
compiled code is warm, unless it took so long that it is the only one. The gap is mtlreg's own, relative to F0, the
objective at zero coefficients.
"""

import argparse
import shlex
import sys
import time
import warnings
from pathlib import Path
from statistics import median

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from benchmarks.certify_school import families, strengths, within
from benchmarks.real.job import load_data
from benchmarks.report import environment, table
from mtlreg import MultiTaskRegressor

__all__ = ["main"]

GOAL = 1e-6
LONG = 10.0  # seconds: a longer fit is not done again


def fit(model, X, y, repeats):
    """A row of the table, but for its name and share."""
    times = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the gap is in the table
        for _ in range(1 + repeats):
            before = time.process_time()
            model.fit(X, y)
            times.append(time.process_time() - before)
            if times[-1] > LONG:
                break
    counted = times[1:] or times
    gap = model.dual_gap_ / model.history_["objective"][0]
    reached = "" if model.converged_ else " (not reached)"
    seconds = f"{median(counted):.3g} ({min(counted):.3g}, {max(counted):.3g})"
    return [seconds, model.n_iter_, f"{gap:.1e}{reached}"]


def main(arguments=None):
    """Run what the arguments say and return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    try:
        features, y, task = load_data().school()
    except FileNotFoundError as error:
        print(f"benchmarks.school: {error}", file=sys.stderr)
        return 2
    from threadpoolctl import threadpool_limits

    X, rows = np.column_stack([features, task]), []
    with threadpool_limits(1):
        for name, (penalty, parameters) in families(X, y).items():
            if options.families and not any(word in name for word in options.families):
                continue
            model = MultiTaskRegressor(penalty, task_feature=-1, tol=GOAL, max_iter=10**7, **parameters)
            model.set_params(solver=within(options.seconds))
            for share, one in strengths(model, X, y, options.shares).items():
                rows.append([name, share, *fit(model.set_params(penalty=one), X, y, options.repeats)])
                print(*rows[-1], sep=" | ", file=sys.stderr, flush=True)
    command = shlex.join(["python", "-m", "benchmarks.school", *arguments])
    header = ["penalty", "alpha / largest", "CPU s: median (least, most)", "iterations", "gap / F0"]
    lines = [f"# School to a gap of {GOAL:g}", "", *environment(command), "", *table(header, rows)]
    text = "\n".join(lines) + "\n"
    if options.out is not None:
        options.out.write_text(text)
    print(text)
    return 0


def _parser():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.school", description=__doc__.splitlines()[0])
    parser.add_argument("--families", nargs="+", metavar="WORD", help="those whose names contain a word (default: all)")
    parser.add_argument("--shares", nargs="+", type=float, default=[0.1, 0.01], help="of the largest strength")
    parser.add_argument("--repeats", type=int, default=3, help="of a fit, after the first (default: 3)")
    parser.add_argument("--seconds", type=float, default=120, help="that one fit may take (default: 120)")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    return parser


if __name__ == "__main__":
    sys.exit(main())
