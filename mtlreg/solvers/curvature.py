"""Second derivatives of the losses at given predictors, exact and bounded by a diagonal matrix.

References
----------
Bohning (1992), Multinomial logistic regression algorithm, Ann. Inst. Stat. Math. 44, for bounds of softmax's blocks.
"""

from __future__ import annotations

import numpy as np
from array_api_compat import array_namespace

from mtlreg.task_losses import split_columns

__all__ = ["Curvature", "second_derivatives"]

FLAT = 1e-4  # least second derivative in a model, as a share of the largest possible or present one


class Curvature:
    """The second derivative of the losses at predictors, kept away from zero where labels count.

    Attributes
    ----------
    diagonal : array
        Of every predictor.
    majorant : array
        A diagonal matrix that lies above: by predictor, or one column for all.
    """

    def __init__(self, problem, eta):
        self.problem = problem
        if problem.losses.scalar:
            self.diagonal = self.majorant = second_derivatives(problem, eta)
            return
        self.blocks, diagonals, bounds = [], [], []
        for s in problem.losses.segments:
            e = split_columns(eta[..., s.columns], s.n_columns)
            w = s.of_labels(problem.weights)
            if s.n_columns == 1:
                h = w * _floored(s.loss.hessian(problem.y[..., s.labels], e), w, s.loss)
                self.blocks.append((h, None))
                diagonal, bound = h, h
            else:
                p = s.loss.inverse_link(e)
                self.blocks.append((w[..., None] * p, p))
                diagonal = np.reshape(w[..., None] * p * (1 - p), (*eta.shape[:-1], -1))
                top = np.minimum(2 * np.max(p * (1 - p), axis=-1), s.loss.curvature)  # Gershgorin's discs
                bound = w * np.maximum(top, FLAT * s.loss.curvature)
                alone = problem.y.ndim == 2 and problem.y.shape[1] == 1  # one label a row: one column for all
                bound = bound if alone else np.repeat(bound, s.n_columns, axis=-1)
            diagonals.append(diagonal)
            bounds.append(bound)
        whole = len(bounds) == 1
        self.diagonal = diagonals[0] if whole else np.concatenate(diagonals, axis=-1)
        self.majorant = bounds[0] if whole else np.concatenate(bounds, axis=-1)
        self.project = problem.free.projection(eta) if problem.free is not None else lambda u: u

    def product(self, a):
        """The second derivative times predictors ``a``, free directions minimised out."""
        if self.problem.losses.scalar:
            return self.diagonal * a
        parts = []
        for s, (h, p) in zip(self.problem.losses.segments, self.blocks, strict=True):
            b = split_columns(a[..., s.columns], s.n_columns)
            part = h * b if p is None else h * (b - np.sum(p * b, axis=-1, keepdims=True))
            parts.append(np.reshape(part, (*a.shape[:-1], -1)))
        return self.project(parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1))


def second_derivatives(problem, eta, flat=FLAT):
    """``weight l''`` of every label, kept away from zero where the label counts (unless ``flat`` is 0).

    Of a problem that is no sum over labels, its `curvature`.
    """
    if not problem.separable:
        return problem.curvature(eta)
    xp, parts = problem.xp, []
    for s in problem.losses.segments:
        h = s.loss.hessian(problem.y[..., s.labels], eta[..., s.columns])
        w = problem.column_weights[..., s.columns] if problem.column_weights.shape[-1] != 1 else problem.column_weights
        parts.append(_floored(h, w, s.loss, flat))
    h = parts[0] if len(parts) == 1 else xp.concat(parts, axis=-1)
    return problem.column_weights * h


def _floored(h, w, loss, flat=FLAT):
    """Second derivatives with a floor."""
    xp = array_namespace(h)
    top = loss.curvature if loss.curvature is not None else max(float(xp.max(h * (w > 0))), 1e-300)
    return xp.clip(h, min=flat * top)
