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
FEW = 0.1  # share of eigenvectors up to which it is quicker to find them alone


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
    A, C, _ = problem.step(V, 0)
    n_iter, still, silent, goal = 0, 0, 0, tolerance
    value, least = np.inf, np.inf
    while True:
        n_sweeps = min(SWEEPS, max_iter - n_iter)
        n_iter += n_sweeps
        A, C, reached = problem.sweeps(C, n_sweeps)
        A, C, gap = problem.step(A @ C.T, C.shape[1])
        progress = value - reached > 4 * np.finfo(np.float64).eps * abs(reached) or gap < least
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
        at, past = _Best(self, C), _Past(C.shape)
        for _ in range(n_sweeps if C.shape[1] else 0):
            following = self._next(at)
            if not np.any(following != at.C):
                break
            past.add(at.C, following)
            extrapolated = _Best(self, past.extrapolated()) if past.count > 1 else None
            if extrapolated is not None and extrapolated.value <= at.value:
                at = extrapolated
            else:
                at = _Best(self, following)
                past.count = past.count if extrapolated is None else 0
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

    def step(self, V, rank):
        """``(A, C, gap)`` of a proximal step from V, and about what its duality gap is, from above.

        ``rank`` is about that of the result. With G the gradient there, -G + E is in the penalty's subdifferential,
        E being the step times what the curvature is less than the largest.
        """
        M = V - (self.curvature * V - self.B) / self.largest
        A, C = self._shrunk(M, rank)
        error = np.linalg.norm((self.largest - self.curvature) * (V - A @ C.T))
        return A, C, float(error * np.vdot(C, C))

    def _shrunk(self, M, rank):
        """Balanced factors of the penalty's prox of M, the step being 1 / largest."""
        if len(M) < M.shape[1]:
            C, A = self._shrunk(M.T, rank)
            return A, C
        squares, norm = M.T @ M, float(np.linalg.norm(M))
        threshold = self._threshold(squares)
        if threshold >= norm:
            return M[:, :0], M.T[:, :0]
        if threshold > SQUARED * norm:
            if rank < FEW * len(squares):
                values, right = linalg.eigh(squares, subset_by_value=(threshold**2, np.inf), check_finite=False)
            else:
                values, right = np.linalg.eigh(squares)
            above = values > threshold**2
            s, right = np.sqrt(values[above]), right[:, above]
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


class _Past:
    """The last `MEMORY` points and what followed on them, for Anderson's combination."""

    def __init__(self, shape):
        self.shape, self.count = shape, 0
        self.steps, self.followings = np.empty((2, MEMORY, shape[0] * shape[1]))

    def add(self, point, following):
        slot = self.count % MEMORY
        self.steps[slot], self.followings[slot] = (following - point).ravel(), following.ravel()
        self.count += 1

    def extrapolated(self):
        steps = self.steps[: self.count]
        steps = steps / np.abs(steps).max()
        gram = steps @ steps.T
        gram.flat[:: len(gram) + 1] += 1e-12 * np.trace(gram)
        weights = np.linalg.solve(gram, np.ones(len(gram)))
        return ((weights / weights.sum()) @ self.followings[: self.count]).reshape(self.shape)
