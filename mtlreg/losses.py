"""Losses of one label: value, derivatives, convex conjugate, inverse link.

Every loss has its saturated value subtracted, so that its minimum over the linear predictor ``eta`` is 0.
All functions are elementwise, accept any array namespace and never modify their arguments. ``y`` is coded as
numbers: the target itself, 0/1 for the binary losses, 0..K-1 for `Softmax`. They bound by minimum and maximum, for the
``clip`` of array_api_compat waits for the GPU to count the entries that are out of bounds.
"""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import ClassVar

from array_api_compat import array_namespace
from sklearn.base import BaseEstimator

__all__ = [
    "Calibrated",
    "Huber",
    "Logistic",
    "Loss",
    "LOSSES",
    "Poisson",
    "Softmax",
    "Squared",
    "SquaredHinge",
    "as_loss",
]


class Loss(BaseEstimator):
    """Protocol of a loss ``l(y, eta)``; see the module's text for the conventions.

    Subclasses are dataclasses (``eq=False, repr=False``) whose fields are parameters: scikit-learn's ``get_params`` and
    ``set_params`` reach them, so that ``loss__threshold`` works in a grid for ``loss=Huber()``.

    Attributes
    ----------
    name : str
    curvature : float or None
        ``sup l''`` over ``eta``; None when unbounded (solvers then search for the step).
    kind : {"regression", "binary", "multiclass", "count"}
        What ``y`` may be.
    probabilistic : bool
        Whether ``inverse_link(eta)`` is a probability.
    attained : bool
        Whether the minimum over ``eta`` is reached at a finite value for every ``y``.
    """

    name: ClassVar[str] = ""
    curvature: ClassVar[float | None] = None
    kind: ClassVar[str] = "regression"
    probabilistic: ClassVar[bool] = False
    attained: ClassVar[bool] = True

    def value(self, y, eta):
        """``l(y, eta)``, elementwise."""
        raise NotImplementedError

    def gradient(self, y, eta):
        """``dl / d eta``, elementwise."""
        raise NotImplementedError

    def hessian(self, y, eta):
        """``d2l / d eta2`` (a generalised one where the loss has a kink in its derivative)."""
        raise NotImplementedError

    def conjugate(self, y, v):
        """``sup_eta v eta - l(y, eta)``; ``inf`` outside its domain."""
        raise NotImplementedError

    def inverse_link(self, eta):
        """The conditional mean as a function of ``eta``."""
        return eta

    def constant(self, mean):
        """A predictor near the best constant one for labels of this mean, where a search begins."""
        return mean if self.kind == "regression" else 0 * mean

    def check(self, y, where=""):
        """Raise a ValueError if ``y`` holds a value this loss cannot take; ``where`` names the culprit."""


@dataclass(eq=False, repr=False)
class Squared(Loss):
    """``l(y, eta) = (y - eta)^2 / 2``."""

    name: ClassVar[str] = "squared"
    curvature: ClassVar[float | None] = 1.0

    def value(self, y, eta):
        return 0.5 * (y - eta) ** 2

    def gradient(self, y, eta):
        return eta - y

    def hessian(self, y, eta):
        return array_namespace(eta).ones_like(eta)

    def conjugate(self, y, v):
        return v * (0.5 * v + y)


@dataclass(eq=False, repr=False)
class Huber(Loss):
    """``l(y, eta) = r^2 / 2`` for ``|r| <= threshold``, else ``threshold (|r| - threshold / 2)``; ``r = y - eta``.

    Parameters
    ----------
    threshold : float, default=1.35
        In the units of ``y``; positive and finite. With unit noise 1.35 has 95 % efficiency (Huber, 1981): either
        scale y so that the residuals of every task are near 1, or multiply 1.35 by their scale. A threshold far below
        that scale makes the loss nearly that of least absolute deviations, which converges slowly.
    """

    threshold: float = 1.35
    name: ClassVar[str] = "huber"
    curvature: ClassVar[float | None] = 1.0

    def value(self, y, eta):
        xp = array_namespace(eta)
        r = xp.abs(y - eta)
        inside = xp.minimum(r, float(self.threshold))
        return inside * (r - 0.5 * inside)

    def gradient(self, y, eta):
        xp, end = array_namespace(eta), float(self.threshold)
        return xp.minimum(xp.maximum(eta - y, -end), end)

    def hessian(self, y, eta):
        xp = array_namespace(eta)
        return xp.astype(xp.abs(y - eta) <= self.threshold, eta.dtype)

    def conjugate(self, y, v):
        xp = array_namespace(v)
        outside = xp.abs(v) > self.threshold * (1 + 4 * xp.finfo(v.dtype).eps)
        return xp.where(outside, xp.asarray(xp.inf, dtype=v.dtype), v * (0.5 * v + y))

    def check(self, y, where=""):
        threshold = self.threshold
        if isinstance(threshold, bool) or not isinstance(threshold, numbers.Real):
            raise TypeError(f"Huber(threshold={threshold!r}): threshold must be a number.")
        if not 0 < threshold < float("inf"):
            raise ValueError(f"The Huber loss needs a finite threshold > 0, got {threshold!r}.")


def _check_binary(y, loss, where):
    xp = array_namespace(y)
    if not bool(xp.all((y == 0) | (y == 1))):
        raise ValueError(f"The {loss} loss needs labels 0 and 1{where}; use a classifier for other labels.")


@dataclass(eq=False, repr=False)
class Logistic(Loss):
    """``l(y, eta) = log(1 + exp(eta)) - y eta`` for y in {0, 1}."""

    name: ClassVar[str] = "logistic"
    curvature: ClassVar[float | None] = 0.25
    kind: ClassVar[str] = "binary"
    probabilistic: ClassVar[bool] = True
    attained: ClassVar[bool] = False

    def value(self, y, eta):
        xp = array_namespace(eta)
        # log(1 + exp(s)) with s = eta for y = 0 and -eta for y = 1: no cancellation in the tails
        s = (1 - 2 * y) * eta
        return xp.maximum(s, 0.0) + xp.log1p(xp.exp(-xp.abs(s)))

    def gradient(self, y, eta):
        sign = 1 - 2 * y
        return sign * self.inverse_link(sign * eta)

    def hessian(self, y, eta):
        p = self.inverse_link(-array_namespace(eta).abs(eta))
        return p * (1 - p)

    def conjugate(self, y, v):
        # with a = v (y = 0) or -v (y = 1) in [0, 1]: a log a + (1 - a) log(1 - a)
        xp = array_namespace(v)
        a = (1 - 2 * y) * v
        outside = (a < 0) | (a > 1)
        inner = xp.minimum(xp.maximum(a, 0.0), 1.0)
        return xp.where(outside, xp.asarray(xp.inf, dtype=v.dtype), _xlogx(inner) + _xlogx(1 - inner))

    def inverse_link(self, eta):
        xp = array_namespace(eta)
        e = xp.exp(-xp.abs(eta))
        return xp.where(eta >= 0, 1 / (1 + e), e / (1 + e))

    def check(self, y, where=""):
        _check_binary(y, self.name, where)


@dataclass(eq=False, repr=False)
class SquaredHinge(Loss):
    """``l(y, eta) = max(0, 1 - s eta)^2 / 2`` with s = 2 y - 1 for y in {0, 1}."""

    name: ClassVar[str] = "squared_hinge"
    curvature: ClassVar[float | None] = 1.0
    kind: ClassVar[str] = "binary"

    def value(self, y, eta):
        return 0.5 * array_namespace(eta).maximum(1 - (2 * y - 1) * eta, 0.0) ** 2

    def gradient(self, y, eta):
        s = 2 * y - 1
        return -s * array_namespace(eta).maximum(1 - s * eta, 0.0)

    def hessian(self, y, eta):
        return array_namespace(eta).astype((2 * y - 1) * eta < 1, eta.dtype)

    def conjugate(self, y, v):
        xp = array_namespace(v)
        a = (2 * y - 1) * v
        return xp.where(a > 0, xp.asarray(xp.inf, dtype=v.dtype), a * (1 + 0.5 * a))

    def inverse_link(self, eta):
        xp = array_namespace(eta)
        return xp.astype(eta > 0, eta.dtype)

    def check(self, y, where=""):
        _check_binary(y, self.name, where)


@dataclass(eq=False, repr=False)
class Poisson(Loss):
    """``l(y, eta) = exp(eta) - y eta - (y - y log y)`` for counts y >= 0 (log link; half the deviance)."""

    name: ClassVar[str] = "poisson"
    curvature: ClassVar[float | None] = None
    kind: ClassVar[str] = "count"
    attained: ClassVar[bool] = False

    def value(self, y, eta):
        # with d = eta - log y: y (exp(d) - 1 - d), whose terms are small near the minimum
        xp = array_namespace(eta)
        some = y > 0
        d = eta - xp.log(xp.where(some, y, xp.ones_like(y)))
        deviance = y * (xp.expm1(xp.minimum(d, exp_limit(xp, eta))) - d)
        return xp.where(some, deviance, self.hessian(y, eta))

    def gradient(self, y, eta):
        return self.hessian(y, eta) - y

    def constant(self, mean):
        xp = array_namespace(mean)
        return xp.where(mean > 0, xp.log(xp.where(mean > 0, mean, xp.ones_like(mean))), xp.zeros_like(mean))

    def hessian(self, y, eta):
        xp = array_namespace(eta)
        return xp.exp(xp.minimum(eta, exp_limit(xp, eta)))

    def conjugate(self, y, v):
        xp = array_namespace(v)
        m, one = v + y, xp.ones_like(v)
        # m log m - v - y log y, without the large terms for y > 0: m log(1 + v / y) - v + v log y
        some = (y > 0) & (m > 0)
        ratio = xp.where(some, v, 0 * v) / xp.where(some, y, one)
        near = m * xp.log1p(ratio) + v * (xp.log(xp.where(some, y, one)) - 1)
        value = xp.where(some, near, _xlogx(xp.maximum(m, 0.0)) - v - _xlogx(y))
        return xp.where(m < 0, xp.asarray(xp.inf, dtype=v.dtype), value)

    def inverse_link(self, eta):
        return array_namespace(eta).exp(eta)

    def check(self, y, where=""):
        xp = array_namespace(y)
        if bool(xp.any(y < 0)):
            raise ValueError(f"The poisson loss needs y >= 0{where}, got {float(xp.min(y)):g}.")


@dataclass(eq=False, repr=False)
class Softmax(Loss):
    """``l(y, eta) = log sum_k exp(eta_k) - eta_y`` for y in 0..K-1; ``eta`` has a last axis of K columns."""

    name: ClassVar[str] = "softmax"
    curvature: ClassVar[float | None] = 0.5
    kind: ClassVar[str] = "multiclass"
    probabilistic: ClassVar[bool] = True
    attained: ClassVar[bool] = False

    def value(self, y, eta):
        xp = array_namespace(eta)
        top = xp.max(eta, axis=-1, keepdims=True)
        lse = xp.log(xp.sum(xp.exp(eta - top), axis=-1)) + top[..., 0]
        return lse - xp.sum(_one_hot(xp, y, eta) * eta, axis=-1)

    def gradient(self, y, eta):
        return self.inverse_link(eta) - _one_hot(array_namespace(eta), y, eta)

    def hessian(self, y, eta):
        """``diag(p) - p p'``, shape (..., K, K)."""
        p, eye = self.inverse_link(eta), array_namespace(eta).eye(eta.shape[-1], dtype=eta.dtype)
        return p[..., :, None] * (eye - p[..., None, :])

    def conjugate(self, y, v):
        xp = array_namespace(v)
        p, slack = v + _one_hot(xp, y, v), 64 * xp.finfo(v.dtype).eps
        outside = xp.any(p < 0, axis=-1) | (xp.abs(xp.sum(v, axis=-1)) > slack * v.shape[-1])
        value = xp.sum(_xlogx(xp.maximum(p, 0.0)), axis=-1)
        return xp.where(outside, xp.asarray(xp.inf, dtype=v.dtype), value)

    def inverse_link(self, eta):
        xp = array_namespace(eta)
        e = xp.exp(eta - xp.max(eta, axis=-1, keepdims=True))
        return e / xp.sum(e, axis=-1, keepdims=True)


def _xlogx(x):
    xp = array_namespace(x)
    positive = x > 0
    return xp.where(positive, x * xp.log(xp.where(positive, x, xp.ones_like(x))), xp.zeros_like(x))


def exp_limit(xp, eta):
    """What arguments of exp are cut off at: a huge finite value makes every line search reject the point."""
    return 0.9 * math.log(xp.finfo(eta.dtype).max)


def _one_hot(xp, y, eta):
    classes = xp.arange(eta.shape[-1], dtype=y.dtype)
    return xp.astype(y[..., None] == classes, eta.dtype)


@dataclass(eq=False, repr=False)
class Calibrated(BaseEstimator):
    """The root of each task's sum of squares, ``sqrt(c_t sum_{i in t} w_i r_i^2)``, in the place of a loss.

    One strength then suits tasks of any noise level: multiplying a task's labels by a constant multiplies its
    coefficients under a norm of single entries, and leaves open which of them are zero. With sigma_t, the root at the
    solution, the solution is that of the squared loss whose task t counts ``1 / sigma_t`` times. It is no `Loss`, for
    it couples all rows of a task.

    Parameters
    ----------
    sigma_min : float, default=1e-2
        In (0, 1]: the least sigma_t, as a share of the root at W = 0. A task whose root falls below it is fitted by
        least squares: ``min_{sigma >= s} rho^2 / (2 sigma) + sigma / 2`` stands for the root rho. A task whose
        intercept (or unpenalised features) fits it alone takes the mean of the other tasks' roots at W = 0.

    References
    ----------
    Gong, Zhou, Fan & Ye (2014), Efficient multi-task feature learning with calibration, KDD; Sun & Zhang (2012),
    Scaled sparse linear regression, Biometrika 99; Ndiaye, Fercoq, Gramfort, Leclere & Salmon (2017), Efficient
    smoothed concomitant lasso estimation for high dimensional regression, J. Phys. Conf. Ser. 904.
    """

    sigma_min: float = 1e-2
    name: ClassVar[str] = "calibrated"

    def check(self):
        """Raise a ValueError or TypeError if ``sigma_min`` is out of its range."""
        sigma_min = self.sigma_min
        if isinstance(sigma_min, bool) or not isinstance(sigma_min, numbers.Real):
            raise TypeError(f"Calibrated(sigma_min={sigma_min!r}): sigma_min must be a number.")
        if not 0 < sigma_min <= 1:
            raise ValueError(
                f"Calibrated(sigma_min={sigma_min!r}): sigma_min must be in (0, 1], a share of each task's residual at "
                "zero coefficients."
            )


LOSSES = {cls.name: cls for cls in (Squared, Huber, Logistic, SquaredHinge, Poisson, Softmax)}


def as_loss(loss):
    """A `Loss` from its name or an instance.

    Parameters
    ----------
    loss : str or Loss

    Returns
    -------
    Loss

    Raises
    ------
    ValueError
        Listing the names there are.
    """
    if as_calibrated(loss) is not None:
        raise ValueError(
            "loss='calibrated' couples all labels of a task: it is for regressors, and for all their tasks together, "
            "not for some of them in a dict or list."
        )
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, str) and loss in LOSSES:
        return LOSSES[loss]()
    raise ValueError(f"loss={loss!r} is not a loss: give one of {sorted(LOSSES)} or a Loss instance.")


def as_calibrated(loss):
    """A `Calibrated` from its name or an instance, None from anything else."""
    if isinstance(loss, str) and loss == Calibrated.name:
        return Calibrated()
    return loss if isinstance(loss, Calibrated) else None
