"""SPAMS: `fistaFlat`, with its Gram matrix unless n < p (the package `spams-bin` has it compiled).

Its objective is |Y - XW|^2 / 2 + lambda1 Omega(W), so that lambda1 = n alpha; the logistic losses are means, with
labels of -1 and 1, and classes as numbers. Its tolerance is on its own criterion, looked at every 10 iterations. Its
line search 2 was up to three times faster than 0, its default, and than 1, but it did not converge for one trace norm;
L0 and gamma made little difference. Dense X only: for a sparse one it returned zeros.
"""

from importlib.metadata import version as _version
from importlib.util import find_spec

import numpy as np
from scipy import sparse

from benchmarks.peers import timed

NAME = "SPAMS"
LADDER = tuple(10 ** (-k / 2) for k in range(4, 25))
WARM = LADDER[0]

REGULARIZERS = {"l21": "l1l2", "l1": "l1", "l1linf": "l1linf", "trace": "trace-norm"}
REGULARIZERS |= {"logistic": "l1l2", "multinomial": "l1l2"}
LOSSES = {"logistic": "logistic", "multinomial": "multi-logistic"}
FAMILIES = tuple(REGULARIZERS)


def version():
    return _version("spams-bin")


def available():
    return find_spec("spams") is not None


def supports(problem):
    return not sparse.issparse(problem.X)


def _data(problem):
    """X and Y as it takes them."""
    if problem.family == "logistic":
        return problem.X, np.asfortranarray(2 * problem.Y - 1)
    if problem.family == "multinomial":
        return problem.X, np.asfortranarray(problem.Y.argmax(axis=1)[:, None].astype(np.float64))
    return problem.X, problem.Y


def solve(problem, alpha, accuracy):
    import spams

    (X, Y), (n, p) = problem.ready(_data), problem.X.shape
    squared = problem.family not in LOSSES
    settings = {
        "loss": LOSSES.get(problem.family, "square"),
        "regul": REGULARIZERS[problem.family],
        "lambda1": alpha * n if squared else alpha,
        "compute_gram": squared and n >= p,
        "numThreads": 1,
        "tol": accuracy,
        "it0": 10,  # iterations
        "linesearch_mode": 0 if problem.family == "trace" else 2,
        "max_it": 20_000,
    }
    W, seconds, cpu = timed(lambda: spams.fistaFlat(Y, X, np.zeros(problem.shape_w, order="F"), **settings))
    return {"W": W, "seconds": seconds, "cpu": cpu}
