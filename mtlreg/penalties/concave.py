"""Concave functions of row norms: less shrinkage of what is large, at the price of convexity.

A penalty of this file is not convex. It is majorised at W by its tangent, a row norm with one weight a row, whose
minimum is certified like any other; `mtlreg.solvers.stages` goes from one such minimum to the next.
"""

from __future__ import annotations

from dataclasses import dataclass

from array_api_compat import array_namespace

from mtlreg.kernels import for_array
from mtlreg.penalties._base import Penalty, check_number
from mtlreg.penalties.rows import L1Lq
from mtlreg.penalties.weighted import RowWeighted

__all__ = ["BlockLog", "BlockMCP", "BlockPower", "BlockSCAD", "CappedL1", "ConcaveRows"]


class ConcaveRows(Penalty):
    """``Omega(W) = alpha sum_j phi(|W_j|_q)`` with phi concave, increasing and 0 at 0.

    Subclasses are dataclasses with a field ``alpha``; they give `_phi` and `_slope`, of an array (n_features,) of row
    norms, scaled so that ``phi'(0)`` is 1 or infinite. Instead of a proximal operator there is the convex majorant at
    a given W: ``sum_j slopes(W)_j norm(W_j)`` plus a constant, with the norm that `majorant` returns.
    """

    alpha: float
    #: exponent of the row norm, where it is not a field
    q: float = 2.0
    convex = False

    def _phi(self, g):
        raise NotImplementedError

    def _slope(self, g):
        """``phi'(g)``, infinite where it is."""
        raise NotImplementedError

    def _norms(self, W):
        return for_array(W).row_norms(W, float(self.q))

    def value(self, W):
        if self.null:
            return 0.0
        xp = array_namespace(W)
        return float(self.alpha) * float(xp.sum(self._phi(self._norms(W)), dtype=xp.float64))

    def slopes(self, W):
        """Weights of the rows (n_features,) in the majorant at W: 0 for a row that costs nothing, inf for a row held at
        zero."""
        if self.null:
            return array_namespace(W).ones(W.shape[0], dtype=W.dtype)
        return self._slope(self._norms(W))

    def majorant(self, weights=None):
        """The convex penalty with these weights of the rows, finite and > 0; None: all 1, the convex start."""
        norm = L1Lq(float(self.alpha), float(self.q))
        return norm if weights is None else RowWeighted(norm, weights)

    def alpha_max(self, G):
        """The smallest alpha for which W = 0 is stationary: that of the norm."""
        return self.majorant().alpha_max(G)

    @property
    def null(self):
        return self.alpha == 0


class SteepRows(ConcaveRows):
    """Those with ``phi'(0) = inf``: a row at zero is never left again, and W = 0 is stationary at every alpha."""

    def alpha_max(self, G):
        raise NotImplementedError(f"{type(self).__name__} has no alpha_max: W = 0 is stationary at every alpha.")

    def alpha_range(self, problem, eps):
        # from the largest on the convex start is zero, and so is all that follows
        top = self.with_alpha(1.0).majorant().alpha_max(problem.null_gradient)
        return eps * top, top


@dataclass(eq=False, repr=False)
class BlockMCP(ConcaveRows):
    """``Omega(W) = sum_j phi(|W_j|_2)``, ``phi(g) = alpha g - g^2 / (2 gamma)``, constant from ``g = gamma alpha`` on.

    The minimax concave penalty of row norms: rows larger than ``gamma alpha`` are not shrunk at all. Not convex; at
    ``gamma = inf`` it is `L21`, where the fit starts.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, >= 0.
    gamma : float, default=3.0
        Where the penalty ends, in multiples of alpha; > 1, inf allowed. The smaller, the less convex.

    References
    ----------
    Zhang (2010), Nearly unbiased variable selection under minimax concave penalty, Ann. Statist. 38; Breheny & Huang
    (2015), Group descent algorithms for nonconvex penalized linear and logistic regression models with grouped
    predictors, Stat. Comput. 25.
    """

    alpha: float = 1.0
    gamma: float = 3.0

    def _phi(self, g):
        end = float(self.gamma) * float(self.alpha)
        g = array_namespace(g).clip(g, max=end)
        return g - g**2 / (2 * end)

    def _slope(self, g):
        return array_namespace(g).clip(1 - g / (float(self.gamma) * float(self.alpha)), min=0.0)

    def check(self):
        super().check()
        check_number(self, "gamma", low=1.0, low_open=True)


@dataclass(eq=False, repr=False)
class BlockSCAD(ConcaveRows):
    """``Omega(W) = alpha sum_j phi(|W_j|_2)``, ``phi'(g) = min(1, max(0, (gamma alpha - g) / ((gamma - 1) alpha)))``.

    The smoothly clipped absolute deviation of row norms: `L21` up to ``alpha``, then less and less, and nothing beyond
    ``gamma alpha``. Not convex.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, >= 0.
    gamma : float, default=3.7
        Where the penalty ends, in multiples of alpha; > 2, inf allowed.

    References
    ----------
    Fan & Li (2001), Variable selection via nonconcave penalized likelihood and its oracle properties, JASA 96;
    Breheny & Huang (2015), Group descent algorithms for nonconvex penalized linear and logistic regression models with
    grouped predictors, Stat. Comput. 25.
    """

    alpha: float = 1.0
    gamma: float = 3.7

    @property
    def _width(self):
        """Of the part between the norm and the constant."""
        return (float(self.gamma) - 1) * float(self.alpha)

    def _bend(self, g):
        """How far g is into that part."""
        return array_namespace(g).clip(g - float(self.alpha), min=0.0, max=self._width)

    def _phi(self, g):
        end = float(self.gamma) * float(self.alpha)
        return array_namespace(g).clip(g, max=end) - self._bend(g) ** 2 / (2 * self._width)

    def _slope(self, g):
        return 1 - self._bend(g) / self._width

    def check(self):
        super().check()
        check_number(self, "gamma", low=2.0, low_open=True)


@dataclass(eq=False, repr=False)
class CappedL1(ConcaveRows):
    """``Omega(W) = alpha sum_j min(|W_j|_1, theta)``.

    Multi-stage multi-task feature learning: a feature pays for its coefficients up to ``theta``, and nothing beyond.
    Not convex; at ``theta = inf`` it is `L1`, where the fit starts.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, >= 0.
    theta : float, default=1.0
        Norm of a row from which on it is free, > 0, inf allowed; in the units that the penalty sees (those of
        standardised features under ``standardize``).

    References
    ----------
    Gong, Ye & Zhang (2012), Multi-stage multi-task feature learning, NIPS, algorithm 1.
    """

    alpha: float = 1.0
    theta: float = 1.0
    q = 1.0

    def _phi(self, g):
        return array_namespace(g).clip(g, max=float(self.theta))

    def _slope(self, g):
        return array_namespace(g).astype(g < float(self.theta), g.dtype)

    def check(self):
        super().check()
        check_number(self, "theta", low=0.0, low_open=True)


@dataclass(eq=False, repr=False)
class BlockLog(ConcaveRows):
    """``Omega(W) = alpha epsilon sum_j log(1 + |W_j|_2 / epsilon)``.

    Reweighted rows: every stage is an `L21` with weights ``epsilon / (epsilon + |W_j|_2)``. Not convex; for large
    ``epsilon`` it is `L21`, where the fit starts.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of a small row, >= 0: the sum of ``a log(epsilon + |W_j|_2)`` has ``alpha = a / epsilon``.
    epsilon : float, default=1.0
        Norm at which a row is shrunk half as much as a small one, > 0; in the units that the penalty sees.

    References
    ----------
    Candes, Wakin & Boyd (2008), Enhancing sparsity by reweighted l1 minimization, J. Fourier Anal. Appl. 14, section 2.
    """

    alpha: float = 1.0
    epsilon: float = 1.0

    def _phi(self, g):
        return float(self.epsilon) * array_namespace(g).log1p(g / float(self.epsilon))

    def _slope(self, g):
        return float(self.epsilon) / (float(self.epsilon) + g)

    def check(self):
        super().check()
        check_number(self, "epsilon", low=0.0, low_open=True, finite=True)


@dataclass(eq=False, repr=False)
class BlockPower(SteepRows):
    """``Omega(W) = alpha sum_j |W_j|_q^exponent`` with an exponent below 1.

    Few features, and those little shrunk. With ``q=1`` and exponent 1/2 this is the multi-level lasso, whose
    coefficients are a factor of the feature times a factor of feature and task, with the factors minimised out. Not
    convex: W = 0 is stationary at every alpha, and a feature that is zero stays so. The fit starts from `L1Lq` with the
    same alpha.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, >= 0.
    exponent : float, default=0.5
        In (0, 1).
    q : float, default=2.0
        Exponent of the row norm, in [1, inf].

    References
    ----------
    Lozano & Swirszcz (2012), Multi-level lasso for sparse multi-task regression, ICML; Zhou, Liu, Narayan & Ye (2012),
    Modeling disease progression via fused sparse group lasso, KDD.
    """

    alpha: float = 1.0
    exponent: float = 0.5
    q: float = 2.0

    def _phi(self, g):
        return g ** float(self.exponent)

    def _slope(self, g):
        xp = array_namespace(g)
        safe = xp.where(g > 0, g, xp.ones_like(g))
        return xp.where(g > 0, float(self.exponent) * safe ** (float(self.exponent) - 1), xp.inf * xp.ones_like(g))

    def check(self):
        super().check()
        check_number(self, "q", low=1.0)
        check_number(self, "exponent", low=0.0, low_open=True)
        if float(self.exponent) >= 1:
            raise ValueError(
                f"BlockPower(exponent={self.exponent!r}): exponent must be in (0, 1); at 1 it is L1Lq, which is convex."
            )
