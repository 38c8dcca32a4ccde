"""Square roots of row norms beside differences of tasks in an order: the non-convex fused sparse group lasso."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from array_api_compat import array_namespace

from mtlreg.penalties._base import check_number
from mtlreg.penalties.combinators import Chain
from mtlreg.penalties.concave import BlockPower, RowWeighted, SteepRows
from mtlreg.penalties.differences import TotalVariation
from mtlreg.penalties.rows import L1

__all__ = ["FusedSqrt", "SqrtL1Fused"]


class OrderedRows(SteepRows):
    """What the two share: square roots, and the differences along an order of the tasks."""

    order: list | None
    exponent = 0.5
    q = 1.0
    keyed_by_task = True
    _differences: TotalVariation | None = None
    _phi, _slope = BlockPower._phi, BlockPower._slope

    def _find_differences(self):
        return self._differences or TotalVariation(order=self.order)

    def bind(self, columns):
        other = copy.copy(self)
        other._differences = TotalVariation(order=self.order).bind(columns)
        return other


@dataclass(eq=False, repr=False)
class FusedSqrt(OrderedRows):
    """``Omega(W) = alpha sum_j sqrt(fused_ratio sum_t |W_j,t+1 - W_jt| + (1 - fused_ratio) sum_t |W_jt|)``.

    Few features, whose coefficients change in few places of an order of the tasks, and are little shrunk: the second
    form of the non-convex fused sparse group lasso. Not convex: W = 0 is stationary at every alpha, and a feature that
    is zero stays so. The fit starts from the same sum without the root.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, >= 0: the sum of ``a sqrt(TV_j + beta |W_j|_1)`` has ``alpha = a sqrt(1 + beta)``.
    fused_ratio : float, default=0.5
        Share of the differences, in [0, 1): ``1 / (1 + beta)``.
    order : list of task labels, default=None
        As of `TotalVariation`; needed where a task column names the tasks by strings.

    References
    ----------
    Zhou, Liu, Narayan & Ye (2012), Modeling disease progression via fused sparse group lasso, KDD.
    """

    alpha: float = 1.0
    fused_ratio: float = 0.5
    order: list | None = None

    def _norms(self, W):
        xp, ratio = array_namespace(W), float(self.fused_ratio)
        return ratio * self._find_differences().row_values(W) + (1 - ratio) * xp.sum(xp.abs(W), axis=1)

    def majorant(self, weights=None):
        ratio = float(self.fused_ratio)
        parts = [self._find_differences().with_alpha(ratio), L1(1 - ratio)]
        norm = Chain(parts, alpha=float(self.alpha))
        return norm if weights is None else RowWeighted(norm, weights)

    def check(self):
        super().check()
        check_number(self, "fused_ratio", low=0.0)
        if float(self.fused_ratio) >= 1:
            raise ValueError(
                f"FusedSqrt(fused_ratio={self.fused_ratio!r}): fused_ratio must be in [0, 1); at 1 constant rows cost "
                "nothing."
            )


@dataclass(eq=False, repr=False)
class SqrtL1Fused(OrderedRows):
    """``Omega(W) = alpha sum_j sqrt(sum_t |W_jt|) + alpha_fused sum_jt |W_j,t+1 - W_jt|``.

    As `FusedSqrt`, with the differences outside of the root: the first form of the non-convex fused sparse group
    lasso. The multi-level lasso, ``BlockPower(q=1)``, is the case ``alpha_fused = 0``.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the roots, > 0.
    alpha_fused : float, default=1.0
        Strength of the differences, >= 0; absolute, not a ratio.
    order : list of task labels, default=None
        As of `TotalVariation`; needed where a task column names the tasks by strings.

    References
    ----------
    Zhou, Liu, Narayan & Ye (2012), Modeling disease progression via fused sparse group lasso, KDD.
    """

    alpha: float = 1.0
    alpha_fused: float = 1.0
    order: list | None = None

    def _fused(self):
        return self._find_differences().with_alpha(float(self.alpha_fused))

    def value(self, W):
        return super().value(W) + self._fused().norm_value(W)

    def majorant(self, weights=None):
        entries = L1(float(self.alpha))
        return Chain([self._fused(), entries if weights is None else RowWeighted(entries, weights)])

    def alpha_range(self, problem, eps):
        # differences only help to make the convex start zero
        top = L1().alpha_max(problem.null_gradient)
        return eps * top, top

    @property
    def null(self):
        return False

    def check(self):
        super().check()
        check_number(self, "alpha_fused", low=0.0, finite=True)
        if self.alpha == 0:
            raise ValueError("SqrtL1Fused(alpha=0) has no root: give TotalVariation alone, which is convex.")
