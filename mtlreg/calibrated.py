"""Calibrated regression: the root of each task's sum of squares in the place of the sum, in the concomitant form.

    P(x) = min_Z  sum_t h_t(rho_t)  +  Omega(x)           rho_t = sqrt(sum_i v_i r_i^2), v_i the label weights of task t

    h_t(rho) = min_{sigma >= s_t}  rho^2 / (2 sigma) + sigma / 2        which is rho wherever rho >= s_t

    D(u) = sum_t [ -<u_t, y_t> + s_t (1 - |beta_t|^2) / 2 ] - Omega*(-D' u)     beta_i = u_i / sqrt(v_i), |beta_t| <= 1

The gradient is that of the squared loss with label weights ``v_i / sigma_t``, which lies above ``h_t`` and touches it
where sigma_t was taken; free directions are the same for every sigma. The floor s_t keeps the gradient continuous where
a task is fitted exactly, as it can be with fewer rows than features.
"""

from __future__ import annotations

from math import isfinite

from mtlreg.problem import Point, Problem
from mtlreg.validation import to_host

__all__ = ["CalibratedProblem"]


class CalibratedProblem(Problem):
    """The problem of the module's text.

    Parameters
    ----------
    design, losses, y, weights, penalty
        As of a `Problem`; all losses are squared.
    sigma_min : float
        See `mtlreg.losses.Calibrated`.
    floor : array (n_tasks,), default=None
        s_t; None: from ``sigma_min``.
    squares : array (n_tasks,), default=None
        Added to ``rho_t^2`` (what a reduction of the rows has split off); None: nothing.
    """

    separable = False

    def __init__(self, design, losses, y, weights, penalty, sigma_min=1e-2, *, floor=None, squares=None):
        super().__init__(design, losses, y, weights, penalty)
        xp = self.xp
        self._ones = xp.ones((design.n_rows, 1), dtype=design.dtype)
        n_tasks = design.n_columns
        self.squares = xp.zeros((n_tasks,), dtype=xp.float64) if squares is None else squares
        self.floor = self._find_floor(sigma_min) if floor is None else floor

    def _find_floor(self, sigma_min):
        """s_t: a share of rho_t at W = 0, or where that is rounding a share of the mean over the other tasks."""
        xp = self.xp
        zero = xp.zeros(self.design.shape_w, dtype=self.design.dtype)
        eta, _ = self.settled(self.design.matvec(zero), None if self.free is None else self.free.start)
        roots, fitted = self.roots(eta), self._fitted(eta)
        count = max(int(xp.sum(xp.astype(~fitted, xp.int64))), 1)
        mean = float(xp.sum(xp.where(fitted, 0.0, roots))) / count
        least = float(xp.finfo(self.design.dtype).smallest_normal) ** 0.5
        return sigma_min * xp.clip(xp.where(fitted, mean, roots), min=least)

    # -- tasks -----------------------------------------------------------------------------------------------

    def _by_task(self, per_label):
        """Sums over the labels of each task, (n_tasks,), in float64."""
        xp = self.xp
        ones = xp.astype(self._ones, xp.float64)
        (segment,) = self.losses.segments
        return self.design.group_sums(ones, xp.astype(per_label, xp.float64), segment)[0, :]

    def by_label(self, per_task):
        """One number a task as it multiplies a label array."""
        return self.design.apply(self._ones, self.xp.astype(per_task, self.design.dtype)[None, :])

    def roots(self, eta):
        """rho_t at predictors ``eta``, those of the free directions included."""
        residual = self.xp.astype(self.y - eta, self.xp.float64)
        return self.xp.sqrt(self._by_task(self.weights * residual**2) + self.squares)

    def noise(self, eta):
        """sigma_t at predictors ``eta``, those of the free directions included."""
        return self.xp.maximum(self.roots(eta), self.floor)

    def noise_at(self, x, Z=None):
        """sigma_t at x."""
        return self.noise(self.settled(self.predictors(x), Z)[0])

    def noise_scale(self, x, Z=None):
        """sigma_t at x in the units of y: ``sigma_t / sqrt(sum_i v_i)``, a root mean square."""
        weights = self.weights * self.xp.ones_like(self.y)
        return self.noise_at(x, Z) / self.xp.sqrt(self._by_task(weights))

    # -- the objective ---------------------------------------------------------------------------------------

    def smooth(self, eta, Z=None):
        """The smooth part at predictors ``eta`` of the penalised coefficients, free directions minimised out."""
        eta, Z = self.settled(eta, Z)
        roots = self.roots(eta)
        sigma = self.xp.maximum(roots, self.floor)
        value = float(self.xp.sum(roots * (roots / sigma) + sigma)) / 2
        return Point(value, Z, self.derivative(eta) / self.by_label(sigma), eta)

    def curvature(self, eta):
        """``v / sigma_t`` at ``eta``: that of a quadratic function which touches there and lies above everywhere."""
        return self.weights / self.by_label(self.noise(eta))

    def bend(self, point, share=1.0):
        """A share of what the second derivative at a point is less than `curvature`: a function of a label array.

        The whole is ``u_t <u_t, a_t> / sigma_t`` where sigma_t moves with the residual, for ``h_t`` is a length there.
        """
        roots = self.roots(point.eta)
        factor = self.xp.where(roots > self.floor, share / self.xp.maximum(roots, self.floor), 0.0)
        return lambda a: point.u * self.by_label(factor * self._by_task(point.u * a))

    def _is_fitted_at_zero(self):
        return bool(self.xp.all(self._fitted(self.null.eta)))

    def _fitted(self, eta):
        """Per task: whether rho_t at ``eta`` is nothing but rounding (see `fitted_at_zero`)."""
        xp, roots = self.xp, self.roots(eta)
        fitted = roots <= 0
        for shift in (-8, 8):
            near = self.roots(eta * (1 + shift * float(xp.finfo(self.design.dtype).eps)))
            fitted = fitted | (xp.abs(near - roots) > 0.05 * roots)
        return fitted

    # -- certificate -----------------------------------------------------------------------------------------

    def _dual_value(self, u, V, energy):
        xp = self.xp
        if not isfinite(self._sum(V)):
            return -float("inf")
        lengths = self._by_task(self.divide(u) * u)  # |beta_t|^2; what is above 1 is rounding, or a projection's
        inside = 1 / max(1.0, float(xp.max(lengths))) ** 0.5
        scale, conjugate = self.proximable.dual(inside * V)
        scale *= inside
        lengths = xp.minimum(scale**2 * lengths, 1.0)
        # the labels split off stand for one more of residual sqrt(squares), whose dual variable is at its best
        split = xp.sqrt(self.squares)
        extra = xp.minimum(split / self.floor, xp.sqrt(1 - lengths))
        value = xp.sum(extra * split - 0.5 * self.floor * (lengths + extra**2 - 1))
        return float(value) - scale * self._sum(u * self.y) - conjugate - scale**2 * energy

    # -- variants --------------------------------------------------------------------------------------------

    def with_design(self, design, penalty):
        known = {"floor": self.floor, "squares": self.squares}
        return CalibratedProblem(design, self.losses, self.y, self.weights, penalty, **known)

    def restated(self, design, losses, y, weights, squares):
        known = {"floor": to_host(self.floor), "squares": squares}
        other = CalibratedProblem(design, losses, y, weights, self.penalty, **known)
        other.squares = other.xp.clip(squares - other._by_task(weights * y * y), min=0.0)
        return other
