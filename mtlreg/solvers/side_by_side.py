"""Problems of one design side by side, as columns of one problem: strengths, and training parts of the same rows.

    min over W_1, ..., W_C  sum_c  f_part(c)(W_c) + Omega_c(W_c)        Omega_c = alpha_c N + (ridge / 2) |.|_F^2

N is a norm that is a sum over rows, so that one proximal operator of strength 1 serves all:

    prox_{a N}(V) = a prox_N(V / a).

What is known of each problem (objective, dual value, strength of the dual point) is an entry of an array.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace

from mtlreg.designs import SharedDesign
from mtlreg.kernels import for_array
from mtlreg.kernels.generic.steps import by_problem
from mtlreg.problem import Point, Problem
from mtlreg.task_losses import Segment, TaskLosses

__all__ = ["RowNorms", "SideBySide", "applies"]

ROUNDING = 64  # units in the last place, by which dual points stay inside


def applies(problem):
    """Whether a problem can stand beside others.

    One loss of bounded curvature and with one column a label, on rows that all tasks share, and a norm of rows, with or
    without a ridge.
    """
    penalty, losses = problem.penalty, problem.losses
    rows = penalty.convex and len(penalty.row_kernels()) == 1 and not penalty.part_names
    smooth = problem.separable and losses.smooth_bounded and losses.scalar and len(losses.segments) == 1
    return bool(rows and smooth and problem.coupling is None and type(problem.design) is SharedDesign)


@dataclass
class Certificates:
    """What is proved of problems side by side: ``objectives - optima <= objectives - duals``, float64 (n_problems,).

    ``ratios`` (n_features, n_problems) are above 1 where a dual point, before it is scaled, violates its constraint;
    Z are the free coefficients.
    """

    objectives: Any
    duals: Any
    ratios: Any
    Z: Any


class SideBySide(Problem):
    """Copies of problems, each at a strength.

    Parameters
    ----------
    problems : list of Problem
        Those that differ in labels, weights, centres and scales, on the same X; see `applies`.
    parts : list of int
        For each copy, which of them.
    alphas : list of float
        For each copy, its strength.
    """

    def __init__(self, problems, parts, alphas):
        first, count = problems[0], len(parts)
        chosen = [problems[part] for part in parts]
        self.count = count
        design = copy.copy(first.design)
        design.n_columns = count * first.design.n_columns
        for name in ("centre", "inverse_scale"):
            setattr(design, name, _beside([getattr(problem.design, name) for problem in chosen], first))
        every = slice(0, design.n_columns)
        losses = TaskLosses([Segment(first.losses.segments[0].loss, 1, every, every, every)])
        y = first.xp.concat([problem.y for problem in chosen], axis=1)
        weights = _beside([problem.weights for problem in chosen], first)
        super().__init__(design, losses, y, weights, first.penalty)
        self.proximable = RowNorms(first.penalty.with_alpha(1.0), self.xp.asarray(alphas, dtype=design.dtype))
        Z = None if self.free is None else self.xp.concat([problem.null.Z for problem in chosen], axis=1)
        self._known = {"null": (None, Point(sum(problem.null.value for problem in chosen), Z, None, None))}

    def certificates(self, x, Z):
        """`Certificates` of all problems at x."""
        xp, eta = self.xp, self.predictors(x)
        if self.free is not None:
            Z = self.null.Z if self.losses.quadratic else self.free.solve(eta, Z)[0]
            eta = eta + self.free.predictor(Z)
        objectives = self._sums(self.weights * self.losses.value(self.y, eta)) + self.proximable.values(x)
        u = self.derivative(eta)
        if self.free is None:
            return Certificates(objectives, *self._duals(u), Z)
        best = xp.full_like(objectives, -xp.inf)
        for project in (self.free.project, lambda u: self.free.project_inside(u, eta)):
            projected = project(u)
            duals, ratios = self._duals(projected)
            if self.free.orthogonal(projected, u):
                best = xp.maximum(best, duals)
            if bool(xp.all(xp.isfinite(best))):
                break
        return Certificates(objectives, best, ratios, Z)

    def _duals(self, u):
        """Values of dual points, and how near each row of theirs is to its constraint."""
        scale, conjugates, ratios = self.proximable.duals(self.gradient(-u))
        v = self.divide(u * self.xp.repeat(scale, u.shape[1] // self.count))
        return -self._sums(self.weights * self.losses.conjugate(self.y, v)) - conjugates, ratios

    def _sums(self, a):
        return self.xp.sum(by_problem(a, self.count), axis=(0, 2), dtype=self.xp.float64)


class RowNorms:
    """Norms of rows with a strength for each of the problems side by side, in the place of a penalty.

    Parameters
    ----------
    penalty : RowPenalty
        At strength 1.
    alphas : array (n_problems,)
        > 0.
    """

    def __init__(self, penalty, alphas):
        ((self.entry, self.row, self.q, self.ridge, self.positive),) = penalty.row_kernels()
        self.alphas, self.count = alphas, alphas.shape[0]

    def prox(self, V, step):
        """Proximal operators of ``step Omega_c``."""
        shrink = 1.0 / (1.0 + step * self.ridge)
        return self._norm_prox(shrink * V if self.ridge else V, step * shrink)

    def _norm_prox(self, V, step):
        xp, width = array_namespace(V), V.shape[1] // self.count
        levels = xp.repeat(step * self.alphas, width)
        rows = xp.reshape(V / levels, (-1, width))
        shrunk = for_array(rows).shrink_rows(rows, self.entry, self.row, self.q, self.positive)
        return xp.reshape(shrunk, V.shape) * levels

    def values(self, W):
        """``Omega_c(W_c)``, float64 array (n_problems,)."""
        xp = array_namespace(W)
        rows = xp.reshape(W, (-1, W.shape[1] // self.count))
        norms = [w * for_array(W).row_norms(rows, q) for w, q in ((self.entry, 1.0), (self.row, self.q)) if w]
        total = xp.sum(xp.reshape(sum(norms), (-1, self.count)), axis=0, dtype=xp.float64)
        return self._double(self.alphas) * total + 0.5 * self.ridge * self._squares(W)

    def duals(self, V):
        """Largest scales with which V_c are in the domains of the conjugates, these there, and ratios.

        The ratios (n_features, n_problems) are those of the dual norm of every row to its problem's strength.
        """
        xp, total = array_namespace(V), self.entry + self.row
        rows = xp.reshape(V, (-1, V.shape[1] // self.count))
        alphas = xp.maximum(self._double(self.alphas), float(xp.finfo(xp.float64).smallest_normal))
        strengths = for_array(V).row_strengths(rows, self.entry / total, self.q, self.positive)
        ratios = xp.reshape(strengths, (-1, self.count)) / (total * alphas)
        if self.ridge:
            W = self._norm_prox(V / self.ridge, 1.0 / self.ridge)
            return xp.ones_like(self.alphas), 0.5 * self.ridge * self._squares(W), ratios
        largest, room = xp.max(ratios, axis=0), 1 - ROUNDING * float(xp.finfo(V.dtype).eps)
        scale = xp.where(largest > room, room / xp.where(largest > 0, largest, xp.ones_like(largest)), 1.0)
        return xp.astype(scale, V.dtype), xp.zeros_like(scale), ratios

    def _squares(self, W):
        xp = array_namespace(W)
        return xp.sum(by_problem(W * W, self.count), axis=(0, 2), dtype=xp.float64)

    @staticmethod
    def _double(a):
        return array_namespace(a).astype(a, array_namespace(a).float64)


def _beside(arrays, problem):
    """Arrays with an axis of columns side by side; the one array itself where it has one column for all of them."""
    if arrays[0] is None or all(a is arrays[0] and a.shape[-1] == 1 for a in arrays):
        return arrays[0]
    xp, width = problem.xp, problem.design.n_columns
    return xp.concat([xp.broadcast_to(a, (*a.shape[:-1], width)) for a in arrays], axis=-1)
