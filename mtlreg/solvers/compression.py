"""Fewer tasks than labels have columns: exact for penalties that turning the tasks leaves as they are.

Where ``Omega(W Q) = Omega(W)`` for every orthogonal Q and every task sees the same rows with the same weights, the rows
of the best W lie in the span of the rows of Y, residualised on the free directions. With ``Y' = Q R``, Q (n_tasks, k)
orthonormal and ``k <= n_rows``, the problem for R' in place of Y has the same optimum, ``W = V Q'``, and each V has the
objective and the gap that its W has.
"""

from __future__ import annotations

import copy

from mtlreg.problem import Problem
from mtlreg.solvers import _base
from mtlreg.task_losses import Segment, TaskLosses

__all__ = ["applies", "solve"]


def applies(problem):
    """Whether the problem has more columns than rows of data, and may be solved in fewer."""
    return (
        problem.design.n_columns > problem.design.n_rows
        and problem.losses.quadratic
        and problem.separable
        and problem.one_gram
        and problem.penalty.rotation_invariant
    )


def solve(problem, start, callback, **settings):
    """`mtlreg.solvers.solve` of a problem in fewer columns; the outcome is that of the problem given."""
    compressed = problem.known("compressed", lambda: Compressed(problem))
    return compressed.backward(
        _base.solve(
            compressed.problem.with_penalty(problem.penalty),
            start=compressed.forward(start),
            callback=None if callback is None else lambda state: callback(compressed.backward(state)),
            **settings,
        )
    )


class Compressed:
    """A problem in the coordinates of the labels' span.

    Attributes
    ----------
    problem : Problem
        With as many columns as the original one has rows.
    basis : array (n_columns, k)
        Q of the module's text.
    """

    def __init__(self, original):
        self._original = original
        xp, free = original.xp, original.free
        residual = original.y if free is None else original.y - free.predictor(original.null.Z)
        self.basis, R = xp.linalg.qr(residual.T)
        design = copy.copy(original.design)
        design.n_columns = R.shape[0]
        whole = slice(0, R.shape[0])
        losses = TaskLosses([Segment(original.losses.segments[0].loss, 1, whole, whole, whole)])
        self.problem = Problem(design, losses, R.T, original.weights, original.penalty, original.constant)

    def forward(self, start):
        """A state to begin from; None where the start is none or of another shape."""
        if start is None or start.x.shape != self._original.zero.shape:
            return None
        return _base.State(self._original.own(start.x) @ self.basis, None)

    def backward(self, outcome):
        """A state or solution of the original problem."""
        there = copy.copy(outcome)
        there.x = outcome.x @ self.basis.T
        there.Z = None if self._original.free is None else self._original.null.Z
        return there
