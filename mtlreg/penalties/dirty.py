"""The dirty model with its two strengths tied: features of all tasks, and exceptions."""

from __future__ import annotations

from dataclasses import dataclass

from mtlreg.penalties._base import Penalty, check_number
from mtlreg.penalties.combinators import InfimalConvolution
from mtlreg.penalties.rows import L1, L1Lq

__all__ = ["Dirty"]


@dataclass(eq=False, repr=False)
class Dirty(Penalty):
    """``Omega(W) = alpha min_{B + S = W} {T^(ratio (1 - 1/q)) sum_j |B_j|_q + sum_jt |S_jt|}`` for T columns.

    Coefficients are those of features that all tasks share, ``components_["shared"]``, plus exceptions,
    ``components_["specific"]``. Both live for 0 < ratio < 1: at 0 a row is never dearer than its entries and the model
    is `L1Lq`, at 1 never cheaper and it is `L1`. It is the `InfimalConvolution` of these two with one parameter for
    their relative strength, whatever the number of tasks.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, > 0.
    ratio : float, default=0.5
        In [0, 1]: how dear sharing is. For q = inf and 0.5 a row is cheaper than its entries if they are as large as
        each other in more than sqrt(T) tasks.
    q : float, default=inf
        Exponent of the row norm, in [1, inf].

    References
    ----------
    Jalali, Ravikumar, Sanghavi & Ruan (2010), A dirty model for multi-task learning, NIPS (q = inf); Janati,
    Cuturi & Gramfort (2019), Wasserstein regularization for sparse multi-task regression, AISTATS (q = 2).
    """

    alpha: float = 1.0
    ratio: float = 0.5
    q: float = float("inf")

    part_names = ("shared", "specific")

    def _split(self, n_columns):
        row = float(n_columns) ** (float(self.ratio) * (1 - 1 / float(self.q)))
        return InfimalConvolution([("shared", L1Lq(row, float(self.q))), ("specific", L1(1.0))], self.alpha)

    def bind(self, columns):
        return self._split(len(columns)).bind(columns)

    def value(self, W):
        return self._split(W.shape[-1]).value(W)

    def prox(self, W, step):
        return self._split(W.shape[-1]).prox(W, step)

    def conjugate(self, V):
        return self._split(V.shape[-1]).conjugate(V)

    def feasible_scale(self, V):
        return self._split(V.shape[-1]).feasible_scale(V)

    def alpha_max(self, G):
        return self._split(G.shape[-1]).alpha_max(G)

    def check(self):
        super().check()
        check_number(self, "ratio", low=0.0, high=1.0)
        check_number(self, "q", low=1.0)
        if self.alpha == 0:
            raise ValueError("Dirty(alpha=0) does not determine the split: give alpha > 0.")
