"""mtlreg: the estimator as users call it. Its tolerance is the relative gap itself, asked for directly."""

from importlib.metadata import version as _version
from importlib.util import find_spec

from benchmarks.peers import timed

NAME = "mtlreg"
FAMILIES = ("l21", "l1", "l1linf")
# Between the gaps asked for: used only where the W returned does not certify by itself what mtlreg proved with a dual
# point from an earlier iterate.
LADDER = (1e-4, 3e-5, 1e-6, 3e-7, 1e-8, 3e-9, 1e-9)

Q = {"l21": 2, "l1": 1, "l1linf": float("inf")}


def version():
    return _version("mtlreg")


def available():
    return find_spec("mtlreg") is not None


def supports(problem):
    return True


def solve(problem, alpha, accuracy):
    from mtlreg import BlockSparseRegressor

    model = BlockSparseRegressor(alpha, q=Q[problem.family], fit_intercept=False, tol=accuracy, max_iter=1_000_000)
    _, seconds, cpu = timed(lambda: model.fit(problem.X, problem.Y))
    return {"W": model.coef_.T, "seconds": seconds, "cpu": cpu}
