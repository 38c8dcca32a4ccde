"""Strengths of their own for the rows of W (features), in one penalty among several."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from mtlreg.penalties._base import HomogeneousPenalty
from mtlreg.penalties.combinators import Chain

__all__ = ["RowWeighted"]


@dataclass(eq=False, repr=False)
class RowWeighted(HomogeneousPenalty):
    """``Omega(W) = alpha sum_j weights_j norm(W_j) + (alpha_ridge / 2) |W|_F^2`` for a norm that is a sum over rows.

    Every feature has a strength of its own. ``feature_weights`` of an estimator does that for all of a penalty, and
    faster; this is for the parts of a `Chain` whose weights differ. The ridge is the same for all rows.

    Parameters
    ----------
    penalty : HomogeneousPenalty
        What may stand in a `Chain`, without a ridge of its own: `L1`, `L21`, `L1Linf`, `L1Lq`, `SparseGroup`,
        `TotalVariation`, `GraphFused` or `TreeGroups`; or a `Chain` of them.
    weights : array-like of shape (n_features,)
        Finite and > 0.
    alpha : float, default=1.0
        Multiplies the penalty's own ``alpha``, >= 0.
    alpha_ridge : float, default=0.0
        Strength of the ridge part, >= 0; absolute.

    Raises
    ------
    ValueError
        From a fit with another number of features than weights.

    References
    ----------
    Zou (2006), The adaptive lasso and its oracle properties, JASA 101, eq. 4, has such weights for single entries.
    """

    penalty: HomogeneousPenalty
    weights: Any
    alpha: float = 1.0
    alpha_ridge: float = 0.0

    @property
    def chain_rank(self):
        return self.penalty.chain_rank

    @property
    def orders_rows(self):
        return self.penalty.orders_rows

    @property
    def rotation_invariant(self):
        return self.penalty.rotation_invariant

    @property
    def keyed_by_task(self):
        return self.penalty.keyed_by_task

    @property
    def constrained(self):
        return isinstance(self.penalty, HomogeneousPenalty) and self.penalty.constrained

    @property
    def null(self):
        return super().null and not self.constrained

    def bind(self, columns):
        other = copy.copy(self)
        other.penalty = self.penalty.bind(columns)
        return other

    def _scaled(self, alpha=None):
        """The penalty with the strength and the ridge of this one."""
        other = self.penalty.with_alpha((self.alpha if alpha is None else alpha) * self.penalty.alpha)
        other.alpha_ridge = self.alpha_ridge
        return other

    def _rows(self, W):
        rows = array_namespace(W).asarray(self.weights, dtype=W.dtype)
        if rows.shape != W.shape[:1]:
            raise ValueError(
                f"RowWeighted(weights=...) has shape {rows.shape}, expected {W.shape[:1]}: one weight a feature, the "
                "task column not counted."
            )
        return rows[:, None]

    # the norm is that of diag(weights) W, for it is homogeneous and a sum over rows

    def norm_value(self, W):
        return self._scaled().norm_value(self._rows(W) * W)

    def norm_prox(self, W, step):
        rows = self._rows(W)
        return rows * self._scaled().norm_prox(W / rows, step)

    def norm_feasible_scale(self, V):
        return self._scaled().norm_feasible_scale(V / self._rows(V))

    def alpha_max(self, G):
        return self._scaled(1.0).alpha_max(G / self._rows(G)) / self.penalty.alpha

    def alpha_range(self, problem, eps):
        G = problem.null_gradient
        ends = self._scaled(1.0).alpha_range(SimpleNamespace(null_gradient=G / self._rows(G)), eps)
        return tuple(end / self.penalty.alpha for end in ends)

    def null_columns(self, n_columns):
        return self._scaled().null_columns(n_columns)

    def check(self):
        self._check_own()
        self._scaled().check()

    def check_in_chain(self):
        self._check_own()
        self.penalty.check_in_chain()

    def _check_own(self):
        if not isinstance(self.penalty, Chain) and getattr(self.penalty, "chain_rank", None) is None:
            raise TypeError(f"RowWeighted(penalty=...) needs a sum over rows, such as L1(), got {self.penalty!r}.")
        super().check()
        if self.penalty.alpha_ridge:
            raise ValueError(f"RowWeighted: {self.penalty!r} has a ridge of its own; give RowWeighted's alpha_ridge.")
        if self.penalty.alpha == 0:
            raise ValueError(f"RowWeighted: {self.penalty!r} has alpha=0; give alpha=0 to RowWeighted instead.")
        weights = np.asarray(self.weights, dtype=float)
        if weights.ndim != 1 or not weights.size:
            raise ValueError(f"RowWeighted(weights=...) has shape {weights.shape}, expected (n_features,).")
        bad = ~(np.isfinite(weights) & (weights > 0))
        if bad.any():
            j = int(np.argmax(bad))
            raise ValueError(
                f"RowWeighted: weights[{j}] = {weights[j]:g} must be finite and > 0; feature_weights of the estimator "
                "leave a feature unpenalised or out."
            )
