"""The optimisation problem and its certificate.

    P(x) = min_Z  sum_i weight_i l(y_i, (D W)_i + (U Z)_i)  +  Omega(x),        W = x, or the sum of x's parts

    D(u) = - sum_i weight_i l*(y_i, u_i / weight_i) - Omega*(-D' u)     for every u with U' u = 0

Free directions Z (intercepts, unpenalised features) are minimised out exactly before anything is certified. The dual
point is the loss's gradient, made orthogonal to U and scaled into the domain of the conjugate of Omega.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace

from mtlreg.free import FreeDirections

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

    Attributes
    ----------
    gap, objective : float
    dual : float
        Value of the dual point that this x gave.
    gradient : array
        Of the smooth part at x, by W.
    Z : array or None
        Free coefficients.
    """

    gap: float
    objective: float
    dual: float
    gradient: Any
    Z: Any


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

    def __init__(self, design, losses, y, weights, penalty, constant=0.0):
        self.design, self.losses, self.y, self.weights = design, losses, y, weights
        self.penalty = penalty
        self.constant = constant
        self.xp = design.namespace
        self.column_weights = losses.expand(weights)
        self._known = {}  # what does not depend on the penalty; shared by all copies made by with_penalty
        self.free = None if design.U is None else FreeDirections(design, losses, y, weights)

    # -- variables -------------------------------------------------------------------------------------------

    @property
    def zero(self):
        """x = 0: (n_features, n_columns), with a first axis of parts for a compound penalty."""
        parts = len(self.penalty.part_names)
        shape = self.design.shape_w
        return self.xp.zeros((parts, *shape) if parts else shape, dtype=self.design.dtype)

    def total(self, x):
        """W of x."""
        return self.xp.sum(x, axis=0) if x.ndim == 3 else x

    def spread(self, G):
        """A gradient by W as one by x: every part gets the same."""
        parts = len(self.penalty.part_names)
        return self.xp.broadcast_to(G, (parts, *G.shape)) if parts else G

    # -- smooth part -----------------------------------------------------------------------------------------

    def predictors(self, x):
        """``D W``."""
        return self.design.matvec(self.total(x))

    def smooth(self, eta, Z=None, precision=0.0):
        """The smooth part at predictors ``eta`` of the penalised coefficients, free directions minimised out.

        ``precision`` is that of the minimum over the free directions, 0 for as exact as can be.
        """
        if self.free is not None:
            # under squared loss the residualised design is orthogonal to U: the best Z is the same for every W
            if self.losses.quadratic and "null" in self._known:
                Z = self.null.Z
            else:
                Z, _ = self.free.solve(eta, self.free.zero if Z is None else Z, precision)
            eta = eta + self.free.predictor(Z)
        value = self._sum(self.weights * self.losses.value(self.y, eta)) + self.constant
        u = self.column_weights * self.losses.gradient(self.y, eta)
        return Point(value, Z, u, eta)

    def gradient(self, u):
        """Gradient of the smooth part by W."""
        return self.design.rmatvec(u)

    # -- certificate -----------------------------------------------------------------------------------------

    def known(self, name, compute):
        """``compute()``, once for this problem under whatever penalty."""
        if name not in self._known:
            self._known[name] = compute()
        return self._known[name]

    @property
    def null(self):
        """The smooth part at W = 0; its value is F0, the scale of every tolerance."""
        return self.known("null", self._find_null)

    def _find_null(self):
        zero = self.xp.zeros(self.design.shape_w, dtype=self.design.dtype)
        return self.smooth(self.design.matvec(zero), None if self.free is None else self.free.start)

    @property
    def fitted_at_zero(self):
        """Whether the free directions alone fit the labels, so that F0 is 0 or holds nothing but rounding.

        F0 counts as rounding if predictors a few units in the last place away change it by a tenth.
        """
        return self.known("fitted_at_zero", self._is_fitted_at_zero)

    def _is_fitted_at_zero(self):
        value, eta = self.null.value, self.null.eta
        for shift in (-8, 8):
            near = eta * (1 + shift * float(self.xp.finfo(self.design.dtype).eps))
            change = self._sum(self.weights * self.losses.value(self.y, near)) + self.constant - value
            if value <= 0 or abs(change) > 0.1 * value:
                return True
        return False

    @property
    def null_gradient(self):
        """Gradient by W at W = 0, from which alpha_max comes."""
        return self.known("null_gradient", lambda: self.gradient(self._null_dual))

    @property
    def alpha_max(self):
        """The smallest strength for which W = 0 is optimal."""
        return self.penalty.alpha_max(self.null_gradient)

    def certify(self, x, Z=None):
        """Certificate of x: predictors recomputed from x, free directions solved, dual point scaled."""
        point = self.smooth(self.predictors(x), Z)
        u = point.u if self.free is None else self.free.project(point.u)
        G = self.gradient(u)
        objective = point.value + self.penalty.value(x)
        dual = self._dual_value(u, G)
        if dual == -float("inf") and self.free is not None:
            u = self.free.project_inside(point.u, point.eta)
            G = self.gradient(u)
            dual = self._dual_value(u, G)
        if dual == -float("inf"):
            dual = self._interior_dual_value(u, G)
        if self.free is not None and not self.free.orthogonal(u, point.u):
            dual = -float("inf")  # no dual point: nothing is proved here
        return Certificate(max(objective - dual, 0.0), objective, dual, G, point.Z)

    def _dual_value(self, u, G):
        scale, conjugate = self.penalty.dual(-G)
        v = self._divide(scale * u)
        value = self._sum(self.weights * self.losses.conjugate(self.y, v))
        return self.constant - value - conjugate

    def _interior_dual_value(self, u, G):
        # rounding in the projection can push a saturated label just outside the conjugate's domain; the null model's
        # dual point is well inside
        for mix in (1e-15, 1e-13, 1e-11, 1e-9, 1e-7):
            inner = (1 - mix) * u + mix * self._null_dual
            value = self._dual_value(inner, (1 - mix) * G + mix * self.null_gradient)
            if value > -float("inf"):
                return value
        return -float("inf")

    @property
    def _null_dual(self):
        return self.known("null_dual", self._find_null_dual)

    def _find_null_dual(self):
        point = self.null
        if self.free is None:
            return point.u
        u = self.free.project(point.u)
        inside = self._sum(self.weights * self.losses.conjugate(self.y, self._divide(u))) < float("inf")
        return u if inside else self.free.project_inside(point.u, point.eta)

    def _divide(self, u):
        w = self.column_weights
        return self.xp.where(w > 0, u / self.xp.where(w > 0, w, self.xp.ones_like(w)), self.xp.zeros_like(u))

    def _sum(self, a):
        return float(array_namespace(a).sum(a, dtype=self.xp.float64))

    # -- variants --------------------------------------------------------------------------------------------

    def with_penalty(self, penalty):
        """The same data under another penalty; what was computed for W = 0 is kept."""
        other = copy.copy(self)
        other.penalty = penalty
        return other

    def with_alpha(self, alpha):
        """The same problem at another strength."""
        return self.with_penalty(self.penalty.with_alpha(alpha))

    def restrict(self, features):
        """The problem with all other rows of W held at zero. Its null model is the same."""
        other = copy.copy(self)
        other.design = self.design.restrict(features)
        other._known = {"null": self.null}
        return other

    # -- step sizes ------------------------------------------------------------------------------------------

    def lipschitz(self, eta=None):
        """An estimate of the Lipschitz constant of the gradient by x (at the null model for unbounded curvature)."""
        parts = max(1, len(self.penalty.part_names))
        return parts * self.design.largest_eigenvalue(self.curvature(self.null.eta if eta is None else eta))

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
