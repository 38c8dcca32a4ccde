"""Cross-validated paths against scikit-learn's, and a grid search with two processes: `python -m benchmarks.search`."""

import argparse
import shlex
import sys
import time
import warnings
from pathlib import Path

import numpy as np

__all__ = ["main"]

SHAPE = (20_000, 200, 50)  # tall: moments serve all folds
ALPHAS, FOLDS = 50, 5


def main(arguments=None):
    """Measure, and print or write the tables."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=SHAPE[0], help="default: %(default)s")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    options = parser.parse_args(arguments)
    from benchmarks.report import environment, table

    X, Y = _data(options.rows)
    title = f"X {X.shape[0]} x {X.shape[1]}, {Y.shape[1]} tasks, {ALPHAS} strengths to alpha_max / 1000, {FOLDS} folds"
    lines = ["# Searching", "", *environment(shlex.join(["python", "-m", "benchmarks.search", *arguments])), ""]
    lines += ["## A cross-validated path", "", f"{title}. Wall seconds, one BLAS thread, compiled code warm.", ""]
    lines += table(["search", "tolerance", "s", "scikit-learn / mtlreg", "alpha chosen"], _paths(X, Y))
    lines += ["", "## GridSearchCV over mtlreg", "", "Ten strengths, five folds; wall seconds, workers warm.", ""]
    lines += table(["n_jobs", "s"], _grids(X[:2000], Y[:2000]))
    text = "\n".join(lines) + "\n"
    if options.out is not None:
        options.out.write_text(text)
    print(text)


def _data(n):
    rng = np.random.default_rng(0)
    p, n_tasks = SHAPE[1:]
    X = np.asfortranarray(rng.standard_normal((n, p)))
    W = rng.standard_normal((p, n_tasks)) * (np.arange(p) < 20)[:, None]
    return X, X @ W + 3 * rng.standard_normal((n, n_tasks))


def _seconds(search, X, Y):
    clock = time.perf_counter()
    search.fit(X, Y)
    return time.perf_counter() - clock


def _paths(X, Y):
    """mtlreg at two tolerances on the gap; scikit-learn at its own default, 1e-4 on a gap relative to |Y|^2."""
    from sklearn.linear_model import MultiTaskLassoCV

    from mtlreg import BlockSparseRegressor, PathSearchCV

    PathSearchCV(BlockSparseRegressor(), alphas=3, cv=3).fit(X[:500], Y[:500])  # compiles
    rows, found = [], []
    for tol in (1e-4, 1e-6):
        search = PathSearchCV(BlockSparseRegressor(tol=tol), alphas=ALPHAS, eps=1e-3, cv=FOLDS)
        found.append((tol, _seconds(search, X, Y), search.best_params_["alpha"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where its own tolerance is not reached
        other = MultiTaskLassoCV(alphas=ALPHAS, eps=1e-3, cv=FOLDS)
        theirs = _seconds(other, X, Y)
    for tol, seconds, alpha in found:
        rows.append(["mtlreg PathSearchCV", f"{tol:.0e}", f"{seconds:.2f}", f"{theirs / seconds:.0f}", f"{alpha:.4g}"])
    return [*rows, ["scikit-learn MultiTaskLassoCV", "1e-04", f"{theirs:.2f}", "", f"{other.alpha_:.4g}"]]


def _grids(X, Y):
    from sklearn.model_selection import GridSearchCV

    from mtlreg import BlockSparseRegressor

    grid = {"alpha": np.geomspace(1.0, 0.01, 10)}
    rows = []
    for n_jobs in (1, 2):
        search = GridSearchCV(BlockSparseRegressor(solver="working_set"), grid, cv=5, n_jobs=n_jobs)
        search.fit(X[:200], Y[:200])  # starts and warms the workers
        rows.append([n_jobs, f"{_seconds(search, X, Y):.2f}"])
    return rows


if __name__ == "__main__":
    main()
