"""The losses of all tasks side by side, acting on the label and predictor arrays of a design."""

from __future__ import annotations

from dataclasses import dataclass

from array_api_compat import array_namespace

from mtlreg.kernels import for_array
from mtlreg.losses import Loss

__all__ = ["Segment", "TaskLosses", "split_columns"]


@dataclass(eq=False)
class Segment:
    """A run of consecutive tasks with the same loss and number of columns a label.

    Parameters
    ----------
    loss : Loss
    n_columns : int
        Columns of one label.
    tasks : slice
        Of the tasks.
    labels, columns : slice
        Of the last axis of label and predictor arrays.
    """

    loss: Loss
    n_columns: int
    tasks: slice
    labels: slice
    columns: slice

    def of_labels(self, per_label):
        """Its part of a label array; one column that stands for all stays."""
        return per_label if per_label.shape[-1] == 1 else per_label[..., self.labels]


class TaskLosses:
    """The losses of all tasks, acting on the label array ``y`` and the predictor array ``eta`` of a design.

    The last axis of ``y`` counts labels, the last axis of ``eta`` counts columns; a `Segment` says which slice of
    each belongs together. A softmax segment has K columns a label.

    Parameters
    ----------
    segments : list of Segment
        In the order of the tasks.
    """

    def __init__(self, segments):
        self.segments = list(segments)
        self.smooth_bounded = all(s.loss.curvature is not None for s in self.segments)
        self.quadratic = all(s.loss.name == "squared" for s in self.segments)
        self.scalar = all(s.n_columns == 1 for s in self.segments)

    def _map(self, method, y, eta):
        parts = [
            getattr(s.loss, method)(y[..., s.labels], split_columns(eta[..., s.columns], s.n_columns))
            for s in self.segments
        ]
        return parts

    def _join(self, parts, keep_columns):
        xp = array_namespace(parts[0])
        if keep_columns:
            parts = [
                p if s.n_columns == 1 else xp.reshape(p, (*p.shape[:-2], -1))
                for s, p in zip(self.segments, parts, strict=True)
            ]
        return parts[0] if len(parts) == 1 else xp.concat(parts, axis=-1)

    def value(self, y, eta):
        """Loss of every label, shaped like ``y``."""
        return self._join(self._map("value", y, eta), False)

    def gradient(self, y, eta):
        """Derivative by every predictor, shaped like ``eta``."""
        return self._join(self._map("gradient", y, eta), True)

    def conjugate(self, y, v):
        """Conjugate of every label, shaped like ``y``; ``v`` is shaped like ``eta``."""
        return self._join(self._map("conjugate", y, v), False)

    def derivative(self, y, eta, weights):
        """`gradient` times the labels' weights, shaped like ``eta``."""
        return self._join(self._weighted("loss_derivative", y, eta, weights), True)

    def total(self, y, eta, weights):
        """``sum_i weights_i l(y_i, eta_i)``, a float."""
        return float(sum(self._weighted("loss_sum", y, eta, weights)))

    def conjugate_total(self, y, v, weights):
        """``sum_i weights_i l*(y_i, v_i)``, a float: inf if a ``v_i`` is outside of the conjugate's domain."""
        return float(sum(self._weighted("conjugate_sum", y, v, weights)))

    def _weighted(self, name, y, eta, weights):
        kernel = getattr(for_array(eta), name)
        return [
            kernel(s.loss, y[..., s.labels], split_columns(eta[..., s.columns], s.n_columns), s.of_labels(weights))
            for s in self.segments
        ]

    def expand(self, per_label):
        """Repeat a label array over the columns of each label: shaped like ``eta``."""
        if self.scalar:
            return per_label
        xp = array_namespace(per_label)
        parts = []
        for s in self.segments:
            part = per_label[..., s.labels]
            parts.append(xp.repeat(part, s.n_columns, axis=-1) if s.n_columns > 1 else part)
        return parts[0] if len(parts) == 1 else xp.concat(parts, axis=-1)

    def curvature(self, weights):
        """``weights * sup l''`` per column, shaped like ``eta`` (only if every loss has a bounded curvature)."""
        curvatures = [s.loss.curvature for s in self.segments]
        if all(c == curvatures[0] for c in curvatures):
            return curvatures[0] * self.expand(weights)
        xp = array_namespace(weights)
        parts = []
        for s in self.segments:
            part = s.loss.curvature * weights[..., s.labels]
            parts.append(xp.repeat(part, s.n_columns, axis=-1) if s.n_columns > 1 else part)
        return xp.concat(parts, axis=-1)


def split_columns(eta, n_columns):
    """Give the last axis of ``eta`` a further axis of ``n_columns``; unchanged for one column."""
    if n_columns == 1:
        return eta
    xp = array_namespace(eta)
    return xp.reshape(eta, (*eta.shape[:-1], -1, n_columns))
