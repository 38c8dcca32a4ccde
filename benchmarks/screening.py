"""What safe screening would save: `python -m benchmarks.screening --help`.

mtlreg certifies the whole problem a few times in a fit, each time for the price of a gradient, and works on a few
features in between. A gap-safe sphere (Ndiaye, Fercoq, Gramfort and Salmon, 2017) proves some features zero from such a
certificate: with the dual point theta of value D and squared losses of weight 1 / m,

    ||X_j' theta|| + ||X_j|| sqrt(2 (P - D) / m) < alpha    means    w_j = 0,

so that later gradients need not look at them. Here every problem is solved as it is and with the features dropped
wherever that halves their number; the columns that remain are then copied together. "At most" is the share of the time
that gradients over dropped features take after the certificate that could drop them: what dropping would save if it
cost nothing.
"""

import argparse
import shlex
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import norm as sparse_norm

from benchmarks.problems import make_problem, names
from benchmarks.report import environment, table

__all__ = ["main"]

PROBLEMS = ("wide", "wider", "coherent", "correlated", "long", "sparse")
DIVISORS = (3, 10, 50)
GOAL = 1e-6
HEADER = [
    "problem",
    "alpha_max /",
    "features",
    "left after each certificate",
    "without s",
    "with s",
    "ratio",
    "at most",
]


def main(arguments=None):
    """Measure, and print or write the table."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="python -m benchmarks.screening", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small problems: seconds")
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=list(PROBLEMS), help="default: all")
    parser.add_argument("--repeats", type=int, default=5, help="rounds, of which the median counts (default: 5)")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    options = parser.parse_args(arguments)
    from threadpoolctl import threadpool_limits

    rows = []
    with threadpool_limits(1):
        for name in [name for name in options.problems if name in names(["l21"], options.quick)]:
            data = make_problem(name, "l21", options.quick)
            rows += [_row(name, data, divisor, options.repeats) for divisor in DIVISORS]
    command = shlex.join(["python", "-m", "benchmarks.screening", *arguments])
    title = f"l1/l2, squared loss, to a gap of {GOAL:g}. CPU seconds of the solver, medians; ratio: without over with."
    text = "\n".join(["# Safe screening", "", *environment(command), "", title, "", *table(HEADER, rows)]) + "\n"
    if options.out is not None:
        options.out.write_text(text)
    print(text)


def _row(name, data, divisor, repeats):
    from mtlreg import BlockSparseRegressor

    model = BlockSparseRegressor(data.alpha_max / divisor, fit_intercept=False)
    lengths = _lengths(data.X)
    fresh = lambda: model._encode(data.X, data.Y, None)[0].problem  # noqa: E731  nothing known from an earlier round
    left = []
    _plain(fresh(), lambda problem, state: left.append(int(_kept(problem, state, lengths).sum())))
    _screened(fresh(), lengths)
    rounds = [
        (_cpu(lambda p: _plain(p), fresh()), _cpu(lambda p: _screened(p, lengths), fresh())) for _ in range(repeats)
    ]
    without, screened = (median(times) for times in zip(*rounds, strict=True))
    gradient = median(_cpu(lambda X: X.T @ data.Y, data.X) for _ in range(repeats))
    p = data.X.shape[1]
    dropped = sum(1 - count / p for count in left[:-1])  # the last certificate is followed by no other
    ratio = median(plain / other for plain, other in rounds)
    cells = [f"{without:.3g}", f"{screened:.3g}", f"{ratio:.2f}", f"{100 * dropped * gradient / without:.0f} %"]
    return [name, divisor, p, " ".join(map(str, left)), *cells]


def _plain(problem, look=None):
    from mtlreg.solvers import solve

    callback = None if look is None else lambda state: look(problem, state)
    return solve(problem, "working_set", tol=GOAL, callback=callback)


def _screened(problem, lengths):
    """Solved on fewer and fewer features; those that are left out are zero in every solution."""
    from mtlreg.solvers import State, solve

    scale, start, mask = problem.null.value, None, None

    def halves(state):
        nonlocal mask
        mask = _kept(problem, state, lengths)
        return mask.sum() <= 0.5 * len(mask)

    while True:
        solution = solve(problem, "working_set", start, tol=GOAL, callback=halves, warn=False, scale=scale)
        if solution.converged:
            return solution
        if mask.sum() > 0.5 * len(mask):
            raise RuntimeError("the solver stopped before the gap was reached")
        kept = np.flatnonzero(mask)
        problem, lengths = problem.restrict(kept), lengths[kept]
        start = State(solution.x[kept])


def _kept(problem, state, lengths):
    """Features that a certificate does not prove to be zero."""
    alpha, certificate = problem.penalty.alpha, state.certificate
    sizes = np.linalg.norm(certificate.descent, axis=1)
    scale = min(1.0, alpha / sizes.max())
    curvature = 1 / float(problem.weights.max())
    radius = np.sqrt(2 * max(certificate.objective - certificate.dual, 0.0) / curvature)
    return scale * sizes + lengths * radius >= alpha


def _lengths(X):
    return sparse_norm(X, axis=0) if sparse.issparse(X) else np.linalg.norm(X, axis=0)


def _cpu(call, argument):
    before = time.process_time()
    call(argument)
    return time.process_time() - before


if __name__ == "__main__":
    main()
