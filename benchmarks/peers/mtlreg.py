"""mtlreg: the estimators as users call them. Their tolerance is the relative gap itself, asked for directly."""

from importlib.metadata import version as _version
from importlib.util import find_spec

import numpy as np

from benchmarks.certify import FAMILIES as ALL
from benchmarks.peers import timed

NAME = "mtlreg"
FAMILIES = tuple(ALL)
# Between the gaps asked for: used only where the W returned does not certify by itself what mtlreg proved with a dual
# point from an earlier iterate.
LADDER = (1e-4, 3e-5, 1e-5, 1e-6, 3e-7, 1e-7, 1e-8, 3e-9, 1e-9)


def version():
    return _version("mtlreg")


def available():
    return find_spec("mtlreg") is not None


def supports(problem):
    return True


def estimator(family, alpha, accuracy):
    """The estimator of a family."""
    import mtlreg

    settings = {"fit_intercept": False, "tol": accuracy, "max_iter": 1_000_000}
    match family:
        case "l21" | "l1" | "l1linf":
            q = {"l21": 2, "l1": 1, "l1linf": np.inf}[family]
            return mtlreg.BlockSparseRegressor(alpha, q=q, **settings)
        case "trace":
            return mtlreg.TraceNormRegressor(alpha, **settings)
        case "dirty" | "dirty_linf":
            norm = ALL[family].norm
            return mtlreg.DirtyRegressor(alpha, ratio=norm.ratio, q=norm.q, **settings)
        case "logistic" | "multinomial":
            return mtlreg.BlockSparseClassifier(alpha, **settings)
        case "own":
            return mtlreg.BlockSparseRegressor(alpha, task_feature=-1, **settings)


def data(problem):
    """X and y as the estimator takes them."""
    if problem.family == "multinomial":
        return problem.X, problem.Y.argmax(axis=1)
    if problem.family != "own":
        return problem.X, problem.Y
    task = np.repeat(np.arange(len(problem.Y)), [len(y) for y in problem.Y])
    return np.column_stack([np.vstack(problem.X), task]), np.concatenate(problem.Y)


def solve(problem, alpha, accuracy):
    model, (X, y) = estimator(problem.family, alpha, accuracy), problem.ready(data)
    _, seconds, cpu = timed(lambda: model.fit(X, y))
    return {"W": model.coef_.T, "seconds": seconds, "cpu": cpu}


def path(problem, alphas, accuracy):
    model, (X, y) = estimator(problem.family, 1.0, accuracy), problem.ready(data)
    found, seconds, cpu = timed(lambda: model.path(X, y, alphas))
    return {"W": found.coefs.transpose(0, 2, 1), "seconds": seconds, "cpu": cpu}
