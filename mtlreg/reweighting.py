"""Weights of rows: the convex problem that majorises a non-convex one, on the same data.

Where the penalty is a concave function of row norms, its tangent at some W is a norm with a weight c_j for each row.
Weights are what ``feature_weights`` are: ``c_j = inf`` holds a row at zero, ``c_j = 0`` moves its feature to the free
directions, and any other weight scales the column of the design or the penalty of the row.
"""

from __future__ import annotations

import copy

import numpy as np

from mtlreg.designs import StackedDesign
from mtlreg.problem import Certificate
from mtlreg.scaling import dense_columns, orthonormal
from mtlreg.solvers._base import State
from mtlreg.solvers.descent import has_sweeps
from mtlreg.validation import to_host

__all__ = ["Reweighted", "certify_stationarity"]


def certify_stationarity(problem, x, Z=None):
    """Certificate of x under a penalty that is not convex: that of the convex problem which majorises it at x.

    Its gap is 0 iff x is stationary. Nothing is known about the distance from the optimum: ``dual`` is -inf.
    """
    point = problem.smooth(problem.predictors(x), Z)
    majorant = problem.reweighted(problem.penalty.slopes(x))
    there = majorant.forward(x, point.Z)
    upper = point.value + majorant.problem.penalty.value(there.x)
    gap = max(upper - majorant.problem.certify(there.x, there.Z).dual, 0.0)
    objective = point.value + problem.penalty.value(x)
    return Certificate(gap, objective, -float("inf"), problem.gradient(-point.u), point.Z, majorant)


class Reweighted:
    """The problem of the convex majorant with weights c (n_features,) of the rows, and the way there and back.

    Attributes
    ----------
    problem : Problem
    """

    def __init__(self, original, c):
        xp, design = original.xp, copy.copy(original.design)
        kept = (c > 0) & xp.isfinite(c)
        weights = xp.where(kept, c, xp.ones_like(c))
        penalty = original.penalty.majorant()
        # sweeps over rows take one strength for all, and do not mind the scale of a column; gradient steps do
        if not has_sweeps(original.with_penalty(penalty)):
            penalty, weights = original.penalty.majorant(weights), xp.ones_like(weights)
        self._design, self._scale = original.design, xp.where(kept, weights, xp.zeros_like(weights))[:, None]
        inverse = xp.where(kept, 1 / weights, xp.zeros_like(weights))[:, None]
        design.inverse_scale = inverse if design.inverse_scale is None else inverse * design.inverse_scale
        freed = np.flatnonzero(to_host(c == 0))
        self._freed = FreedRows(original.design, freed) if freed.size else None
        if self._freed is None:
            self.problem = original.with_penalty(penalty)
            self.problem.design, self.problem._known = design, {"null": (original.zero, original.null)}
        else:
            design.U = xp.asarray(self._freed.U, dtype=design.dtype)
            design.residualise(original.column_weights)
            self.problem = original.with_design(design, penalty)

    @property
    def attained(self):
        """Whether there is a minimum: there is none where the freed features alone separate classes."""
        problem = self.problem
        if self._freed is None or all(s.loss.attained for s in problem.losses.segments):
            return True
        return not bool(problem.xp.any(problem.free.escaping(problem.null.Z)))

    def forward(self, x, Z):
        """The state of the reweighted problem with the predictors that the original one has at x and Z."""
        there = x * self._scale
        if self._freed is None:
            return State(there, Z)
        raw = _raw(self._design, x)
        offset = None if Z is None else to_host(Z) - _shift(self._design, raw)
        inside = self._freed.encode(offset, to_host(raw)[self._freed.features])
        inside = inside + _shift(self.problem.design, _raw(self.problem.design, there))
        return State(there, self.problem.xp.asarray(inside, dtype=x.dtype))

    def backward(self, there, Z):
        """``(x, Z)`` of the original problem with the predictors that the reweighted one has."""
        xp = self.problem.xp
        x = xp.where(self._scale > 0, there / xp.where(self._scale > 0, self._scale, 1.0), xp.zeros_like(there))
        if self._freed is None:
            return x, Z
        Z = self.problem.null.Z if Z is None else Z  # a problem in moments has none of its own
        offset = to_host(Z) - _shift(self.problem.design, _raw(self.problem.design, there))
        offset, coef = self._freed.decode(offset)
        rows, scale = self._freed.features, self._design.inverse_scale
        host = np.array(to_host(x))
        host[rows] = coef if scale is None else coef / to_host(scale)[rows]
        x = xp.asarray(host, dtype=there.dtype)
        if self._design.U is None:
            return x, None
        return x, xp.asarray(offset + _shift(self._design, _raw(self._design, x)), dtype=there.dtype)


class FreedRows:
    """Features that join the free directions of a design.

    The columns ``[U, (X - U C) / size]`` of these features are decomposed as ``U' R`` with U' orthonormal, a task at a
    time where tasks have their own rows. C is the design's own centre, where it has one for all columns.

    Attributes
    ----------
    features : ndarray of int
    U : ndarray (n_rows, k')
    """

    def __init__(self, design, features):
        self.features = features
        X = to_host(dense_columns(design.X, features)).astype(np.float64)
        U = np.zeros((len(X), 0)) if design.U is None else to_host(design.U).astype(np.float64)
        stacked = isinstance(design, StackedDesign)
        cuts, widths = (design.starts, design.widths) if stacked else ([0, len(X)], [design.n_columns])
        self._block = np.repeat(np.arange(len(widths)), widths)
        self._C = self._centres(design, U.shape[1])
        eps = float(design.namespace.finfo(design.dtype).eps)
        blocks, sizes, noise = [], [], np.full(U.shape[1] + features.size, eps)
        for start, stop, C in zip(cuts, cuts[1:], self._C, strict=False):
            A = X[start:stop] - U[start:stop] @ C
            size, raw = (np.sqrt((a**2).sum(axis=0) / max(stop - start, 1)) for a in (A, X[start:stop]))
            size = np.where(size > 64 * eps * raw, size, np.where(raw > 0, raw, 1.0))
            noise[U.shape[1] :] = np.maximum(noise[U.shape[1] :], eps * (1 + raw / size) + design.noise / size)
            blocks.append(np.concatenate([U[start:stop], A / size], axis=1))
            sizes.append(size)
        self._size = np.stack(sizes)
        self.U, self._R, self._inverse = orthonormal(blocks, noise)

    def _centres(self, design, k):
        """C of every block: (n_blocks, k, n_features)."""
        n_blocks = int(self._block[-1]) + 1
        if design.centre is None:
            return np.zeros((n_blocks, k, self.features.size))
        centre = to_host(design.centre).astype(np.float64)[:, self.features, :]
        centre = np.broadcast_to(centre, (*centre.shape[:2], len(self._block)))
        return np.stack([centre[:, :, self._block == b].mean(axis=2) for b in range(n_blocks)])

    def encode(self, offset, coef):
        """Coefficients of U' for those of U (None where there is no U) and of the features, (·, n_columns)."""
        inside = coef * self._size[self._block].T
        if offset is not None:
            inside = np.concatenate([offset + np.einsum("ckj,jc->kc", self._C[self._block], coef), inside])
        return np.einsum("cij,jc->ic", self._R[self._block], inside)

    def decode(self, Z):
        """The inverse of `encode`: ``(offset, coef)``."""
        both = np.einsum("cij,jc->ic", self._inverse[self._block], Z)
        k = self._C.shape[1]
        coef = both[k:] / self._size[self._block].T
        return both[:k] - np.einsum("ckj,jc->kc", self._C[self._block], coef), coef


def _raw(design, x):
    """Coefficients of the unscaled columns."""
    return x if design.inverse_scale is None else x * design.inverse_scale


def _shift(design, raw):
    return 0.0 if design.centre is None else to_host(design.shift(raw))
