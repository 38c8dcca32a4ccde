"""mutar: `GroupLasso` for tasks with X of their own and `DirtyModel` for the dirty model, block descent in Numba.

Its objectives are those of the benchmarks, with all tasks of one size and X as one array (T, n, p). Its tolerance is on
the largest change of a sweep, relative to the largest coefficient. It is on no package index.
"""

from importlib.metadata import version as _version
from importlib.util import find_spec

import numpy as np

from benchmarks.certify import FAMILIES as ALL
from benchmarks.peers import timed

NAME = "mutar"
FAMILIES = ("own", "dirty")
LADDER = tuple(10 ** (-k / 2) for k in range(3, 21))
WARM = LADDER[0]


def version():
    return _version("mutar")


def available():
    return find_spec("mutar") is not None


def supports(problem):
    return problem.family != "own" or len({len(y) for y in problem.Y}) == 1


def _data(problem):
    """X (T, n, p) and Y (T, n), X in the order that it would copy others to."""
    if problem.family == "own":
        return np.asfortranarray(np.stack(problem.X)), np.stack(problem.Y)
    return np.asfortranarray(np.stack([problem.X] * problem.Y.shape[1])), np.ascontiguousarray(problem.Y.T)


def solve(problem, alpha, accuracy):
    from mutar import DirtyModel, GroupLasso

    X, Y = problem.ready(_data)
    settings = {"fit_intercept": False, "tol": accuracy, "max_iter": 1_000_000}
    if problem.family == "own":
        model = GroupLasso(alpha, **settings)
    else:
        model = DirtyModel(alpha * ALL["dirty"].norm.price(len(Y)), alpha, **settings)
    _, seconds, cpu = timed(lambda: model.fit(X, Y))
    return {"W": model.coef_, "seconds": seconds, "cpu": cpu}
