"""Norms that act on one row of W (one feature over all tasks) at a time: mixed l1/lq and sparse group."""

from __future__ import annotations

from dataclasses import dataclass

from array_api_compat import array_namespace

from mtlreg.kernels import for_array
from mtlreg.penalties._base import HomogeneousPenalty, check_number

__all__ = ["L1", "L1Linf", "L1Lq", "L21", "SparseGroup"]


class RowPenalty(HomogeneousPenalty):
    """``alpha (entry_ratio sum_jt |W_jt| + (1 - entry_ratio) sum_j |W_j|_q)``, the family of this file.

    ``q`` and ``entry_ratio`` are fields of a subclass or fixed by it.
    """

    alpha: float
    q: float = 2.0
    entry_ratio: float = 0.0
    alpha_ridge: float
    positive: bool
    chain_rank = 2

    @property
    def _strengths(self):
        entry = float(self.alpha) * float(self.entry_ratio)
        return entry, float(self.alpha) - entry, float(self.q)

    def norm_value(self, W):
        xp = array_namespace(W)
        if self.positive and bool(xp.any(W < 0)):
            return float("inf")
        entry, row, q = self._strengths
        value = 0.0
        if row:
            value += row * float(xp.sum(for_array(W).row_norms(W, q), dtype=xp.float64))
        if entry:
            value += entry * float(xp.sum(xp.abs(W), dtype=xp.float64))
        return value

    def norm_prox(self, W, step):
        entry, row, q = self._strengths
        return for_array(W).shrink_rows(W, entry * step, row * step, q, bool(self.positive))

    def norm_feasible_scale(self, V):
        entry, row, q = self._strengths
        return float(for_array(V).row_feasible_scale(V, entry, row, q, bool(self.positive)))

    def alpha_max(self, G):
        ratio = float(self.entry_ratio)
        return float(for_array(G).row_alpha_max(-G, ratio, float(self.q), bool(self.positive)))

    @property
    def rotation_invariant(self):
        return self.q == 2 and self.entry_ratio == 0 and not self.positive

    def row_kernels(self):
        entry, row, q = self._strengths
        return ((entry, row, q, float(self.alpha_ridge), bool(self.positive)),)

    @property
    def null(self):
        return super().null and not self.positive

    def check(self):
        super().check()
        check_number(self, "q", low=1.0)
        check_number(self, "entry_ratio", low=0.0, high=1.0)
        if not isinstance(self.positive, bool):
            raise TypeError(f"{type(self).__name__}: positive must be True or False, got {self.positive!r}.")
        if self.positive and self.alpha == 0 and self.alpha_ridge == 0:
            raise ValueError(
                f"{type(self).__name__}(alpha=0, positive=True) has no certificate: "
                "give a small alpha or alpha_ridge > 0."
            )


@dataclass(eq=False, repr=False)
class L1(RowPenalty):
    """``Omega(W) = alpha sum_jt |W_jt| + (alpha_ridge / 2) |W|_F^2``.

    No sharing: with complete data every task is a lasso of its own (an elastic net with the ridge part).

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, >= 0.
    alpha_ridge : float, default=0.0
        Strength of the ridge part, >= 0; absolute, not a ratio.
    positive : bool, default=False
        Restrict W to be >= 0.

    References
    ----------
    Tibshirani (1996), Regression shrinkage and selection via the lasso, JRSS-B 58, eq. 1.
    """

    alpha: float = 1.0
    alpha_ridge: float = 0.0
    positive: bool = False
    q = 1.0
    chain_rank = 1

    @property
    def _strengths(self):
        return float(self.alpha), 0.0, 1.0


@dataclass(eq=False, repr=False)
class L21(RowPenalty):
    """``Omega(W) = alpha sum_j |W_j|_2 + (alpha_ridge / 2) |W|_F^2``.

    A feature is used by all tasks or by none; among the tasks its size is free.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, >= 0.
    alpha_ridge : float, default=0.0
        Strength of the ridge part, >= 0; absolute, not a ratio.
    positive : bool, default=False
        Restrict W to be >= 0.

    References
    ----------
    Yuan & Lin (2006), Model selection and estimation in regression with grouped variables, JRSS-B 68, eq. 2.1;
    Obozinski, Taskar & Jordan (2010), Joint covariate selection and joint subspace selection, Stat. Comput. 20.
    """

    alpha: float = 1.0
    alpha_ridge: float = 0.0
    positive: bool = False
    q = 2.0


@dataclass(eq=False, repr=False)
class L1Linf(RowPenalty):
    """``Omega(W) = alpha sum_j max_t |W_jt| + (alpha_ridge / 2) |W|_F^2``.

    Only the largest coefficient of a feature is paid for: tasks are drawn to the same size.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, >= 0.
    alpha_ridge : float, default=0.0
        Strength of the ridge part, >= 0; absolute, not a ratio.
    positive : bool, default=False
        Restrict W to be >= 0.

    References
    ----------
    Negahban & Wainwright (2008), Joint support recovery under high-dimensional scaling, NIPS.
    """

    alpha: float = 1.0
    alpha_ridge: float = 0.0
    positive: bool = False
    q = float("inf")


@dataclass(eq=False, repr=False)
class L1Lq(RowPenalty):
    """``Omega(W) = alpha sum_j |W_j|_q + (alpha_ridge / 2) |W|_F^2`` for any 1 <= q <= inf.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, >= 0.
    q : float, default=2.0
        Exponent of the row norm, in [1, inf]; 1, 2 and inf are `L1`, `L21` and `L1Linf`.
    alpha_ridge : float, default=0.0
        Strength of the ridge part, >= 0; absolute, not a ratio.
    positive : bool, default=False
        Restrict W to be >= 0.

    References
    ----------
    Liu & Ye (2010), Efficient l1/lq norm regularization, arXiv:1009.4766.
    """

    alpha: float = 1.0
    q: float = 2.0
    alpha_ridge: float = 0.0
    positive: bool = False


@dataclass(eq=False, repr=False)
class SparseGroup(RowPenalty):
    """``Omega(W) = alpha (entry_ratio sum_jt |W_jt| + (1 - entry_ratio) sum_j |W_j|_q) + (alpha_ridge / 2) |W|_F^2``.

    Few features, and of each feature few tasks. ``entry_ratio`` 0 is `L1Lq`, 1 is `L1`.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, >= 0.
    entry_ratio : float, default=0.5
        Share of the entries' l1 norm, in [0, 1].
    q : float, default=2.0
        Exponent of the row norm, in [1, inf].
    alpha_ridge : float, default=0.0
        Strength of the ridge part, >= 0; absolute, not a ratio.
    positive : bool, default=False
        Restrict W to be >= 0.

    References
    ----------
    Simon, Friedman, Hastie & Tibshirani (2013), A sparse-group lasso, JCGS 22.
    """

    alpha: float = 1.0
    entry_ratio: float = 0.5
    q: float = 2.0
    alpha_ridge: float = 0.0
    positive: bool = False
