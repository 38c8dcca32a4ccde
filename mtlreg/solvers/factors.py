"""Powers of the trace norm as squares of two factors: alternating minimisation with Anderson extrapolation.

    minimise  sum_i lambda_i |V_i|^2 / 2  -  <B, V>  +  (alpha / power) |V|_*^power,        power 1 or 2,

with ``V = A C'`` and ``|V|_* = min (|A|_F^2 + |C|_F^2) / 2 = min |A|_F |C|_F``. For either factor that is a set of
ridge problems of as many unknowns as V has rank: one matrix serves all rows of C, one eigendecomposition all of A.
The value with A minimised out is a function of C alone, which guards the extrapolation. A proximal step after some
sweeps, a shrinkage of the singular values, adds and drops columns of the factors and says how far the end is.

References
----------
Srebro, Rennie & Jaakkola (2005), Maximum-margin matrix factorization, NIPS 17, lemma 1.
Hastie, Mazumder, Lee & Zadeh (2015), Matrix completion and low-rank SVD via fast alternating least squares, JMLR 16.
Walker & Ni (2011), Anderson acceleration for fixed-point iterations, SIAM J. Numer. Anal. 49.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

__all__ = ["FactoredProblem", "minimise"]

SWEEPS = 10  # between proximal steps
MEMORY = 6  # iterates that are extrapolated
LONGEST = 20  # proximal steps without a yield
STILL = 5  # proximal steps without progress, at which nothing but rounding is left
SQUARED = 1e-5  # a threshold of this share of a matrix's norm is well above the rounding in the squares


def minimise(problem, V, *, max_iter, tolerance):
    """Yield ``(A, C, sweeps, stalled)`` when the gap should be below the tolerance, or after a while.

    Parameters
    ----------
    problem : FactoredProblem
    V : array (rank, n_columns)
        Start.
    max_iter : int
        Sweeps.
    tolerance : float
        Of the duality gap, absolute.
    """
    A, C, _ = problem.step(V)
    n_iter, still, silent, goal = 0, 0, 0, tolerance
    value, least = np.inf, np.inf
    while True:
        n_sweeps = min(SWEEPS, max_iter - n_iter)
        n_iter += n_sweeps
        A, C, reached = problem.sweeps(C, n_sweeps)
        A, C, gap = problem.step(A @ C.T)
        progress = reached < value - 4 * np.finfo(np.float64).eps * abs(value) or gap < least
        still, silent = 0 if progress else still + 1, silent + 1
        value, least = min(value, reached), min(least, gap)
        stalled = still >= STILL
        if gap <= goal or stalled or silent >= LONGEST or n_iter >= max_iter:
            silent, goal = 0, min(goal, 0.3 * gap)  # to be more careful if that was not enough
            yield A, C, n_iter, stalled


class FactoredProblem:
    """The problem of the module's text.

    Parameters
    ----------
    curvature : array (rank,)
        lambda > 0.
    B : array (rank, n_columns)
    alpha : float > 0
    power : int
    """

    def __init__(self, curvature, B, alpha, power):
        self.curvature, self.B, self.alpha, self.power = curvature[:, None], B, float(alpha), power
        self.root, self.largest = np.sqrt(self.curvature), float(curvature.max())

    # -- alternating minimisation ----------------------------------------------------------------------------

    def sweeps(self, C, n_sweeps):
        """``(A, C, value)`` after so many sweeps; A is the best for C."""
        at, past = _Best(self, C), []
        for _ in range(n_sweeps if C.shape[1] else 0):
            following = self._next(at)
            past = [*past[1 - MEMORY :], (at.C, following)]
            extrapolated = None if len(past) == 1 else _Best(self, _extrapolated(past))
            if extrapolated is not None and extrapolated.value <= at.value:
                at = extrapolated
            else:
                at, past = _Best(self, following), past if extrapolated is None else []
        return at.A @ at.Q.T, at.C, at.value

    def _next(self, at):
        """The best C for the A of a point."""
        scaled = self.root * at.A
        H = scaled.T @ scaled
        H.flat[:: len(H) + 1] += self._weight(at.A)
        return np.linalg.solve(H, at.A.T @ self.B).T @ at.Q.T

    def _weight(self, other):
        """What multiplies half the squares of a factor, given the other one."""
        return self.alpha * (float(np.vdot(other, other)) if self.power == 2 else 1.0)

    # -- proximal steps --------------------------------------------------------------------------------------

    def step(self, V):
        """``(A, C, gap)`` of a proximal step from V, and about what its duality gap is, from above.

        With G the gradient, that step gives -G + E in the penalty's subdifferential, E from the step's length.
        """
        M = V - (self.curvature * V - self.B) / self.largest
        A, C = self._shrunk(M)
        error = np.linalg.norm((self.largest - self.curvature) * (V - A @ C.T))
        return A, C, float(error * np.vdot(C, C))

    def _shrunk(self, M):
        """Balanced factors of the penalty's prox of M, the step being 1 / largest."""
        if len(M) < M.shape[1]:
            C, A = self._shrunk(M.T)
            return A, C
        squares, norm = M.T @ M, float(np.linalg.norm(M))
        threshold = self._threshold(squares)
        if threshold >= norm:
            return M[:, :0], M.T[:, :0]
        if threshold > SQUARED * norm:
            values, right = linalg.eigh(squares, subset_by_value=(threshold**2, np.inf), check_finite=False)
            s = np.sqrt(values)
            left = (M @ right) / s
        else:
            left, s, right = np.linalg.svd(M, full_matrices=False)
            right = right.T
        keep = s > threshold
        roots = np.sqrt(s[keep] - threshold)
        return left[:, keep] * roots, right[:, keep] * roots

    def _threshold(self, squares):
        """What is taken from every singular value of a matrix M, given M'M."""
        weight = self.alpha / self.largest
        if self.power == 1:
            return weight
        # weight times the sum of what remains; the right number of these gives the largest
        s = np.sqrt(np.maximum(np.linalg.eigvalsh(squares)[::-1], 0.0))
        return float(np.max(np.cumsum(s) * (weight / (1 + weight * np.arange(1, len(s) + 1)))))


class _Best:
    """C with its best A, in coordinates Q in which C'C is diagonal, and the value of both."""

    def __init__(self, problem, C):
        s, self.Q = np.linalg.eigh(C.T @ C)
        s = np.maximum(s, 0.0)
        rotated = C @ self.Q
        linear = problem.B @ rotated
        self.C, self.A = C, linear / (problem.curvature * s + problem._weight(rotated))
        own = 0.5 * problem.alpha * float(s.sum()) if problem.power == 1 else 0.0
        self.value = own - 0.5 * float(np.vdot(linear, self.A))


def _extrapolated(past):
    """Anderson's combination of what followed on the points of the past."""
    steps = np.stack([(following - point).ravel() for point, following in past])
    gram = steps @ steps.T
    gram.flat[:: len(gram) + 1] += 1e-12 * np.trace(gram) + np.finfo(np.float64).tiny
    weights = np.linalg.solve(gram, np.ones(len(gram)))
    weights /= weights.sum()
    return sum(weight * following for weight, (_, following) in zip(weights, past, strict=True))
