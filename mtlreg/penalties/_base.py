"""The penalty protocol and the rules every penalty inherits.

A penalty is a dataclass with scikit-learn's ``get_params`` / ``set_params``. It sees the coefficients W
(n_features, n_columns) as a whole; compound penalties see a stack of such matrices, one for each part.
"""

from __future__ import annotations

import copy
import math
import numbers

from array_api_compat import array_namespace
from sklearn.base import BaseEstimator

from mtlreg.kernels import for_array

__all__ = ["HomogeneousPenalty", "Penalty", "RidgedPenalty", "check_number", "largest_scale"]


class Penalty(BaseEstimator):
    """Protocol of a penalty ``Omega(W)``.

    Subclasses are dataclasses (``eq=False, repr=False``) with a field ``alpha``, the one strength, and implement
    ``value``, ``prox``, ``conjugate``, ``feasible_scale`` and ``alpha_max``. No method modifies its arguments.
    """

    alpha: float
    #: Place in the order of a `Chain`: 0 differences of tasks, 1 entries, 2 row groups; None: cannot be chained.
    chain_rank: int | None = None
    #: Whether the columns of W have a structure, so that the rows cannot take their place in `Transposed`.
    keyed_by_task: bool = False
    #: Whether ``alpha`` has an effect; it has none on a constraint.
    has_strength = True
    #: Whether its prox sends all entries of a row through one odd increasing function: what differences need.
    orders_rows: bool = True
    #: Whether ``Omega(W Q) = Omega(W)`` for every orthogonal Q (n_columns, n_columns).
    rotation_invariant: bool = False
    #: Whether Omega is convex. One that is not has no prox; see `mtlreg.penalties.concave.ConcaveRows`.
    convex: bool = True
    #: Whether Omega depends on W by W'W alone and grows with it, so that a rotation of the features changes nothing.
    left_invariant: bool = False
    #: q of a penalty that is ``alpha / q`` times the q-th power of the trace norm, q 1 or 2 (and a ridge); else None.
    trace_power: int | None = None

    def value(self, W):
        """``Omega(W)``, a float."""
        raise NotImplementedError

    def prox(self, W, step):
        """``argmin_Z |Z - W|_F^2 / 2 + step Omega(Z)``."""
        raise NotImplementedError

    def conjugate(self, V):
        """``sup_W <V, W> - Omega(W)``."""
        raise NotImplementedError

    def feasible_scale(self, V):
        """The largest s in [0, 1] with ``conjugate(s V)`` finite."""
        raise NotImplementedError

    def dual(self, V):
        """``(s, conjugate(s V))`` with ``s = feasible_scale(V)``."""
        scale = self.feasible_scale(V)
        return scale, self.conjugate(scale * V)

    def alpha_max(self, G):
        """The smallest alpha for which W = 0 is optimal, given the loss's gradient G at W = 0.

        Penalties for which there is none leave this out, and give `alpha_range` instead.
        """
        raise NotImplementedError(f"{type(self).__name__} has no alpha_max: it shrinks, but never to zero.")

    def alpha_range(self, problem, eps):
        """``(low, high)``: the strengths between which a grid for this problem lies."""
        top = self.alpha_max(problem.null_gradient)
        return eps * top, top

    def bind(self, columns):
        """The penalty for given columns of W, a list of (task, class) pairs; class is None for numbers.

        Structures that the user keys by task (a graph, a tree, an order) are matched to the columns here; raises a
        ValueError that names the parameter if they do not fit. Penalties without structure return themselves.
        """
        return self

    def check(self):
        """Raise a ValueError or TypeError that names a parameter out of its range."""
        check_number(self, "alpha", low=0.0, finite=True)

    def check_in_chain(self):
        """What `check` does, for a part of a `Chain`, where more may be allowed than alone."""
        self.check()

    @property
    def null(self):
        """Whether the penalty is zero everywhere, so that every coefficient is a free direction."""
        return False

    @property
    def constrained(self):
        """Whether coefficients are restricted to be >= 0, from which an unpenalised feature would be exempt."""
        return bool(getattr(self, "positive", False))

    @property
    def part_names(self):
        """Names of the parts of a compound penalty; empty for a plain one."""
        return ()

    def quadratic(self, n_columns):
        """M (n_columns, n_columns) with ``Omega(W) = tr(W M W') / 2``, for penalties that are nothing but that."""
        return None

    def smooth_coupling(self, n_columns):
        """M (n_columns, n_columns) of a part ``tr(W M W') / 2`` that solvers are to treat as smooth; None: no such.

        Of a sum of a quadratic coupling of tasks and a norm, whose proximal operators do not compose.
        """
        return None

    @property
    def proximable(self):
        """The penalty without its `smooth_coupling`: what has a proximal operator."""
        return self

    def null_columns(self, n_columns):
        """N (n_columns, c), orthonormal, with ``Omega(W + A N') = Omega(W)`` for every W and A; None: there is none."""
        return None

    def with_alpha(self, alpha):
        """A copy with another strength; parts are shared, not copied, for solvers ask often."""
        other = copy.copy(self)
        other.alpha = alpha
        return other

    def row_kernels(self):
        """``(entry, row, q, ridge, positive)`` of every part, if each is a sum over rows that the row kernels know.

        ``entry sum_jt |W_jt| + row sum_j |W_j|_q + (ridge / 2) |W|_F^2``, and W >= 0 if ``positive``; a plain penalty
        is one part. Empty for any other penalty.
        """
        return ()

    def row_violations(self, V):
        """How far each row of V is from the dual constraint, for working sets (those with `row_kernels` only)."""
        xp = array_namespace(V)
        violation = for_array(V).row_violation
        by_part = [violation(V, entry, row, q, positive) for entry, row, q, _, positive in self.row_kernels()]
        return xp.max(xp.stack(by_part), axis=0)


class RidgedPenalty(Penalty):
    """A part of its own plus an optional ridge: ``Omega(W) = part(W) + (alpha_ridge / 2) |W|_F^2``.

    Subclasses give the part by ``norm_value``, ``norm_prox``, ``norm_conjugate`` and ``norm_feasible_scale``; the rules
    for the ridge live here.
    """

    alpha_ridge: float

    def norm_value(self, W):
        """The part without the ridge."""
        raise NotImplementedError

    def norm_prox(self, W, step):
        """Proximal operator of the part without the ridge."""
        raise NotImplementedError

    def norm_conjugate(self, V):
        """Conjugate of the part without the ridge."""
        raise NotImplementedError

    def norm_feasible_scale(self, V):
        """The largest s in [0, 1] with ``norm_conjugate(s V)`` finite."""
        raise NotImplementedError

    def value(self, W):
        value = self.norm_value(W)
        if self.alpha_ridge:
            value += 0.5 * self.alpha_ridge * _inner(W, W)
        return value

    def prox(self, W, step):
        if not self.alpha_ridge:
            return self.norm_prox(W, step)
        shrink = 1.0 / (1.0 + step * self.alpha_ridge)
        return self.norm_prox(W * shrink, step * shrink)

    def conjugate(self, V):
        if not self.alpha_ridge:
            return self.norm_conjugate(V)
        r = self.alpha_ridge
        W = self.norm_prox(V / r, 1.0 / r)
        return _inner(V, W) - self.norm_value(W) - 0.5 * r * _inner(W, W)

    def feasible_scale(self, V):
        return 1.0 if self.alpha_ridge else self.norm_feasible_scale(V)

    def check(self):
        super().check()
        check_number(self, "alpha_ridge", low=0.0, finite=True)

    @property
    def null(self):
        return self.alpha == 0 and self.alpha_ridge == 0


class HomogeneousPenalty(RidgedPenalty):
    """A norm-like part plus an optional ridge: ``Omega(W) = norm(W) + (alpha_ridge / 2) |W|_F^2``.

    Subclasses give ``norm_value(W)`` (positively homogeneous of degree one) and ``norm_prox(W, step)``; the rules for
    the ridge and for conjugates live here. They may give ``norm_feasible_scale`` where it has a closed form.
    """

    def norm_feasible_scale(self, V):
        """Largest s in [0, 1] with s V in the unit ball of the dual norm: V is in it iff ``norm_prox(V, 1) = 0``."""
        xp = array_namespace(V)
        return largest_scale(lambda s: not bool(xp.any(self.norm_prox(s * V, 1.0) != 0)))

    def norm_conjugate(self, V):
        """0 in the unit ball of the dual norm, inf outside."""
        xp = array_namespace(V)
        slack = 1 - 64 * xp.finfo(V.dtype).eps
        return 0.0 if self.norm_feasible_scale(V) >= slack else float("inf")

    def dual(self, V):
        if self.alpha_ridge:
            return 1.0, self.conjugate(V)
        return self.norm_feasible_scale(V), 0.0

    def alpha_max(self, G):
        # bisection on the safe side: norm_prox(-G, 1) = 0 is "alpha is large enough"
        xp = array_namespace(G)

        def enough(alpha):
            return not bool(xp.any(self.with_alpha(alpha).norm_prox(-G, 1.0) != 0))

        if enough(0.0):  # G = 0, or nothing can move into the domain
            return 0.0
        high = float(xp.max(xp.abs(G)))
        while not enough(high):
            high *= 2.0
        while enough(0.5 * high):
            high *= 0.5
        return high / largest_scale(lambda s: enough(high / s) if s > 0 else True, upper=2.0)


def largest_scale(feasible, upper=1.0):
    """The largest s in [0, upper] with ``feasible(s)``, a monotone predicate true at 0: bisection from below."""
    if feasible(upper):
        return upper
    low, high = 0.0, upper
    for _ in range(200):
        # geometric while the bracket spans orders of magnitude, arithmetic at the end
        middle = 0.5 * (low + high) if low > 0.25 * high else max(0.125 * high, (low * high) ** 0.5)
        if not low < middle < high or high - low <= 1e-16 * high:
            break
        if feasible(middle):
            low = middle
        else:
            high = middle
    return low


def check_number(owner, name, low=None, high=None, low_open=False, high_open=False, finite=False):
    """Raise if parameter ``name`` of ``owner`` is not a number in [low, high], or is infinite where it must not be.

    With ``low_open`` or ``high_open`` that end is not part of the interval.
    """
    value = getattr(owner, name)
    label = f"{type(owner).__name__}({name}={value!r})"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{label}: {name} must be a number, got {type(value).__name__}.")
    number = float(value)
    below = low is not None and (number <= low if low_open else number < low)
    above = (high is not None and (number >= high if high_open else number > high)) or (finite and number == math.inf)
    if number != number or below or above:
        bounds = (
            f"{'(' if low_open else '['}{low}, {'inf' if high is None else high}{')' if finite or high_open else ']'}"
        )
        raise ValueError(f"{label}: {name} must be in {bounds}.")


def check_convex(owner, penalty):
    """Raise if a penalty that is to be part of another is not convex."""
    if not penalty.convex:
        raise TypeError(f"{owner}: {penalty!r} is not convex and cannot be combined with others; give it alone.")


def check_proximable(owner, part):
    """Raise if a part has no proximal operator of its own, being a norm with a quadratic coupling beside it."""
    if part.proximable is not part:
        raise TypeError(
            f"{owner}: {part!r} is a norm and a quadratic coupling of tasks, whose proximal operators do not compose; "
            "it cannot be combined with others."
        )


def _inner(A, B):
    xp = array_namespace(A)
    return float(xp.sum(A * B, dtype=xp.float64))
