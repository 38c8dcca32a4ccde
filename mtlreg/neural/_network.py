"""A net of shared hidden layers and one head a task: what it computes, and the gradients.

Variables: ``hidden{l}.weight`` and ``hidden{l}.bias`` of hidden layer l = 1..L, one for all tasks (d, k) under hard
sharing, else one for each (n_tasks, d, k); ``stitch{l}`` (n_tasks, n_tasks) of cross-stitch units after layer l. Heads
that hang on layer l (0: the features) have hidden layers ``head{l}.{m}.weight`` of their own, and the last matrices of
all of them stand side by side in ``head{l}.weight`` (d, n_columns).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mtlreg.neural._layers import ACTIVATIONS, affine, affine_gradients, stitch, stitch_gradients
from mtlreg.neural._slots import Slots, part, placed

__all__ = ["Network"]

STITCHED = 0.9  # weight of a task's own activations at the start


@dataclass(frozen=True)
class _Group:
    """Tasks whose heads hang on the same layer, their columns, and the position in ``tasks`` of each column's."""

    layer: int
    tasks: np.ndarray
    columns: np.ndarray
    owner: np.ndarray

    def seen(self, slots, n_tasks):
        """Which of the tasks have rows here: None stands for all of them."""
        if slots is None:
            return _Seen(None if len(self.tasks) == n_tasks else self.tasks, None, None, self.owner)
        inside = np.flatnonzero(np.isin(slots.tasks, self.tasks))
        mine = np.searchsorted(self.tasks, slots.tasks[inside])
        columns = np.flatnonzero(np.isin(self.owner, mine))
        return _Seen(inside, mine, columns, np.searchsorted(mine, self.owner[columns]))


class _Seen(NamedTuple):
    """Tasks of a group that have rows: where they are among all that have, among the group's, and their columns."""

    inside: np.ndarray | None
    mine: np.ndarray | None
    columns: np.ndarray | None
    owner: np.ndarray


class Network:
    """Architecture of a net.

    Parameters
    ----------
    n_features : int
    hidden_sizes, head_sizes : sequence of int
        Units of the hidden layers, and of those of every head.
    widths : sequence of int
        Columns of each task's output.
    head_layers : sequence of int
        The layer each task's head hangs on.
    activation : str
    sharing : {"hard", "l2", "trace", "cross_stitch"}
    dropout : float
        Share of the hidden units left out in a training step.
    unit : float
        What the last matrices and biases of the heads are counted in, so that they are of the size of the others.
    """

    def __init__(self, n_features, hidden_sizes, head_sizes, widths, head_layers, activation, sharing, dropout, unit):
        self.sizes = [n_features, *hidden_sizes]
        self.head_sizes = list(head_sizes)
        self.n_tasks, self.n_columns = len(widths), int(sum(widths))
        self.own, self.stitched = sharing != "hard", sharing == "cross_stitch"
        self.activation, self.dropout, self.unit = activation, dropout, unit
        owner = np.repeat(np.arange(self.n_tasks), widths)
        self.groups = []
        for layer in sorted(set(head_layers)):
            tasks = np.flatnonzero(np.asarray(head_layers) == layer)
            columns = np.flatnonzero(np.isin(owner, tasks))
            self.groups.append(_Group(layer, tasks, columns, np.searchsorted(tasks, owner[columns])))

    @property
    def hidden(self):
        """Numbers of the hidden layers."""
        return range(1, len(self.sizes))

    def unit_of(self, name):
        """What a variable's entries are counted in."""
        return self.unit if name.startswith("head") and name.count(".") == 1 else 1.0

    def shapes(self):
        """``{name: shape}`` of the variables."""
        found = {}
        lead = (self.n_tasks,) if self.own else ()
        for layer in self.hidden:
            found[f"hidden{layer}.weight"] = (*lead, self.sizes[layer - 1], self.sizes[layer])
            found[f"hidden{layer}.bias"] = (*lead, 1, self.sizes[layer])
            if self.stitched:
                found[f"stitch{layer}"] = (self.n_tasks, self.n_tasks)
        for group in self.groups:
            sizes = [self.sizes[group.layer], *self.head_sizes]
            for m in range(1, len(sizes)):
                found[f"head{group.layer}.{m}.weight"] = (len(group.tasks), sizes[m - 1], sizes[m])
                found[f"head{group.layer}.{m}.bias"] = (len(group.tasks), 1, sizes[m])
            found[f"head{group.layer}.weight"] = (sizes[-1], len(group.columns))
            found[f"head{group.layer}.bias"] = (1, len(group.columns))
        return found

    def own_entries(self, variables, tasks):
        """Which entries of the flat vector only some tasks have: a mask of NumPy. Stitched layers are everybody's."""
        mine = np.zeros(self.n_tasks, dtype=bool)
        mine[tasks] = True
        found = np.zeros(variables.flat.shape[0], dtype=bool)
        for name, at in variables.slices.items():
            shape = variables.shapes[name]
            if name.startswith("hidden") and self.own and not self.stitched:
                found[at] = np.repeat(mine, math.prod(shape[1:]))
            elif name.startswith("head"):
                group = next(g for g in self.groups if name.split(".")[0] == f"head{g.layer}")
                if name.count(".") == 1:
                    found[at] = np.tile(mine[group.tasks][group.owner], shape[0])
                else:
                    found[at] = np.repeat(mine[group.tasks], math.prod(shape[1:]))
        return found

    def initialise(self, variables, offsets, rng):
        """Random weights, with the outputs' biases at ``offsets`` (n_columns,); a linear model begins at zero."""
        linear = len(self.sizes) == 1 and not self.head_sizes
        for name in variables:
            shape = variables.shapes[name]
            if name.endswith(".weight") and not linear:
                alike = name.startswith("hidden") and self.own and not self.stitched  # drift apart with the data
                bound = math.sqrt(ACTIVATIONS[self.activation].gain / (shape[-2] + shape[-1]))
                values = rng.uniform(-bound, bound, shape[1:] if alike else shape)
                variables[name] = variables.xp.asarray(np.broadcast_to(values, shape), dtype=variables.dtype)
            elif name.startswith("stitch"):
                T = self.n_tasks
                S = np.full(shape, (1 - STITCHED) / max(T - 1, 1)) if T > 1 else np.ones(shape)
                np.fill_diagonal(S, STITCHED if T > 1 else 1.0)
                variables[name] = variables.xp.asarray(S, dtype=variables.dtype)
        for group in self.groups:
            values = variables.xp.asarray(offsets[None, group.columns] / self.unit, dtype=variables.dtype)
            variables[f"head{group.layer}.bias"] = values

    # -- forward -------------------------------------------------------------------------------------------------

    def forward(self, variables, X, task=None, rng=None):
        """``(eta (B, n_columns), record for `backward`)``; with a generator, units are dropped.

        Where rows have one task each, ``task`` (B,) of NumPy: only the outputs of a row's own task mean something.
        """
        xp = variables.xp
        slots = None
        if task is not None and not self.stitched and (self.own or self.head_sizes):
            slots = Slots.of(xp, task)
        record = {"layers": [X if slots is None or not self.own else slots.gather(X)], "heads": {}, "slots": slots}
        for layer in self.hidden:
            above = self._unit(variables, f"hidden{layer}", record["layers"][-1], record, rng, self._present(slots))
            record["layers"].append(above)
            if self.stitched:
                record[f"stitch{layer}"] = record["layers"][-1]
                record["layers"][-1] = stitch(xp, variables[f"stitch{layer}"], record["layers"][-1])
        outputs = [self._head(variables, group, record, rng) for group in self.groups]
        if len(outputs) > 1:
            order = np.argsort(np.concatenate([group.columns for group in self.groups]))
            outputs = [xp.take(xp.concat(outputs, axis=1), xp.asarray(order), axis=1)]
        return (outputs[0] if self.unit == 1 else self.unit * outputs[0]), record

    def _present(self, slots):
        """The tasks whose hidden layers are used; None: all, or layers that all tasks share."""
        return slots.tasks if slots is not None and self.own else None

    def _unit(self, variables, name, A, record, rng, tasks):
        xp = variables.xp
        W, b = (part(xp, variables[f"{name}.{kind}"], tasks) for kind in ("weight", "bias"))
        H = ACTIVATIONS[self.activation].value(xp, affine(A, W, b))
        if rng is None or self.dropout == 0:
            record[name] = H, None
            return H
        kept = (rng.random(H.shape, dtype=np.float32) >= self.dropout) / (1 - self.dropout)
        mask = xp.asarray(kept, dtype=variables.dtype)
        record[name] = H, mask
        return H * mask

    def _head(self, variables, group, record, rng):
        """Outputs (B, columns of the group)."""
        xp, name, slots = variables.xp, f"head{group.layer}", record["slots"]
        seen, Z = group.seen(slots, self.n_tasks), record["layers"][group.layer]
        if slots is not None and Z.ndim == 2:
            Z = slots.gather(Z)
        Z = part(xp, Z, seen.inside) if Z.ndim == 3 else Z
        inputs = [Z]
        for m in range(1, len(self.head_sizes) + 1):
            Z = self._unit(variables, f"{name}.{m}", Z, record, rng, seen.mine)
            inputs.append(Z)
        record["heads"][group.layer] = inputs, seen
        V, b = variables[f"{name}.weight"], variables[f"{name}.bias"]
        if Z.ndim == 2:
            return affine(Z, V, b)
        V = part(xp, V, seen.columns, axis=1)
        out = xp.sum(self._spread(xp, seen, Z) * xp.matrix_transpose(V)[:, None, :], axis=2)
        return (out.T if slots is None else slots.outputs(placed(xp, out, seen.columns, len(group.columns)))) + b

    @staticmethod
    def _spread(xp, seen, Z):
        """Activations of the task of every column: (columns, B, d)."""
        return Z if len(seen.owner) == Z.shape[0] else xp.take(Z, xp.asarray(seen.owner), axis=0)

    # -- backward ------------------------------------------------------------------------------------------------

    def backward(self, variables, gradients, record, D):
        """Write into ``gradients`` those of a function of eta with gradient D (B, n_columns)."""
        xp = variables.xp
        D = D if self.unit == 1 else self.unit * D
        tasks = self._present(record["slots"])
        arriving = [None] * len(self.sizes)  # gradients by the layers' activations
        for group in self.groups:
            mine = D if len(self.groups) == 1 else xp.take(D, xp.asarray(group.columns), axis=1)
            below = self._head_gradients(variables, gradients, group, record, mine)
            if group.layer > 0:
                arriving[group.layer] = self._joined(xp, group, record, arriving[group.layer], below)
        for layer in reversed(self.hidden):
            by_output = arriving[layer]
            if by_output is None:  # no head hangs on it or above it
                for name in (name for name in gradients if name.startswith((f"hidden{layer}.", f"stitch{layer}"))):
                    gradients[name] = 0.0
                continue
            if self.stitched:
                S, A = variables[f"stitch{layer}"], record[f"stitch{layer}"]
                gradients[f"stitch{layer}"], by_output = stitch_gradients(xp, S, A, by_output)
            below = self._unit_gradients(
                variables, gradients, f"hidden{layer}", record["layers"][layer - 1], record, by_output, tasks, layer > 1
            )
            if layer > 1:
                arriving[layer - 1] = below if arriving[layer - 1] is None else arriving[layer - 1] + below

    def _unit_gradients(self, variables, gradients, name, A, record, by_output, tasks, to_input=True):
        xp = variables.xp
        H, mask = record[name]
        D = by_output * ACTIVATIONS[self.activation].slope(xp, H)
        D = D if mask is None else D * mask
        W = part(xp, variables[f"{name}.weight"], tasks)
        by_W, by_b, below = affine_gradients(xp, A, W, D, to_input)
        size = variables.shapes[f"{name}.weight"][0]
        gradients[f"{name}.weight"], gradients[f"{name}.bias"] = (placed(xp, G, tasks, size) for G in (by_W, by_b))
        return below

    def _head_gradients(self, variables, gradients, group, record, D):
        xp, name, slots = variables.xp, f"head{group.layer}", record["slots"]
        inputs, seen = record["heads"][group.layer]
        Z, V = inputs[-1], variables[f"{name}.weight"]
        if Z.ndim == 2:
            gradients[f"{name}.weight"], gradients[f"{name}.bias"], below = affine_gradients(
                xp, Z, V, D, group.layer > 0
            )
            return below
        by_column = D.T if slots is None else slots.by_column(D, seen.columns, seen.inside[seen.owner])
        by_column = by_column[:, :, None]  # (columns, B, 1)
        by_V = xp.sum(self._spread(xp, seen, Z) * by_column, axis=1)
        gradients[f"{name}.weight"] = placed(xp, by_V, seen.columns, len(group.columns)).T
        gradients[f"{name}.bias"] = xp.sum(D, axis=0, keepdims=True)
        below = by_column * xp.matrix_transpose(part(xp, V, seen.columns, axis=1))[:, None, :]
        if len(seen.owner) != Z.shape[0]:
            owned = seen.owner[None, :] == np.arange(Z.shape[0])[:, None]
            owned = xp.asarray(owned, dtype=variables.dtype)
            below = xp.reshape(owned @ xp.reshape(below, (below.shape[0], -1)), Z.shape)
        for m in range(len(self.head_sizes), 0, -1):
            to_input = m > 1 or group.layer > 0
            below = self._unit_gradients(
                variables, gradients, f"{name}.{m}", inputs[m - 1], record, below, seen.mine, to_input
            )
        return below

    def _joined(self, xp, group, record, arrived, below):
        """Gradients by a layer's activations, those of another group of heads added."""
        slots = record["slots"]
        if below.ndim == 3:
            n_tasks = self.n_tasks if slots is None else len(slots.tasks)
            below = placed(xp, below, record["heads"][group.layer][1].inside, n_tasks)
            below = below if slots is None or self.own else slots.scatter(below)
        return below if arrived is None else arrived + below
