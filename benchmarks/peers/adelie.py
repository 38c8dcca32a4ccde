"""adelie: `grpnet` with its multi-response Gaussian and multinomial models.

Its losses are means over rows and columns, so that lambda = alpha / T with a penalty factor of one a row. Its wheel
asks for numpy < 2 but works with later ones. Where n < p it begins with two larger alphas, up to twice as fast there as
without. Its tolerances are on changes of the objective and of the coefficients.
"""

from importlib.metadata import version as _version
from importlib.util import find_spec

import numpy as np
from scipy import sparse

from benchmarks.peers import timed

NAME = "adelie"
FAMILIES = ("l21", "multinomial")
LADDER = tuple(10.0**-k for k in range(4, 23))
WARM = LADDER[0]


def version():
    return _version("adelie")


def available():
    return find_spec("adelie") is not None


def supports(problem):
    return True


def _data(problem):
    """The matrix and the model as it takes them."""
    import adelie

    make = adelie.glm.multinomial if problem.family == "multinomial" else adelie.glm.multigaussian
    X = problem.X
    if sparse.issparse(X):
        return adelie.matrix.sparse(sparse.csc_matrix(X), method="naive"), make(np.ascontiguousarray(problem.Y))
    return adelie.matrix.dense(X, method="naive"), make(np.ascontiguousarray(problem.Y))


def path(problem, alphas, accuracy):
    import adelie

    (X, model), (p, n_columns) = problem.ready(_data), problem.shape_w
    settings = {"penalty": np.ones(p), "intercept": False, "early_exit": False, "progress_bar": False}
    tolerances = {"tol": accuracy, "irls_tol": accuracy, "newton_max_iters": 100_000}
    alphas = np.asarray(alphas) / n_columns
    state, seconds, cpu = timed(lambda: adelie.grpnet(X, model, lmda_path=alphas, **settings, **tolerances))
    if state.betas.shape[0] < len(alphas):
        raise RuntimeError("adelie stopped early")
    W = state.betas.toarray().reshape(len(alphas), p, n_columns)
    return {"W": W, "seconds": seconds, "cpu": cpu}


def solve(problem, alpha, accuracy):
    n, p = problem.X.shape
    alphas = np.geomspace(problem.alpha_max, alpha, 4)[1:] if n < p else [alpha]
    found = path(problem, alphas, accuracy)
    return found | {"W": found["W"][-1]}
