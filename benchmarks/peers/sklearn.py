"""scikit-learn: MultiTaskLasso for l1/l2, Lasso (one task after the other) for l1.

Cyclic selection, which was faster than random selection on every problem tried; `precompute` for the Lasso on tall
data. Its tolerance is on the duality gap relative to |Y|^2, checked once the coefficients move less than it. A path is
a MultiTaskLasso with a warm start, as its own path function solves it.
"""

from importlib.metadata import version as _version
from importlib.util import find_spec

import numpy as np
from scipy import sparse

from benchmarks.peers import timed

NAME = "scikit-learn"
FAMILIES = ("l21", "l1")
LADDER = tuple(10 ** (-k / 2) for k in range(3, 23))


def version():
    return _version("scikit-learn")


def available():
    return find_spec("sklearn") is not None


def supports(problem):
    return True


def solve(problem, alpha, accuracy):
    from sklearn.linear_model import Lasso, MultiTaskLasso

    settings = {"fit_intercept": False, "copy_X": False, "tol": accuracy, "max_iter": 1_000_000}
    if problem.family == "l1":
        n, p = problem.X.shape
        model = Lasso(alpha, precompute=n > p and not sparse.issparse(problem.X), **settings)
    else:
        model = MultiTaskLasso(alpha, **settings)
    _, seconds, cpu = timed(lambda: model.fit(problem.X, problem.Y))
    return {"W": model.coef_.T, "seconds": seconds, "cpu": cpu}


def path(problem, alphas, accuracy):
    from sklearn.linear_model import MultiTaskLasso

    settings = {"fit_intercept": False, "copy_X": False, "tol": accuracy, "max_iter": 1_000_000}
    model = MultiTaskLasso(warm_start=True, **settings)
    coefs, seconds, cpu = timed(
        lambda: [model.set_params(alpha=a).fit(problem.X, problem.Y).coef_.copy() for a in alphas]
    )
    return {"W": np.transpose(coefs, (0, 2, 1)), "seconds": seconds, "cpu": cpu}
