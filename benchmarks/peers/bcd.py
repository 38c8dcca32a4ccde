"""Plain block coordinate descent as in mutar, written again for Numba: for where mutar is not, and for uneven tasks.

Cyclic over the features; with the dirty model a feature's shared row, then its entries of its own; the step of a
feature is 1 / L_j with L_j the largest of the tasks' |X_tj|^2. It stops, as mutar does, when the largest change of a
sweep is below its tolerance relative to the largest coefficient. What differs: a task's columns are contiguous, a row
that does not change costs no update, entries are updated after their shared row and not with it, and tasks may have
different numbers of rows. No working sets, no extrapolation.
"""

from functools import cache
from importlib.util import find_spec

import numpy as np

from benchmarks.certify import FAMILIES as ALL
from benchmarks.peers import timed

NAME = "BCD (as mutar)"
FAMILIES = ("own", "dirty")
LADDER = tuple(10 ** (-k / 2) for k in range(3, 21))
WARM = LADDER[0]


def version():
    return ""


def available():
    return find_spec("numba") is not None


def supports(problem):
    return True


def _data(problem):
    """``(X, y, starts)``: columns task after task in one array, so that those of task t begin at starts[t]."""
    own = problem.family == "own"
    Xs, ys = (problem.X, problem.Y) if own else ([problem.X], list(problem.Y.T))
    columns = [X.ravel(order="F") for X in Xs]
    starts = np.cumsum([0, *(len(column) for column in columns)])[:-1] if own else np.zeros(len(ys), dtype=np.int64)
    ends = np.cumsum([0, *(len(y) for y in ys)])
    return np.concatenate(columns), np.concatenate(ys), starts, ends


def solve(problem, alpha, accuracy):
    X, y, starts, ends = problem.ready(_data)
    p, n_tasks = problem.shape_w
    norm = ALL[problem.family].norm
    dirty = problem.family == "dirty"
    row = alpha * problem.size * (norm.price(n_tasks) if dirty else 1.0)
    entry = alpha * problem.size if dirty else np.inf
    descend = _compiled()
    W, seconds, cpu = timed(lambda: descend(X, y.copy(), starts, ends, p, row, entry, accuracy))
    return {"W": W, "seconds": seconds, "cpu": cpu}


@cache
def _compiled():
    from numba import njit

    return njit(cache=True)(_descend)


def _descend(X, residual, starts, ends, p, row, entry, accuracy):
    n_tasks = len(starts)
    shared, own = np.zeros((p, n_tasks)), np.zeros((p, n_tasks))
    curvature = np.zeros(p)
    for j in range(p):
        for t in range(n_tasks):
            n = ends[t + 1] - ends[t]
            x = X[starts[t] + j * n : starts[t] + (j + 1) * n]
            curvature[j] = max(curvature[j], x @ x)
    ahead, change = np.empty(n_tasks), np.empty(n_tasks)
    while True:
        largest = moved = 0.0
        for j in range(p):
            if curvature[j] == 0:
                continue
            for t in range(n_tasks):
                n = ends[t + 1] - ends[t]
                x = X[starts[t] + j * n : starts[t] + (j + 1) * n]
                ahead[t] = shared[j, t] + x @ residual[ends[t] : ends[t + 1]] / curvature[j]
            norm = np.sqrt(ahead @ ahead)
            shrink = max(1 - row / (curvature[j] * norm), 0.0) if norm > 0 else 0.0
            for t in range(n_tasks):
                change[t] = shrink * ahead[t] - shared[j, t]
                shared[j, t] = shrink * ahead[t]
            if np.isfinite(entry):
                for t in range(n_tasks):
                    # the gradient after the change of the shared row
                    n = ends[t + 1] - ends[t]
                    x = X[starts[t] + j * n : starts[t] + (j + 1) * n]
                    step = ahead[t] - shared[j, t] + own[j, t]
                    new = np.sign(step) * max(abs(step) - entry / curvature[j], 0.0)
                    change[t] += new - own[j, t]
                    own[j, t] = new
            for t in range(n_tasks):
                if change[t] != 0:
                    n = ends[t + 1] - ends[t]
                    x = X[starts[t] + j * n : starts[t] + (j + 1) * n]
                    residual[ends[t] : ends[t + 1]] -= change[t] * x
                moved = max(moved, abs(change[t]))
                largest = max(largest, abs(shared[j, t] + own[j, t]))
        if largest == 0 or moved <= accuracy * largest:
            return shared + own
