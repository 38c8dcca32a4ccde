"""Common directions: what a coupling of the tasks does not see, ``W = A N'`` for every A (n_features, c).

A graph without a ridge, for instance, leaves the coefficients free that all tasks of a component share. Like intercepts
these are minimised out before anything is measured against W = 0, and a dual point has to be orthogonal to them:
``D' u N = 0``.
"""

from __future__ import annotations

from mtlreg.solvers._base import State
from mtlreg.solvers._choose import reduce
from mtlreg.solvers.curvature import second_derivatives
from mtlreg.solvers.newton_cg import Model, conjugate_gradients, newton_steps

__all__ = ["CommonDirections"]

ACCURACY = 1e-12  # of the minimum, relative to the gradient at zero
MAX_STEPS = 100
MAX_HELD = 10
ORTHOGONAL = 1000  # times the precision: what counts as rounding in D' u N


class CommonDirections:
    """The common directions of a problem with an orthonormal basis N (n_columns, c).

    Raises
    ------
    ValueError
        For losses with several columns a label.
    """

    def __init__(self, problem, N):
        if not problem.losses.scalar:
            raise ValueError(
                f"{type(problem.penalty).__name__} leaves directions without a penalty, which softmax tasks do not "
                "allow: give alpha_ridge > 0 (or multi_class='ovr')."
            )
        xp = problem.xp
        self.problem, self.N = problem, xp.asarray(N, dtype=problem.design.dtype)
        self.nothing = xp.zeros((problem.design.n_columns,) * 2, dtype=problem.design.dtype)

    def inside(self, V):
        """The part of V (n_features, n_columns) in the common directions."""
        return (V @ self.N) @ self.problem.xp.permute_dims(self.N, (1, 0))

    def minimise(self, Z):
        """``(W, point)`` at the minimum of the losses over the common directions."""
        problem, xp = self.problem, self.problem.xp
        W, first = xp.zeros(problem.design.shape_w, dtype=problem.design.dtype), None
        reduced = reduce(problem)
        if reduced is not problem:  # far fewer rows
            first = self._slope(problem.smooth(problem.design.matvec(W), Z))
            W = xp.asarray(reduced.origin)
        for step, at in enumerate(newton_steps(problem, State(W, Z), self.nothing, self.inside)):
            point = problem.smooth(problem.predictors(at.x), at.Z)
            size = self._slope(point)
            first = size if first is None else first
            if size <= ACCURACY * first or at.stalled or step == MAX_STEPS:
                return at.x, point

    def _slope(self, point):
        return float(self.problem.xp.max(self.problem.xp.abs(self.inside(self.problem.gradient(point.u)))))

    def project(self, u):
        """``u`` made orthogonal to the common directions; still so to the free ones if it was."""
        h = self.problem.column_weights
        return self._corrected(u, h, self.problem.known("common model", lambda: self._model(h)))

    def project_inside(self, u, eta):
        """The same by changes in proportion to ``l''``, which leave saturated labels where they are.

        Labels that even so leave the conjugate's domain are held where they were.
        """
        problem, xp = self.problem, self.problem.xp
        h = second_derivatives(problem, eta, flat=0.0)
        for _ in range(MAX_HELD):
            moved = self._corrected(u, h, self._model(h))
            outside = problem.losses.conjugate(problem.y, problem.divide(moved)) == float("inf")
            if not bool(xp.any(outside)):
                break
            h = xp.where(outside, xp.zeros_like(h), h)
        return moved

    def _model(self, h):
        return Model(self.problem, h, self.nothing)

    def _corrected(self, u, h, model):
        for _ in range(2):  # the second pass removes the rounding of the first
            right = self.inside(model.design.rmatvec(u))
            V, _ = conjugate_gradients(lambda A: self.inside(model.product(A)), model.precondition, right, 1e-14)
            u = u - h * model.design.matvec(V)
        return u

    def split(self, G, before):
        """G without its part in the common directions, and whether that part was nothing but rounding.

        G is the gradient of a dual point that was ``before``, until it was projected; that may have left nothing of it.
        """
        problem, xp = self.problem, self.problem.xp
        part = self.inside(G)
        weights = problem.column_weights
        length = problem._sum(xp.where(weights > 0, before**2 / xp.where(weights > 0, weights, 1.0), 0.0)) ** 0.5
        squares = problem.known("square sums", lambda: problem.design.square_sums(weights))
        bound = ORTHOGONAL * float(xp.finfo(G.dtype).eps) * length * float(xp.max(squares)) ** 0.5
        rest = G - part
        if float(xp.max(xp.abs(rest))) <= bound:
            rest = xp.zeros_like(rest)
        return rest, float(xp.max(xp.abs(part))) <= bound
