"""The problems: seeded data with few informative features, given to every peer as the same arrays.

    minimise   sum_i loss(y_i, (X W)_i) / m + alpha Omega(W),       alpha = alpha_max / 3, / 10, / 50

There is no intercept anywhere, and with the squared loss dense X and Y are centred, so that every peer solves exactly
this. X has the column order (Fortran, or CSC) that coordinate descent reads; no peer has to copy it.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy import sparse

from benchmarks.certify import FAMILIES, MULTINOMIAL, SQUARED, alpha_max

__all__ = ["DIVISORS", "FULL", "QUICK", "OwnProblem", "Problem", "make_problem", "names"]

DIVISORS = (3, 10, 50)  # alpha = alpha_max / these
SIGNAL_TO_NOISE = 3.0  # ratio of standard deviations
EXCEPTIONS = 2  # entries of W a task, in a dirty model


@dataclass(frozen=True)
class Shape:
    """What a problem is made from.

    ``informative`` rows of W are non-zero, with random entries or of rank ``rank``; ``correlation`` is that of
    neighbouring columns of X, an AR(1) chain; ``density`` is the fraction of entries stored in a sparse X. Where tasks
    have rows of their own there are n in each, or from n to ``most``.
    """

    n: int
    p: int
    tasks: int
    informative: int
    correlation: float = 0.0
    density: float = 1.0
    rank: int = 0
    most: int = 0


SHARED = {
    "wide": Shape(300, 5000, 20, 20),
    "wider": Shape(100, 20000, 50, 10),
    "tall": Shape(20000, 200, 50, 20),
    "correlated": Shape(2000, 2000, 100, 50, correlation=0.9),
    "coherent": Shape(300, 3000, 20, 20, correlation=0.99),
    "long": Shape(60, 2000, 500, 10),
    "sparse": Shape(5000, 20000, 10, 50, density=0.005),
}
LOW_RANK = {
    "narrow": Shape(200, 100, 50, 100, rank=5),
    "square": Shape(1000, 500, 500, 500, rank=10),
    "wide": Shape(1000, 2000, 300, 2000, rank=10),
}
DIRTY = {"narrow": Shape(100, 500, 5, 10), "wide": SHARED["wide"]}
OWN = {
    "few": Shape(40, 200, 20, 10),
    "many": Shape(50, 500, 100, 10),
    "uneven": Shape(20, 500, 100, 10, most=200),
}
#: problems by family and name
FULL = {
    **dict.fromkeys(("l21", "l1", "l1linf"), SHARED),
    "trace": LOW_RANK,
    **dict.fromkeys(("dirty", "dirty_linf"), DIRTY),
    "logistic": {"wide": Shape(200, 2000, 10, 10), "wider": Shape(500, 5000, 20, 20)},
    "multinomial": {"wide": Shape(200, 2000, 10, 10)},
    "own": OWN,
}

SMALL = {
    "wide": Shape(100, 1000, 10, 10),
    "tall": Shape(2000, 100, 20, 10),
    "correlated": Shape(400, 400, 20, 20, correlation=0.9),
    "sparse": Shape(1000, 4000, 5, 20, density=0.005),
}
#: small versions of some of them
QUICK = {
    **dict.fromkeys(("l21", "l1", "l1linf"), SMALL),
    "trace": {"narrow": Shape(100, 40, 20, 40, rank=3), "wide": Shape(60, 100, 30, 100, rank=3)},
    **dict.fromkeys(("dirty", "dirty_linf"), {"narrow": Shape(50, 100, 5, 5), "wide": SMALL["wide"]}),
    "logistic": {"wide": Shape(100, 300, 5, 5)},
    "multinomial": {"wide": Shape(100, 300, 5, 5)},
    "own": {"few": Shape(20, 60, 5, 5), "uneven": Shape(10, 60, 8, 5, most=40)},
}


def names(families, quick=False):
    """The names of the families' problems, each once."""
    known = QUICK if quick else FULL
    return list(dict.fromkeys(name for family in families for name in known[family]))


@dataclass
class _Data:
    name: str
    family: str
    shape: Shape
    X: object
    Y: object
    _ready: dict = field(default_factory=dict, repr=False)

    @cached_property
    def alpha_max(self):
        return alpha_max(self)

    def ready(self, make):
        """``make(self)``, made once: data in the form that a peer is given them, which is not timed."""
        if make not in self._ready:
            self._ready[make] = make(self)
        return self._ready[make]


@dataclass
class Problem(_Data):
    """X (n, p) Fortran-ordered or CSC, Y (n, T) Fortran-ordered, both float64.

    Y has zeros and ones for the logistic loss, for the multinomial a column for each class, with a single one a row.
    """

    @property
    def targets(self):
        return self.Y

    @property
    def size(self):
        return len(self.Y)

    @property
    def shape_w(self):
        return self.X.shape[1], self.Y.shape[1]

    def predictors(self, W):
        rows = np.flatnonzero(W.any(axis=1))
        if sparse.issparse(self.X) or 4 * len(rows) < len(W):
            return self.X[:, rows] @ W[rows]
        return self.X @ W

    def correlations(self, R):
        return self.X.T @ R

    def __str__(self):
        s = self.shape
        extra = f", AR(1) {s.correlation:g}" if s.correlation else ""
        extra += f", CSC {s.density:.1%}" if s.density < 1 else ""
        return f"{self.name} {s.n}x{s.p}x{s.tasks}{extra}"


@dataclass
class OwnProblem(_Data):
    """X a list of (n_t, p) Fortran-ordered arrays and Y one of (n_t,); predictors are flat, task after task."""

    @cached_property
    def targets(self):
        return np.concatenate(self.Y)

    @property
    def size(self):
        return len(self.targets) / len(self.Y)

    @property
    def shape_w(self):
        return self.X[0].shape[1], len(self.X)

    def predictors(self, W):
        return np.concatenate([X @ w for X, w in zip(self.X, W.T, strict=True)])

    def correlations(self, R):
        ends = np.cumsum([len(y) for y in self.Y])[:-1]
        return np.column_stack([X.T @ r for X, r in zip(self.X, np.split(R, ends), strict=True)])

    def __str__(self):
        s = self.shape
        return f"{self.name} {s.n}{f'..{s.most}' if s.most else ''}x{s.p}x{s.tasks}"


def make_problem(name, family="l21", quick=False):
    """The problem of a name; the same arrays at every call and in every process."""
    return from_shape((QUICK if quick else FULL)[family][name], name, family)


def from_shape(shape, name, family="l21"):
    """A problem of any shape; the name is the seed."""
    rng = np.random.default_rng([2024, *name.encode()])
    if FAMILIES[family].own:
        return _own(shape, name, family, rng)
    X = _sparse(shape, rng) if shape.density < 1 else _dense(shape, rng)
    signal = X @ _coefficients(shape, family, rng)
    loss = FAMILIES[family].loss
    if loss is not SQUARED:
        return Problem(name, family, shape, X, _classes(signal, rng, loss is MULTINOMIAL))
    Y = signal + rng.standard_normal(signal.shape) * (signal.std() / SIGNAL_TO_NOISE)
    if shape.density == 1:
        Y -= Y.mean(axis=0)
    return Problem(name, family, shape, X, np.asfortranarray(Y))


def _coefficients(shape, family, rng):
    W = np.zeros((shape.p, shape.tasks))
    rows = rng.choice(shape.p, shape.informative, replace=False)
    if shape.rank:
        left = rng.standard_normal((shape.informative, shape.rank))
        W[rows] = left @ rng.standard_normal((shape.rank, shape.tasks))
    else:
        W[rows] = rng.standard_normal((shape.informative, shape.tasks))
    if family.startswith("dirty"):
        W[rng.integers(shape.p, size=(EXCEPTIONS, shape.tasks)), np.arange(shape.tasks)] += 2.0
    return W


def _classes(signal, rng, multinomial):
    """Labels drawn from the model, a class for each column or yes and no in each."""
    noise = rng.gumbel(size=signal.shape) if multinomial else rng.logistic(size=signal.shape)
    scores = signal * (SIGNAL_TO_NOISE / signal.std()) + noise
    return np.asfortranarray(np.eye(signal.shape[1])[scores.argmax(axis=1)] if multinomial else 1.0 * (scores > 0))


def _own(shape, name, family, rng):
    W = _coefficients(shape, family, rng)
    rows = rng.integers(shape.n, shape.most + 1, size=shape.tasks) if shape.most else np.full(shape.tasks, shape.n)
    X = [np.asfortranarray(rng.standard_normal((n, shape.p))) for n in rows]
    X = [np.asfortranarray(x - x.mean(axis=0)) for x in X]
    signal = [x @ w for x, w in zip(X, W.T, strict=True)]
    noise = np.concatenate(signal).std() / SIGNAL_TO_NOISE
    Y = [s + noise * rng.standard_normal(len(s)) for s in signal]
    return OwnProblem(name, family, shape, X, [y - y.mean() for y in Y])


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
