"""Newton's method with conjugate gradients, for purely quadratic penalties and losses with one column a label.

At W the loss is replaced by ``sum_i h_i (z_i - eta_i)^2 / 2`` with ``h = weight l''``; free directions are part of the
model. Its normal equations ``D'(h D V) + V M = -gradient`` are solved by conjugate gradients, preconditioned by the
same equations with one Gram matrix for all tasks, which two eigendecompositions invert: for the squared loss and
complete shared data that is the solution in closed form, and the first step.

References
----------
Nocedal & Wright (2006), Numerical optimization, algorithm 7.1; the preconditioner solves a Sylvester equation.
"""

from __future__ import annotations

import copy

from array_api_compat import array_namespace

from mtlreg.designs import SharedDesign
from mtlreg.solvers.curvature import second_derivatives
from mtlreg.solvers.line_search import BLIND_STEPS, line_search, rounding_of
from mtlreg.validation import is_sparse

__all__ = ["Model", "conjugate_gradients", "handles", "newton_cg", "newton_steps"]

DENSE = 2000  # features up to which their Gram matrix is formed for shared rows
PROBED = 200  # the same for rows of each task, where it takes a product with the design for each feature
REDUCTION = (1e-2, 1e-12)  # of the residual of the normal equations: the first, the least
MAX_CG = 2000
DIVERGED = 1e8  # times the least squared residual
ROUNDING = 4  # units in the last place, times the number of features


def handles(problem):
    """Whether the method applies: a quadratic penalty, one column a label."""
    return problem.losses.scalar and problem.penalty.quadratic(problem.design.n_columns) is not None


def newton_cg(problem, state, *, max_iter, tolerance):
    """Yield states of Newton steps; ``state.n_iter`` counts products with the Hessian."""
    M = problem.xp.asarray(problem.penalty.quadratic(problem.design.n_columns), dtype=problem.design.dtype)
    yield from newton_steps(problem, state, M, max_iter=max_iter)


def newton_steps(problem, state, M, inside=None, *, max_iter=10**6):
    """Yield states of Newton steps for the losses and ``tr(W M W') / 2``.

    ``inside(V)`` is the orthogonal projection on the subspace that W is to stay in; None: all of it.
    """
    yield state
    xp, n_iter, blind, reduction = problem.xp, 0, 0, REDUCTION[0]
    inside = (lambda V: V) if inside is None else inside
    x, eta = state.x, problem.predictors(state.x)
    point = problem.smooth(eta, state.Z)
    objective = point.value + problem.penalty.value(x)
    model, damping = None, 1.0  # of 1: a step as if there were no bend, which is one downhill
    while n_iter < max_iter:
        if model is None or not problem.losses.quadratic or not problem.separable:
            model = Model(problem, second_derivatives(problem, point.eta), M, problem.bend(point, 1 - damping))
        gradient = inside(problem.gradient(point.u) + x @ M)
        direction, steps = conjugate_gradients(
            lambda V, model=model: inside(model.product(V)), model.precondition, -gradient, reduction, max_iter - n_iter
        )
        n_iter += max(steps, 1)
        reduction = max(1e-3 * reduction, REDUCTION[1])
        slope = float(xp.sum(gradient * direction, dtype=xp.float64))
        moved = line_search(problem, x, eta, point, objective, direction, slope)
        if moved is not None:
            blind = blind + 1 if objective - moved[3] <= rounding_of(x, objective) else 0
            x, eta, point, objective, step = moved
        state.x, state.Z, state.n_iter = x, point.Z, n_iter
        state.stalled = moved is None and (problem.separable or damping == 1) or blind > BLIND_STEPS
        damping = 1.0 if moved is None else min(0.1 * damping if step == 1 else 10 * damping, 1.0)
        yield state


class Model:
    """``V -> D'(h D V - bend(D V)) + V M`` for the residualised design D, and an approximate inverse."""

    def __init__(self, problem, h, M, bend=None):
        self.h, self.bend = h, bend
        self.design = copy.copy(problem.design)
        self.design.residualise(h)
        xp = problem.xp
        self.M = M
        values, self.U = xp.linalg.eigh(M)
        basis, curvature = self._features(problem)
        self.E = basis
        total = curvature[:, None] + xp.clip(values, min=0.0)[None, :]
        # directions without curvature hold nothing but rounding, which must not be blown up
        top = float(xp.max(total))
        flat = total <= ROUNDING * total.shape[0] * float(xp.finfo(total.dtype).eps) * top
        self.inverse = xp.where(flat, 0.0, 1 / xp.where(flat, 1.0, total))

    def _features(self, problem):
        """Eigenvectors (None: the axes) and eigenvalues of the mean over the columns of W of ``D' h D``."""
        xp, design = problem.xp, problem.design
        p = design.n_features
        one_scale = design.inverse_scale is None or design.inverse_scale.shape[1] == 1
        if isinstance(design, SharedDesign) and one_scale and not is_sparse(design.X) and p <= DENSE:
            gram = _mean_gram(design, xp.mean(self.h, axis=1, keepdims=True), xp)
        elif p <= PROBED:
            gram = xp.stack([self._mean_row(j, xp) for j in range(p)])
        else:
            return None, xp.mean(self.design.square_sums(self.h), axis=1)
        values, vectors = xp.linalg.eigh(0.5 * (gram + xp.permute_dims(gram, (1, 0))))
        return vectors, xp.clip(values, min=0.0)

    def _mean_row(self, j, xp):
        probe = xp.zeros(self.design.shape_w, dtype=self.design.dtype)
        probe[j, :] = 1
        return xp.mean(self.design.rmatvec(self.h * self.design.matvec(probe)), axis=1)

    def product(self, V):
        eta = self.design.matvec(V)
        u = self.h * eta if self.bend is None else self.h * eta - self.bend(eta)
        return self.design.rmatvec(u) + V @ self.M

    def precondition(self, R):
        xp = array_namespace(R)
        R = R @ self.U
        if self.E is None:
            return (R * self.inverse) @ xp.permute_dims(self.U, (1, 0))
        inner = (xp.permute_dims(self.E, (1, 0)) @ R) * self.inverse
        return self.E @ inner @ xp.permute_dims(self.U, (1, 0))


def _mean_gram(design, h, xp):
    """``D' h D`` for one column of weights, with a column of W for each feature."""
    wide = copy.copy(design)
    wide.n_columns = design.n_features
    wide.residualise(h)
    return wide.rmatvec(h * wide.matvec(xp.eye(design.n_features, dtype=design.dtype)))


def conjugate_gradients(product, precondition, b, reduction, max_iter=MAX_CG):
    """``(V, iterations)`` with ``|b - product(V)| <= reduction |b|`` in the preconditioner's norm, from V = 0."""
    xp = array_namespace(b)

    def inner(A, B):
        return float(xp.sum(A * B, dtype=xp.float64))

    V, residual = xp.zeros_like(b), b
    z = precondition(residual)
    direction, square = z, inner(residual, z)
    goal = reduction**2 * square
    best, least = V, square
    for k in range(min(max_iter, MAX_CG)):
        # where the product is singular, rounding takes over once the rest is solved, and the residual grows again
        if not goal < square < DIVERGED * least:
            return best, k
        image = product(direction)
        curvature = inner(direction, image)
        if curvature <= 0:
            return best, k
        step = square / curvature
        V = V + step * direction
        residual = residual - step * image
        z = precondition(residual)
        before, square = square, inner(residual, z)
        direction = z + (square / before) * direction
        if square < least:
            best, least = V, square
    return best, max_iter
