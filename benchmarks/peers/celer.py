"""celer: `mtl_path`, for one alpha too. Its estimator calls a private method that scikit-learn 1.9 no longer has.

Pruned working sets, its default and the faster choice. Its tolerance is on its own duality gap relative to |Y|^2 / n,
which uses an extrapolated dual point and can be far below the gap that W certifies by itself. Dense X only.
"""

from importlib.metadata import version as _version
from importlib.util import find_spec

from scipy import sparse

from benchmarks.peers import timed

NAME = "celer"
FAMILIES = ("l21",)
LADDER = tuple(10 ** (-k / 2) for k in range(5, 25))


def version():
    return _version("celer")


def available():
    return find_spec("celer") is not None


def supports(problem):
    return not sparse.issparse(problem.X)


def path(problem, alphas, accuracy):
    from celer.homotopy import mtl_path

    (_, coefs, _), seconds, cpu = timed(
        lambda: mtl_path(problem.X, problem.Y, alphas=alphas, tol=accuracy, max_iter=10_000, max_epochs=1_000_000)
    )
    return {"W": coefs.transpose(2, 1, 0), "seconds": seconds, "cpu": cpu}


def solve(problem, alpha, accuracy):
    found = path(problem, [alpha], accuracy)
    return found | {"W": found["W"][0]}
