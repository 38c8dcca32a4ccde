"""Absolute differences between the coefficients of tasks: along an order of the tasks, and on a graph."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from mtlreg.kernels import for_array
from mtlreg.penalties._base import HomogeneousPenalty, check_number
from mtlreg.penalties._columns import column_chains
from mtlreg.penalties._fusion import Fusion, build_fusion
from mtlreg.penalties._structure import plain_columns, read_graph

__all__ = ["GraphFused", "TotalVariation"]


class DifferencesPenalty(HomogeneousPenalty):
    """What the penalties of this file share: a `Fusion` of the columns, made when these are known."""

    chain_rank = 0
    keyed_by_task = True
    _bound: Fusion | None = None

    def _find_fusion(self, columns):
        """The `Fusion` for a list of (task, class)."""
        raise NotImplementedError

    def bind(self, columns):
        other = copy.copy(self)
        other._bound = self._find_fusion(columns)
        return other

    def _fusion(self, W):
        return self._bound or self._find_fusion(plain_columns(W.shape[1]))

    @property
    def _has_null_columns(self):
        """Whether rows without differences cost nothing."""
        raise NotImplementedError

    def null_columns(self, n_columns):
        if not self._has_null_columns:
            return None
        null = (self._bound or self._find_fusion(plain_columns(n_columns))).null
        return null if null.shape[1] else None


@dataclass(eq=False, repr=False)
class TotalVariation(DifferencesPenalty):
    """``Omega(W) = alpha sum_j sum_t |W_j,t+1 - W_jt| + (alpha_ridge / 2) |W|_F^2`` over tasks in an order.

    Tasks that follow each other (times, doses, degrees of a disease) have equal coefficients but for a few jumps. Rows
    of equal coefficients cost nothing: no strength makes them zero. ``Chain([TotalVariation(a), L1(b), L21(c)])`` adds
    the selection of entries and of rows, which is the convex fused sparse group lasso.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, >= 0.
    order : list of task labels, default=None
        Every task once; it may name tasks that the data do not have. None: the order of ``tasks_``, which are the
        columns of a 2-D y, or the sorted labels of a task column. Names have no order: three or more tasks of which
        one is named by a string, be it "2020-01", are an error then. Columns of a task with several classes follow
        those of the same class.
    alpha_ridge : float, default=0.0
        Strength of the ridge part, >= 0; absolute, not a ratio.
    positive : bool, default=False
        Restrict W to be >= 0; only with a ridge, or in a `Chain`.

    References
    ----------
    Tibshirani, Saunders, Rosset, Zhu & Knight (2005), Sparsity and smoothness via the fused lasso, JRSS-B 67;
    Zhou, Liu, Narayan & Ye (2012), Modeling disease progression via fused sparse group lasso, KDD.
    """

    alpha: float = 1.0
    order: list | None = None
    alpha_ridge: float = 0.0
    positive: bool = False

    def _find_fusion(self, columns):
        edges = [pair for chain in column_chains(columns, self.order) for pair in pairwise(chain)]
        return build_fusion(np.array(edges, dtype=np.intp).reshape(-1, 2), np.ones(len(edges)), len(columns))

    @property
    def _has_null_columns(self):
        return not self.alpha_ridge and not self.positive

    def row_values(self, W):
        """The sum of differences of every row, without alpha."""
        return self._fusion(W).row_values(W)

    def norm_value(self, W):
        xp = array_namespace(W)
        if self.positive and bool(xp.any(W < 0)):
            return float("inf")
        return float(self.alpha) * self._fusion(W).value(W)

    def norm_prox(self, W, step):
        U = self._fusion(W).prox(W, float(self.alpha) * step)
        return array_namespace(W).maximum(U, 0.0 * U) if self.positive else U

    def norm_feasible_scale(self, V):
        """As in `HomogeneousPenalty`; 0 if V is not orthogonal to the null directions."""
        fusion = self._fusion(V)
        V = fusion.without_null(V)
        if V is None:
            return 0.0
        strength = fusion.chain_strength(V)
        return min(1.0, float(self.alpha) / strength) if strength else 1.0

    def alpha_max(self, G):
        """The smallest alpha for which no two coefficients of a row differ, given a gradient G at such rows."""
        if not self._has_null_columns:
            raise NotImplementedError(f"{type(self).__name__} with a ridge makes coefficients equal, but never zero.")
        return self._fusion(G).chain_strength(G)

    def alpha_range(self, problem, eps):
        G, fusion = problem.null_gradient, self._fusion(problem.null_gradient)
        N = array_namespace(G).asarray(fusion.null, dtype=G.dtype)
        top = fusion.chain_strength(G - G @ N @ N.T)
        return eps * top, top

    @property
    def null(self):
        return super().null and not self.positive

    def check_in_chain(self):
        super().check()
        if not isinstance(self.positive, bool):
            raise TypeError(f"TotalVariation: positive must be True or False, got {self.positive!r}.")

    def check(self):
        self.check_in_chain()
        if self.positive and self.alpha_ridge == 0:
            raise ValueError(
                "TotalVariation(positive=True) has no certificate of its own: give alpha_ridge > 0, or put it in a "
                "Chain with L1 or L21."
            )


@dataclass(eq=False, repr=False)
class GraphFused(DifferencesPenalty):
    """Graph-guided fused lasso: equal coefficients for tasks that are joined.

    ``Omega(W) = alpha (fused_ratio sum_(s,t) |r_st| sum_j |W_js - sgn(r_st) W_jt| + (1 - fused_ratio) sum_jt |W_jt|)
    + (alpha_ridge / 2) |W|_F^2``, the first sum over the edges of a graph of the tasks, each once.

    Tasks that are joined by a negative weight have opposite coefficients. With ``fused_ratio=1`` rows without
    differences cost nothing: no strength makes them zero.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, >= 0.
    graph : list of (task, task, weight), dict, data frame, array or sparse matrix, default=None
        The weights r: edges in a list, ``{(task, task): weight}``, or a symmetric matrix without diagonal. What is
        keyed by task (all but arrays) may name tasks that the data do not have, which are left out, with a warning;
        arrays are in the order of ``tasks_``, sorted. `task_graph` makes one from data. Needed.
    fused_ratio : float, default=0.5
        Share of the differences, in [0, 1].
    alpha_ridge : float, default=0.0
        Strength of the ridge part, >= 0; absolute, not a ratio.

    References
    ----------
    Kim & Xing (2009), Statistical estimation of correlated genome associations to a quantitative trait network, PLoS
    Genetics 5.
    """

    alpha: float = 1.0
    graph: Any = None
    fused_ratio: float = 0.5
    alpha_ridge: float = 0.0

    def _find_fusion(self, columns):
        return build_fusion(*read_graph(self.graph, columns), len(columns))

    @property
    def _strengths(self):
        fused = float(self.alpha) * float(self.fused_ratio)
        return fused, float(self.alpha) - fused

    @property
    def _has_null_columns(self):
        return self.fused_ratio == 1 and not self.alpha_ridge

    def norm_value(self, W):
        xp = array_namespace(W)
        fused, entry = self._strengths
        value = fused * self._fusion(W).value(W) if fused else 0.0
        return value + (entry * float(xp.sum(xp.abs(W), dtype=xp.float64)) if entry else 0.0)

    def norm_prox(self, W, step):
        # The prox of the differences leaves a subgradient that stays one when all entries of a row go through the
        # same odd increasing function, as the soft threshold is: signs of differences do not turn.
        fused, entry = self._strengths
        U = self._fusion(W).prox(W, fused * step)
        return for_array(U).shrink_rows(U, entry * step, 0.0, 2.0)

    def norm_feasible_scale(self, V):
        """As in `HomogeneousPenalty`; 0 if V is not orthogonal to null directions."""
        return self._largest_scale(V, 1.0)

    def alpha_max(self, G):
        """The smallest alpha for which W = 0 is optimal; with ``fused_ratio=1``, for which no differences are left."""
        xp = array_namespace(G)
        if self.fused_ratio == 1 and self.alpha_ridge:
            raise NotImplementedError(
                "GraphFused(fused_ratio=1) with a ridge makes coefficients equal, but never zero."
            )
        top = float(xp.max(xp.abs(G))) if G.shape[0] else 0.0
        if top == 0:
            return 0.0
        unit = self.with_alpha(1.0)
        fused, entry = unit._strengths
        fusion = self._fusion(G)
        degree = float(np.bincount(fusion.edges.ravel(), np.repeat(fusion.weights, 2), minlength=1).max())
        scale = unit._largest_scale(-G, 2.0 * (fused * degree + entry) / top)
        return 1.0 / scale if scale else float("inf")

    def alpha_range(self, problem, eps):
        if self._has_null_columns or self.fused_ratio < 1:
            return super().alpha_range(problem, eps)
        G = problem.null_gradient
        N = array_namespace(G).asarray(self._fusion(G).null, dtype=G.dtype)
        plain = copy.copy(self)
        plain.alpha_ridge = 0.0
        top = plain.alpha_max(G - G @ N @ N.T)
        return eps * top, top

    def _largest_scale(self, V, scale):
        """The largest s <= ``scale`` with s V in the unit ball of the dual norm.

        Exactly then no entry of the prox of the differences at s V, the smallest matrix that differs from s V by a
        flow, exceeds the strength of the entries. The largest entry of a row is convex and piecewise linear in s, so
        Newton's method falls to the root from above, row by row, in a few steps.
        """
        xp = array_namespace(V)
        eps = float(xp.finfo(V.dtype).eps)
        fused, entry = self._strengths
        fusion, limit = self._fusion(V), entry
        if entry == 0:
            V = fusion.without_null(V)
            if V is None:
                return 0.0
            if fused == 0:
                return 0.0 if bool(xp.any(V != 0)) else 1.0
        step = eps
        while True:
            U = fusion.prox(scale * V, fused)
            top = xp.max(xp.abs(U), axis=1)
            if entry == 0:  # what is left of a row in the ball is rounding
                limit = 64 * eps * V.shape[1] * scale * float(xp.max(xp.abs(V)))
            over = top > limit
            if not bool(xp.any(over)):
                return float(scale)
            V, U, top = V[over], U[over], top[over]
            largest = xp.astype(xp.abs(U) >= (1 - 1e-11) * top[:, None], V.dtype)
            slope = xp.sum(largest * xp.sign(U) * V, axis=1) / xp.sum(largest, axis=1)
            slope = xp.maximum(slope, top / scale)  # that of the chord from s = 0, against rounding
            # at least one unit in the last place, so that rounding cannot stop short of the ball
            scale = max(0.0, min(scale - float(xp.max((top - limit) / slope)), scale * (1 - step)))
            step *= 2

    def check(self):
        super().check()
        check_number(self, "fused_ratio", low=0.0, high=1.0)
        if self.graph is None:
            raise ValueError(
                "GraphFused(graph=None): graph is needed, a list of edges (task, task, weight), a dict, a data frame "
                "or an array; task_graph makes one from data."
            )
