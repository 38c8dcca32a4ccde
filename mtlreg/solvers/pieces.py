"""Newton's method on the support: the objective is smooth in the coefficients that are not zero.

Sums over rows are smooth around x once what is zero stays zero, and what shares a row's largest size goes on sharing
it. On that piece the Newton direction for all losses and parts together is found by conjugate gradients, with the true
second derivative of the losses (softmax's columns coupled, free directions minimised out), preconditioned row by row.
It converges fast where steps of proximal methods crawl, and finds no support: such steps have to come in between.

References
----------
Li, Sun & Toh (2018), A highly efficient semismooth Newton augmented Lagrangian method for solving lasso problems, SIAM
J. Optim. 28, section 3, for the piece and its Newton system.
"""

from __future__ import annotations

import copy

import numpy as np

from mtlreg.solvers.newton_cg import conjugate_gradients

__all__ = ["Piece", "support_direction"]

REDUCTION = 0.1  # of the residual of the Newton system
MAX_CG = 60


def support_direction(problem, x, point, curvature):
    """``(direction, slope)``: Newton's direction from x, zero off the support, and the derivative of P along it.

    None where x is zero. ``curvature`` is that of the losses at the point.
    """
    kernels = problem.penalty.row_kernels()
    parts = x.reshape(len(kernels), *problem.design.shape_w)
    (rows,) = np.nonzero(np.any(parts != 0, axis=(0, 2)))
    if not rows.size:
        return None
    design = copy.copy(problem.design if rows.size == parts.shape[1] else problem.design.restrict(rows))
    design.residualise(curvature.diagonal)
    pieces = [Piece(W, *kernel) for W, kernel in zip(parts[:, rows], kernels, strict=True)]
    gradient = design.rmatvec(point.u)
    least = np.broadcast_to(design.square_sums(curvature.diagonal), gradient.shape)

    def by_part(function, V):
        return np.stack([function(piece, v) for piece, v in zip(pieces, V, strict=True)])

    def product(V):
        data = design.rmatvec(curvature.product(design.matvec(V.sum(axis=0))))
        return by_part(lambda piece, v: piece.inside(data + piece.product(v)), V)

    slopes = np.stack([piece.inside(gradient + piece.gradient) for piece in pieces])
    for piece in pieces:
        piece.prepare(least)
    V, _ = conjugate_gradients(
        product, lambda R: by_part(lambda piece, r: piece.precondition(r), R), -slopes, REDUCTION, MAX_CG
    )
    V = by_part(lambda piece, v: piece.stopped(v), V)
    direction = np.zeros_like(parts)
    direction[:, rows] = V
    return direction.reshape(x.shape), float(np.sum(slopes * V, dtype=np.float64))


class Piece:
    """The smooth piece on which one part W (rows of the support) of a sum over rows lies.

    ``entry sum |W_jt| + row sum |W_j|_q + (ridge / 2) |W|^2``, and W >= 0 if ``positive``.

    Attributes
    ----------
    gradient : ndarray
        Of the penalty at W.
    """

    def __init__(self, W, entry, row, q, ridge, positive):
        if q == 1 or W.shape[1] == 1:  # on a single entry every norm is the absolute value
            entry, row, q = entry + row, 0.0, 2.0
        self.W, self.ridge = W, ridge
        sign, size = np.sign(W), np.abs(W)
        top = size.max(axis=1, keepdims=True)
        self.moving = top > 0
        self.pinned = entry > 0 or positive or q < 2  # whether zero entries stay
        self.moving = (W != 0) if self.pinned else np.broadcast_to(top > 0, W.shape)
        self.tied = None
        safe = np.where(top > 0, top, 1)
        if q == np.inf:
            tied = (size == top) & (top > 0) & (row > 0)
            self.tied = np.where(tied, sign, 0), np.maximum(tied.sum(axis=1, keepdims=True), 1)
            dual, self.bend, self.spread = self.tied[0] / self.tied[1], 0 * safe, 0 * W
        else:
            norm = safe * ((size / safe) ** q).sum(axis=1, keepdims=True) ** (1 / q)
            ratio = np.where(self.moving, size / np.where(top > 0, norm, 1), 1)
            dual = np.where(self.moving, sign * ratio ** (q - 1), 0)
            self.bend = row * (q - 1) / np.where(top > 0, norm, 1)  # how strongly the norm curves
            self.spread = np.where(self.moving, ratio ** (q - 2), 0)
        self.dual = dual  # derivative of the norm
        self.gradient = entry * sign + row * dual + ridge * W
        self.row = row

    def inside(self, V):
        """The orthogonal projection of V on the directions in which the piece extends."""
        V = np.where(self.moving, V, 0)
        if self.tied is None:
            return V
        sign, count = self.tied
        return np.where(sign != 0, sign * ((sign * V).sum(axis=1, keepdims=True) / count), V)

    def product(self, V):
        """The penalty's second derivative times V."""
        along = (self.dual * V).sum(axis=1, keepdims=True)
        return self.ridge * V + self.bend * (self.spread * V - self.dual * along)

    def prepare(self, least):
        """Set the preconditioner: ``least`` is the diagonal of the losses' second derivative."""
        floor = 1e-12 * max(float(least.max()), np.finfo(least.dtype).tiny)
        self.inverse = 1 / (np.maximum(least, floor) + self.ridge + self.bend * self.spread)
        self.weighted = self.inverse * self.dual
        left = 1 - self.bend * (self.dual * self.weighted).sum(axis=1, keepdims=True)
        self.along = self.bend / np.maximum(left, 1e-12)

    def precondition(self, R):
        """The inverse of row by row, tasks coupled by the norm alone."""
        solved = self.inverse * R + self.along * self.weighted * (self.weighted * R).sum(axis=1, keepdims=True)
        return self.inside(solved)

    def stopped(self, V):
        """V with what would pass through zero stopped there."""
        W = self.W
        if self.pinned:
            V = np.where((W + V) * W < 0, -W, V)
        if self.row:
            V = np.where(((W + V) * W).sum(axis=1, keepdims=True) < 0, -W, V)
        return V
