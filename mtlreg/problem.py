"""The optimisation problem and its certificate.

    P(x) = min_Z  sum_i weight_i l(y_i, (D W)_i + (U Z)_i)  +  tr(W M W') / 2  +  Omega(x),

    D(u, Q) = - sum_i weight_i l*(y_i, u_i / weight_i) - tr(Q M^+ Q') / 2 - Omega*(-D' u - Q)      where U' u = 0

with W = x or the sum of x's parts. M is the smooth coupling of the tasks, where the penalty has one. Free directions
Z (intercepts, unpenalised features) are minimised out exactly before anything is certified. The dual point is the
loss's gradient, made orthogonal to U, and Q = W M, both scaled into the domain of the conjugate of Omega.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from mtlreg.designs import SharedDesign
from mtlreg.free import FreeDirections
from mtlreg.validation import to_host

__all__ = ["Certificate", "Point", "Problem"]


@dataclass
class Point:
    """The smooth part of the objective at some predictors.

    Attributes
    ----------
    value : float
    Z : array or None
        Free coefficients.
    u : array
        Derivative by predictor.
    eta : array
        The predictors, the part of the free directions included.
    """

    value: float
    Z: Any
    u: Any
    eta: Any


@dataclass
class Certificate:
    """What is proved at x: ``objective - optimum <= gap``.

    Under a penalty that is not convex the gap is that in the convex problem which majorises it at x: 0 iff x is
    stationary.

    Attributes
    ----------
    gap, objective : float
    dual : float
        Value of the dual point that this x gave; -inf where there is no bound.
    descent : array
        Minus the gradient of the smooth part at x, by W.
    Z : array or None
        Free coefficients.
    majorant : Reweighted or None
        That convex problem.
    """

    gap: float
    objective: float
    dual: float
    descent: Any
    Z: Any
    majorant: Any = None


class Problem:
    """``min f(W) + Omega(x)`` for a design, the losses of its tasks, labels, label weights and a penalty.

    Parameters
    ----------
    design : Design
    losses : TaskLosses
    y, weights : arrays of labels
        ``weights`` holds everything that multiplies a loss; zero for a label that is not observed. It may have one
        column standing for all.
    penalty : Penalty
    constant : float
        Added to primal and dual objective alike (what a reduction of the rows has split off).
    """

    #: whether the smooth part is a sum over labels, of loss times weight
    separable = True

    def __init__(self, design, losses, y, weights, penalty, constant=0.0):
        self.design, self.losses, self.y, self.weights = design, losses, y, weights
        self.constant = constant
        self.xp = design.namespace
        self.column_weights = losses.expand(weights)
        self._known = {}  # what does not depend on the strength; shared by all copies made by with_penalty
        self.free = None if design.U is None else FreeDirections(design, losses, y, weights)
        self.common = None
        self._take_penalty(penalty)

    def _take_penalty(self, penalty):
        """Set the penalty with its two sides: what has a proximal operator, and the matrix of a smooth coupling."""
        M, N = (find(self.design.n_columns) for find in (penalty.smooth_coupling, penalty.null_columns))
        self.penalty, self.proximable = penalty, penalty.proximable
        self.coupling = None if M is None else self.xp.asarray(M, dtype=self.design.dtype)
        self.stiffness = 0.0 if M is None else max(1, len(penalty.part_names)) * float(np.linalg.eigvalsh(M)[-1])
        if (N is None) != (self.common is None) or N is not None and N.shape != self.common.N.shape:
            from mtlreg.common import CommonDirections

            self._known = {}
            self.common = None if N is None else CommonDirections(self, N)

    # -- variables -------------------------------------------------------------------------------------------

    @property
    def zero(self):
        """x = 0: (n_features, n_columns), with a first axis of parts for a compound penalty."""
        parts = len(self.penalty.part_names)
        shape = self.design.shape_w
        return self.xp.zeros((parts, *shape) if parts else shape, dtype=self.design.dtype)

    def own(self, x):
        """x where this problem is: on the host, if moments there stand for rows elsewhere."""
        return x if type(x) is type(self.y) else self.xp.asarray(to_host(x))

    def total(self, x):
        """W of x."""
        return self.xp.sum(x, axis=0) if x.ndim == 3 else x

    def spread(self, G):
        """A gradient by W as one by x: every part gets the same."""
        parts = len(self.penalty.part_names)
        return self.xp.broadcast_to(G, (parts, *G.shape)) if parts else G

    @property
    def one_gram(self):
        """Whether one Gram matrix serves all tasks: shared rows, and one weight of a row, one centre, one scale."""
        single = (self.weights, self.design.centre, self.design.inverse_scale)
        return type(self.design) is SharedDesign and all(a is None or a.shape[-1] == 1 for a in single)

    # -- smooth part -----------------------------------------------------------------------------------------

    def predictors(self, x):
        """``D W``."""
        return self.design.matvec(self.total(x))

    def smooth(self, eta, Z=None):
        """The smooth part at predictors ``eta`` of the penalised coefficients, free directions minimised out."""
        eta, Z = self.settled(eta, Z)
        value = self.losses.total(self.y, eta, self.weights) + self.constant
        return Point(value, Z, self.derivative(eta), eta)

    def settled(self, eta, Z=None):
        """Predictors with the part of the free directions, minimised out; and the free coefficients."""
        if self.free is None:
            return eta, Z
        # under squared loss the residualised design is orthogonal to U: the best Z is the same for every W
        if self.losses.quadratic and "null" in self._known:
            Z = self.null.Z
        else:
            Z, _ = self.free.solve(eta, self.free.zero if Z is None else Z)
        return eta + self.free.predictor(Z), Z

    def derivative(self, eta):
        """Derivative of the losses by every predictor, the part of the free directions included in ``eta``."""
        return self.losses.derivative(self.y, eta, self.weights)

    def gradient(self, u):
        """Gradient of the losses by W."""
        return self.design.rmatvec(u)

    def pull(self, W):
        """Gradient ``W M`` of the smooth coupling by W; 0.0 where there is none."""
        return 0.0 if self.coupling is None else W @ self.coupling

    # -- certificate -----------------------------------------------------------------------------------------

    def known(self, name, compute):
        """``compute()``, once for this problem under whatever penalty."""
        if name not in self._known:
            self._known[name] = compute()
        return self._known[name]

    @property
    def null(self):
        """The smooth part at W = 0 (at `origin`, to be exact); its value is F0, the scale of every tolerance."""
        return self.known("null", self._find_null)[1]

    @property
    def origin(self):
        """x = 0, or the best x of those that a coupling does not penalise: the limit for large strengths."""
        return self.zero if self.common is None else self.known("null", self._find_null)[0]

    def _find_null(self):
        zero = self.xp.zeros(self.design.shape_w, dtype=self.design.dtype)
        start = None if self.free is None else self.free.start
        if self.common is not None:
            return self.common.minimise(start)
        return zero, self.smooth(self.design.matvec(zero), start)

    @property
    def fitted_at_zero(self):
        """Whether the free directions alone fit the labels, so that F0 holds nothing but rounding.

        F0 counts as rounding if predictors a few units in the last place away change it by a tenth.
        """
        return self.known("fitted_at_zero", self._is_fitted_at_zero)

    def _is_fitted_at_zero(self):
        if self.free is None and self.common is None:  # predictors are zero, and F0 is exact
            return False
        value, eta = self.null.value, self.null.eta
        if self.losses.quadratic and self.separable:  # a bound on the change below, for one pass over the labels
            size = self._sum(self.weights * eta * eta)
            if 8 * float(self.xp.finfo(self.design.dtype).eps) * (2 * size) ** 0.5 < 0.05 * value**0.5:
                return False
        for shift in (-8, 8):
            near = eta * (1 + shift * float(self.xp.finfo(self.design.dtype).eps))
            change = self.losses.total(self.y, near, self.weights) + self.constant - value
            if value <= 0 or abs(change) > 0.1 * value:
                return True
        return False

    @property
    def null_gradient(self):
        """Gradient by W at W = 0, from which alpha_max comes."""
        return self.known("null_gradient", self._find_null_gradient)

    def _find_null_gradient(self):
        G = self.gradient(self._null_dual)
        return G if self.common is None else self.common.split(G, self.null.u)[0]

    @property
    def alpha_max(self):
        """The smallest strength for which W = 0 is optimal."""
        return self.penalty.alpha_max(self.null_gradient)

    def certify(self, x, Z=None):
        """Certificate of x: predictors recomputed from x, free directions solved, dual point scaled."""
        if not self.penalty.convex:
            from mtlreg.reweighting import certify_stationarity

            return certify_stationarity(self, x, Z)
        point = self.smooth(self.predictors(x), Z)
        pull, energy = self._coupled(self.total(x))
        objective = point.value + self.proximable.value(x) + energy
        u, V = self._dual_point(point, pull)
        dual = self._dual_value(u, V, energy)
        if dual == -float("inf") and (self.free is not None or self.common is not None):
            u, V = self._dual_point(point, pull, inside=True)
            dual = self._dual_value(u, V, energy)
        if dual == -float("inf"):
            dual = self._interior_dual_value(u, V, energy)
        if self.free is not None and not self.free.orthogonal(u, point.u):
            dual = -float("inf")
        if dual == -float("inf"):  # u is no dual point, or nothing but rounding: zero is one
            dual = self._dual_value(0 * point.u, self.xp.zeros(self.design.shape_w, dtype=self.design.dtype), 0.0)
        return Certificate(max(objective - dual, 0.0), objective, dual, V, point.Z)

    def bound(self, W, coupled):
        """Value of the dual point that the losses have at W, and the coupling at other coefficients."""
        pull, energy = self._coupled(coupled)
        u, V = self._dual_point(self.smooth(self.design.matvec(W)), pull)
        return self._dual_value(u, V, energy)

    def _coupled(self, W):
        """Gradient ``W M`` of the smooth coupling, and its value."""
        pull = self.pull(W)
        return pull, 0.0 if self.coupling is None else 0.5 * self._sum(pull * W)

    def _orthogonal(self, point, inside=False):
        """The derivative ``u`` at a point, made orthogonal to free and common directions."""
        u = point.u
        for directions in (self.free, self.common):
            if directions is not None:
                u = directions.project_inside(u, point.eta) if inside else directions.project(u)
        return u

    def _dual_point(self, point, pull, inside=False):
        """``u`` orthogonal to free and common directions, and ``V = -D' u - pull``, infinite if that failed."""
        u = self._orthogonal(point, inside)
        V = self.gradient(-u)
        if self.common is not None:
            V, orthogonal = self.common.split(V, point.u)
            V = V if orthogonal else V + self.xp.asarray(self.xp.inf, dtype=V.dtype)
        return u, V if self.coupling is None else V - pull

    def _dual_value(self, u, V, energy):
        """Of u and V, with the coupling's part of conjugate ``energy``, scaled together."""
        if not isfinite(self._sum(V)):
            return -float("inf")
        scale, conjugate = self.proximable.dual(V)
        value = self.losses.conjugate_total(self.y, self.divide(scale * u), self.weights)
        return self.constant - value - conjugate - scale**2 * energy

    def _interior_dual_value(self, u, V, energy):
        # rounding in the projection can push a saturated label just outside the conjugate's domain; the null model's
        # dual point is well inside
        for mix in (1e-15, 1e-13, 1e-11, 1e-9, 1e-7):
            inner = (1 - mix) * u + mix * self._null_dual
            inner_V = (1 - mix) * V - mix * self.null_gradient
            value = self._dual_value(inner, inner_V, (1 - mix) ** 2 * energy)
            if value > -float("inf"):
                return value
        return -float("inf")

    @property
    def _null_dual(self):
        return self.known("null_dual", self._find_null_dual)

    def _find_null_dual(self):
        u = self._orthogonal(self.null)
        inside = self.losses.conjugate_total(self.y, self.divide(u), self.weights) < float("inf")
        return u if inside else self._orthogonal(self.null, inside=True)

    def divide(self, u):
        """``u`` by the label weights: the argument of the losses' conjugates."""
        w = self.column_weights
        return self.xp.where(w > 0, u / self.xp.where(w > 0, w, self.xp.ones_like(w)), self.xp.zeros_like(u))

    def _sum(self, a):
        return float(array_namespace(a).sum(a, dtype=self.xp.float64))

    # -- variants --------------------------------------------------------------------------------------------

    def with_penalty(self, penalty):
        """The same data under another penalty; what was computed for W = 0 is kept."""
        other = copy.copy(self)
        other._take_penalty(penalty)
        return other

    def with_alpha(self, alpha):
        """The same problem at another strength."""
        return self.with_penalty(self.penalty.with_alpha(alpha))

    def reweighted(self, weights):
        """The convex problem in which row j of W has the weight j, with the maps between the two: a `Reweighted`.

        Weights (n_features,) are >= 0; 0 frees a row, inf holds it at zero. For penalties that are not convex.
        """
        from mtlreg.reweighting import Reweighted

        return Reweighted(self, weights)

    def with_design(self, design, penalty):
        """The same labels for other coefficients: another design, with its free directions, and their penalty."""
        return Problem(design, self.losses, self.y, self.weights, penalty, self.constant)

    def restrict(self, features):
        """The problem with all other rows of W held at zero. Its null model is the same."""
        other = copy.copy(self)
        other.design = self.design.restrict(features)
        other._known = {"null": (None, self.null)}
        return other

    def restated(self, design, losses, y, weights, squares):
        """The same problem on other rows, for squared loss; ``squares`` (n_tasks,) are the sums they stand for.

        Those of the residuals at W = 0: whatever of them is not in ``y`` is a constant.
        """
        constant = 0.5 * (float(squares.sum()) - float((y * y).sum()))
        return Problem(design, losses, y, weights, self.penalty, constant)

    # -- step sizes ------------------------------------------------------------------------------------------

    def lipschitz(self, eta=None):
        """An estimate of the Lipschitz constant of the gradient by x (at the null model for unbounded curvature)."""
        parts = max(1, len(self.penalty.part_names))
        return parts * self.design.largest_eigenvalue(self.curvature(self.null.eta if eta is None else eta))

    def bend(self, point, share=1.0):
        """A share of what the second derivative at a point is less than `curvature`: a function of a label array.

        None where they are equal.
        """
        return None

    def curvature(self, eta):
        """``weight l''`` of every column: the bound where there is one, else the value at ``eta``."""
        if self.losses.smooth_bounded:
            return self.losses.curvature(self.weights)
        xp = self.xp
        parts = []
        for s in self.losses.segments:
            e = eta[..., s.columns]
            w = self.column_weights[..., s.columns] if self.column_weights.shape[-1] != 1 else self.column_weights
            if s.loss.curvature is None:
                parts.append(w * s.loss.hessian(self.y[..., s.labels], e))
            else:
                parts.append(s.loss.curvature * w * xp.ones_like(e))
        return parts[0] if len(parts) == 1 else xp.concat(parts, axis=-1)
