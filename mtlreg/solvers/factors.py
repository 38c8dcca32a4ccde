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
"""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy import linalg

from mtlreg.solvers.alternating import accelerated

__all__ = ["FactoredProblem"]

SQUARED = 1e-5  # a threshold of this share of a matrix's norm is well above the rounding in the squares
FEW = 0.1  # share of eigenvectors up to which it is quicker to find them alone


class FactoredProblem:
    """The problem of the module's text; its points are ``(A, C)``.

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

    def start(self, V):
        """The point to begin at, given V."""
        return self.step(V, 0)[0]

    def advance(self, point, n_sweeps):
        """The point after some sweeps and a proximal step; the value before that step, and about the gap after it."""
        A, C, value = self.sweeps(point[1], n_sweeps)
        point, gap = self.step(A @ C.T, C.shape[1])
        return point, value, gap

    def coefficients(self, point, backward):
        """W of a point, ``backward`` taking the rows of V to those of W."""
        A, C = point
        return backward(A) @ C.T

    # -- alternating minimisation ----------------------------------------------------------------------------

    def sweeps(self, C, n_sweeps):
        """``(A, C, value)`` after so many sweeps; A is the best for C."""
        if not C.shape[1]:
            return self.B[:, :0], C, 0.0
        at = accelerated(partial(_Best, self), self._next, C, n_sweeps)
        return at.A @ at.Q.T, at.point, at.value

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
        """``((A, C), gap)`` of a proximal step from V, and about what its duality gap is, from above.

        ``rank`` is about that of the result. With G the gradient there, -G + E is in the penalty's subdifferential,
        E being the step times what the curvature is less than the largest.
        """
        M = V - (self.curvature * V - self.B) / self.largest
        A, C = self._shrunk(M, rank)
        error = np.linalg.norm((self.largest - self.curvature) * (V - A @ C.T))
        return (A, C), float(error * np.vdot(C, C))

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
        self.point, self.A = C, linear / (problem.curvature * s + problem._weight(rotated))
        own = 0.5 * problem.alpha * float(s.sum()) if problem.power == 1 else 0.0
        self.value = own - 0.5 * float(np.vdot(linear, self.A))
