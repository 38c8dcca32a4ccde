"""FISTA as users write it themselves: accelerated proximal gradient in plain NumPy, restarted, with a constant step.

Beck and Teboulle (2009), restarted when the momentum points uphill (O'Donoghue and Candes, 2015). The gradient comes
from the Gram matrix where n >= p and the loss is squared; the proximal operator of the trace norm is a singular value
decomposition. The step is 1 / L with L from Lanczos iterations. It stops when the relative change of an iteration is
below its tolerance. A dirty model has its two parts side by side, which doubles L.
"""

from itertools import count

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, eigsh
from scipy.special import expit, softmax

from benchmarks.certify import FAMILIES as ALL
from benchmarks.certify import LOGISTIC, MULTINOMIAL
from benchmarks.peers import timed

NAME = "FISTA (NumPy)"
FAMILIES = tuple(ALL)
LADDER = tuple(10 ** (-k / 2) for k in range(4, 25))
WARM = LADDER[0]


def version():
    return ""


def available():
    return True


def supports(problem):
    return True


def solve(problem, alpha, accuracy):
    W, seconds, cpu = timed(lambda: _fista(problem, alpha, accuracy))
    return {"W": W, "seconds": seconds, "cpu": cpu}


def _fista(problem, alpha, accuracy):
    gradient, lipschitz = _smooth(problem)
    prox, W = PROX[problem.family], np.zeros(problem.shape_w)
    if problem.family.startswith("dirty"):
        norm, single = ALL[problem.family].norm, gradient
        row = PROX["l21" if norm.q == 2 else "l1linf"]
        price, W, lipschitz = norm.price(W.shape[1]), np.zeros((2, *W.shape)), 2 * lipschitz

        def gradient(parts):
            return np.broadcast_to(single(parts[0] + parts[1]), parts.shape)

        def prox(parts, t):
            return np.stack([row(parts[0], price * t), _soft(parts[1], t)])

    Z, momentum = W, 1.0
    for _ in count():
        new = prox(Z - gradient(Z) / lipschitz, alpha / lipschitz)
        step = new - W
        if np.linalg.norm(step) <= accuracy * np.linalg.norm(new):
            return new if new.ndim == 2 else new.sum(axis=0)
        if np.vdot(Z - new, step) > 0:
            momentum = 1.0
        faster = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        W, Z, momentum = new, new + (momentum - 1) / faster * step, faster


def _smooth(problem):
    """The gradient of the loss as a function, and its Lipschitz constant."""
    X, Y, m = problem.X, problem.Y, problem.size
    loss = ALL[problem.family].loss
    if isinstance(X, list):
        own = [_least_squares(x, y[:, None], m) for x, y in zip(X, Y, strict=True)]

        def gradient(W):
            return np.column_stack([one(W[:, t : t + 1]) for t, (one, _) in enumerate(own)])

        return gradient, max(lipschitz for _, lipschitz in own)
    if loss is LOGISTIC:
        return (lambda W: X.T @ (expit(X @ W) - Y) / m), _largest_eigenvalue(X) / (4 * m)
    if loss is MULTINOMIAL:
        return (lambda W: X.T @ (softmax(X @ W, axis=1) - Y) / m), _largest_eigenvalue(X) / (2 * m)
    return _least_squares(X, Y, m)


def _least_squares(X, Y, m):
    if X.shape[0] >= X.shape[1] and not sparse.issparse(X):
        gram, moments = X.T @ X / m, X.T @ Y / m
        return (lambda W: gram @ W - moments), np.linalg.eigvalsh(gram)[-1]
    return (lambda W: X.T @ (X @ W - Y) / m), _largest_eigenvalue(X) / m


def _largest_eigenvalue(X):
    """Of X'X; the margin is more than Lanczos iterations to this tolerance can miss."""
    p = X.shape[1]
    if min(X.shape) < 50:
        return np.linalg.norm(X.toarray() if sparse.issparse(X) else X, 2) ** 2
    product = LinearOperator((p, p), matvec=lambda v: X.T @ (X @ v), dtype=X.dtype)
    return 1.01 * eigsh(product, k=1, tol=1e-3, v0=np.ones(p), return_eigenvectors=False)[0]


def _soft(V, t):
    return np.sign(V) * np.maximum(np.abs(V) - t, 0.0)


def _shrink_rows(V, t):
    norms = np.linalg.norm(V, axis=1, keepdims=True)
    return V * np.maximum(1 - t / np.maximum(norms, t), 0.0)


def _clip_rows(V, t):
    """The proximal operator of the largest entry: V less its projection on the l1 ball of radius t."""
    W = np.zeros_like(V)
    rows = np.flatnonzero(np.abs(V).sum(axis=1) > t)
    A = -np.sort(-np.abs(V[rows]), axis=1)
    levels = (np.cumsum(A, axis=1) - t) / np.arange(1, A.shape[1] + 1)
    level = levels.max(axis=1, keepdims=True)
    W[rows] = np.clip(V[rows], -level, level)
    return W


def _shrink_singular_values(V, t):
    U, s, Vt = np.linalg.svd(V, full_matrices=False)
    return (U * np.maximum(s - t, 0.0)) @ Vt


PROX = {
    **dict.fromkeys(("l21", "logistic", "multinomial", "own"), _shrink_rows),
    "l1": _soft,
    "l1linf": _clip_rows,
    "trace": _shrink_singular_values,
    **dict.fromkeys(("dirty", "dirty_linf")),
}
