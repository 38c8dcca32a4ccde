"""Penalties on the weights of a net: any of `mtlreg.penalties` on its heads, the trace norm on its tasks' layers.

A penalty of the linear models speaks of W (n_features, n_columns); here the head matrix stands in its place, whose
rows are the units that the heads see. The trace norm of soft sharing is that of the tasks' layers, each unfolded into
a column (Yang & Hospedales, 2017, Trace norm regularised deep multi-task learning).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from array_api_compat import array_namespace

from mtlreg.penalties import Penalty, TraceNorm
from mtlreg.penalties._columns import SortedColumns

__all__ = ["Held", "head_penalty", "sharing_penalty"]


@dataclass(frozen=True)
class Held:
    """A variable under a penalty.

    Attributes
    ----------
    penalty : Penalty
        Of the weights, which are ``unit`` times the variable.
    coupling : ndarray or None
        M of its smooth part ``tr(W M W') / 2``.
    unit : float
    unfold : bool
        Whether the penalty is of the tasks' layers as columns.
    """

    penalty: Penalty
    coupling: np.ndarray | None = None
    unit: float = 1.0
    unfold: bool = False

    def value(self, V):
        """The penalty without its smooth part."""
        return self.penalty.proximable.value(self._matrix(self.unit * V))

    def prox(self, V, step):
        """The proximal operator of that."""
        found = self.penalty.proximable.prox(self._matrix(self.unit * V), self.unit**2 * step) / self.unit
        return array_namespace(V).reshape(found.T, V.shape) if self.unfold else found

    def smooth(self, V):
        """The smooth part."""
        return 0.0 if self.coupling is None else 0.5 * float(array_namespace(V).sum(V * self.slope(V)))

    def slope(self, V):
        """Its gradient."""
        if self.coupling is None:
            return 0.0
        return self.unit**2 * (V @ array_namespace(V).asarray(self.coupling, dtype=V.dtype))

    def _matrix(self, W):
        return array_namespace(W).reshape(W, (W.shape[0], -1)).T if self.unfold else W


def head_penalty(estimator, network, columns, stacked):
    """``{name of the head matrix: Held}``, empty without a penalty."""
    if estimator.head_penalty is None:
        return {}
    if len(network.groups) > 1:
        raise ValueError(
            "head_penalty holds the heads of all tasks together: let them hang on the same layer (head_layer=None)."
        )
    penalty = estimator.head_penalty
    penalty.check()
    if penalty.part_names or not penalty.convex:
        raise ValueError(
            f"head_penalty={penalty!r} has no proximal operator of the whole: give a convex penalty of one part."
        )
    bound = penalty.bind(SortedColumns(columns) if stacked else columns)
    return {
        f"head{network.groups[0].layer}.weight": Held(bound, bound.smooth_coupling(network.n_columns), network.unit)
    }


def sharing_penalty(estimator, network):
    """``{name: Held}`` of the hidden layers under the trace norm."""
    if estimator.sharing != "trace" or estimator.alpha_sharing == 0:
        return {}
    weighted = isinstance(estimator.task_weight, str) and estimator.task_weight == "uncertainty"
    penalty = TraceNorm(estimator.alpha_sharing * (1.0 if weighted else network.unit**2))  # as in `Objective`
    return {f"hidden{layer}.weight": Held(penalty, unfold=True) for layer in network.hidden}
