"""The problems: seeded data with few informative features, given to every peer as the same arrays.

    minimise   |Y - X W|^2 / (2 n) + alpha Omega(W),       alpha = alpha_max / 3, / 10, / 50

There is no intercept anywhere, and dense X and Y are centred, so that every peer solves exactly this. X has the column
order (Fortran, or CSC) that coordinate descent reads; no peer has to copy it.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from benchmarks.certify import alpha_max

__all__ = ["DIVISORS", "FULL", "QUICK", "Problem", "make_problem"]

DIVISORS = (3, 10, 50)  # alpha = alpha_max / these
SIGNAL_TO_NOISE = 3.0  # ratio of standard deviations


@dataclass(frozen=True)
class Shape:
    """What a problem is made from.

    ``informative`` rows of W are non-zero; ``correlation`` is that of neighbouring columns of X, an AR(1) chain;
    ``density`` is the fraction of entries stored in a sparse X.
    """

    n: int
    p: int
    tasks: int
    informative: int
    correlation: float = 0.0
    density: float = 1.0


FULL = {
    "wide": Shape(300, 5000, 20, 20),
    "wider": Shape(100, 20000, 50, 10),
    "tall": Shape(20000, 200, 50, 20),
    "correlated": Shape(2000, 2000, 100, 50, correlation=0.9),
    "coherent": Shape(300, 3000, 20, 20, correlation=0.99),
    "long": Shape(60, 2000, 500, 10),
    "sparse": Shape(5000, 20000, 10, 50, density=0.005),
}

QUICK = {
    "wide": Shape(100, 1000, 10, 10),
    "tall": Shape(2000, 100, 20, 10),
    "correlated": Shape(400, 400, 20, 20, correlation=0.9),
    "sparse": Shape(1000, 4000, 5, 20, density=0.005),
}


@dataclass
class Problem:
    """X (n, p) Fortran-ordered or CSC, Y (n, T) Fortran-ordered, both float64, and the penalty's family."""

    name: str
    family: str
    shape: Shape
    X: object
    Y: np.ndarray

    @cached_property
    def alpha_max(self):
        return alpha_max(self)

    def __str__(self):
        s = self.shape
        extra = f", AR(1) {s.correlation:g}" if s.correlation else ""
        extra += f", CSC {s.density:.1%}" if s.density < 1 else ""
        return f"{self.name} {s.n}x{s.p}x{s.tasks}{extra}"


def make_problem(name, family="l21", quick=False):
    """The problem of a name; the same arrays at every call and in every process."""
    shape = (QUICK if quick else FULL)[name]
    rng = np.random.default_rng([2024, *name.encode()])
    X = _sparse(shape, rng) if shape.density < 1 else _dense(shape, rng)
    W = np.zeros((shape.p, shape.tasks))
    rows = rng.choice(shape.p, shape.informative, replace=False)
    W[rows] = rng.standard_normal((shape.informative, shape.tasks))
    signal = X[:, rows] @ W[rows]
    Y = signal + rng.standard_normal(signal.shape) * (signal.std() / SIGNAL_TO_NOISE)
    if shape.density == 1:
        Y -= Y.mean(axis=0)
    return Problem(name, family, shape, X, np.asfortranarray(Y))


def _dense(shape, rng):
    X = np.asfortranarray(rng.standard_normal((shape.n, shape.p)))
    if shape.correlation:
        X *= np.sqrt(1 - shape.correlation**2)
        X[:, 0] /= np.sqrt(1 - shape.correlation**2)
        for j in range(1, shape.p):
            X[:, j] += shape.correlation * X[:, j - 1]
    X -= X.mean(axis=0)
    return X


def _sparse(shape, rng):
    size = (shape.n, shape.p)
    X = sparse.random_array(size, density=shape.density, format="csc", rng=rng, data_sampler=rng.standard_normal)
    X.sort_indices()
    # peers take 32-bit indices only
    return sparse.csc_array((X.data, X.indices.astype(np.int32), X.indptr.astype(np.int32)), shape=size)
