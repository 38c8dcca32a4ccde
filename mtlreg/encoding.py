"""From a `Table` to the arrays of a problem, and from its solution back to coefficients.

Each task gets a loss and one or more columns of W: one for regression, counts and two classes; K for K classes, with
one softmax loss or K binary ones.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from mtlreg.designs import SharedDesign, StackedDesign
from mtlreg.losses import Loss, Softmax
from mtlreg.penalties._columns import SortedColumns, shown_labels
from mtlreg.problem import Problem
from mtlreg.scaling import free_columns, inverse_scales, read_feature_weights
from mtlreg.task_losses import Segment, TaskLosses
from mtlreg.validation import as_float_array, host_dtype, namespace_of, relative_weights, spread_by_task, to_host

__all__ = ["Encoding", "Target", "class_targets", "class_weights", "encode", "number_targets"]


@dataclass
class Target:
    """One task: its loss, its classes (None for numbers), and labels (n_t, L) with weights (n_t, 1).

    L is 1, or the number of classes for one-vs-rest. ``n_columns`` is the number of columns of one label, ``offset``
    what was subtracted from the labels and is to be added to the intercept.
    """

    task: object
    loss: Loss
    classes: np.ndarray | None
    labels: np.ndarray
    weights: np.ndarray
    n_columns: int = 1
    offset: float = 0.0

    def centre(self):
        """Move the labels to mean zero where the intercept takes their mean, so that float32 can hold them."""
        if self.loss.kind == "regression":
            w = self.weights.astype(np.float64)
            self.offset = float((w * self.labels).sum() / w.sum())
            self.labels = np.where(w > 0, self.labels - self.offset, 0.0)

    @property
    def width(self):
        """Columns of W of this task."""
        return self.labels.shape[1] * self.n_columns

    @property
    def column_classes(self):
        """The class each column speaks for: the second of two, every one of more, None for numbers."""
        if self.classes is None:
            return [None]
        return self.classes.tolist() if self.width > 1 else self.classes[-1:].tolist()

    @property
    def constant(self):
        """Whether the task has one class only, so that nothing is learned for it."""
        return self.classes is not None and len(self.classes) == 1


def number_targets(table, losses):
    """Targets of regression-like tasks."""
    targets = []
    for t, (task, loss) in enumerate(zip(table.task_names, losses, strict=True)):
        y, w = _task_arrays(table, t)
        y = y.astype(np.float64, copy=False)
        counted = w > 0
        if counted.all():
            loss.check(y, where=f" in task {task!r}")
        else:
            loss.check(y[counted], where=f" in task {task!r}")
            y = np.where(counted, y, 0)
        one = not table.stacked and table.weights.shape[1] == 1  # the same array, so that this can be told at once
        targets.append(Target(task, loss, None, y[:, None], table.weights if one else w[:, None]))
    return targets


def class_targets(table, losses, single_class, multi_class, known=None):
    """Targets of classification tasks; every task has its own classes, those with a positive weight.

    And those ``known`` besides: classes that all tasks have, or a dict or list with those of each.
    """
    targets = []
    known = _known_classes(known, table)
    for t, (task, loss) in enumerate(zip(table.task_names, losses, strict=True)):
        y, w = _task_arrays(table, t)
        seen = y[w > 0]
        if not seen.size:
            raise ValueError(
                f"Task {task!r} has no label with a positive weight: class_weight is 0 for all its classes."
            )
        classes = np.unique(seen) if known is None else np.union1d(known[t], seen)
        labels = np.searchsorted(classes, np.where(w > 0, y, seen[0]))[:, None]
        n_columns = 1
        if len(classes) == 1:
            _report_single_class(task, classes.tolist()[0], single_class)
            w = 0 * w
        elif len(classes) > 2 and multi_class == "softmax" and loss.name == "logistic":
            loss, n_columns = Softmax(), len(classes)
        elif len(classes) > 2:
            labels = labels == np.arange(len(classes))
        targets.append(Target(task, loss, classes, labels.astype(table.dtype), w[:, None], n_columns))
    if all(target.constant for target in targets):
        raise ValueError("No task has more than one class, so that there is nothing to learn.")
    return targets


def _known_classes(known, table):
    """Classes of every task, if they were given."""
    if known is None:
        return None
    shared = not isinstance(known, dict) and all(np.ndim(c) == 0 for c in known)
    return [known] * len(table.tasks) if shared else spread_by_task(known, table.tasks, "classes")


def _task_arrays(table, t):
    """All labels of a task, observed or not, and their weights."""
    if table.stacked:
        rows = slice(table.starts[t], table.starts[t + 1])
        return table.y[rows], table.weights[rows]
    return table.y[:, t], table.weights[:, min(t, table.weights.shape[1] - 1)]


def _report_single_class(task, label, single_class):
    text = f"Task {task!r} has only one class, {label!r}"
    if single_class == "error":
        raise ValueError(
            f"{text} (labels of weight zero do not count). Drop the task, or give single_class='constant' to predict "
            "that class for it."
        )
    warnings.warn(f"{text}: it is predicted always, and the task takes no part in the fit.", stacklevel=2)


def class_weights(table, class_weight):
    """Weights of the labels of a table times those of their classes.

    To everything after, they are sample weights: a class of weight zero is not there.
    """
    if class_weight is None:
        return table.weights
    if isinstance(class_weight, dict):
        _check_keys(table, class_weight)
    weights = []
    for t in range(len(table.tasks)):
        y, w = _task_arrays(table, t)
        weights.append(w * _class_factors(class_weight, y, w))
    joined = np.concatenate(weights) if table.stacked else np.stack(weights, axis=1)
    return relative_weights(joined, table.dtype)


def _check_keys(table, class_weight):
    """Refuse a key that is no class of any task while a class has no entry, as scikit-learn does: it may be a slip."""
    classes = dict.fromkeys(c for t in range(len(table.tasks)) for c in np.unique(table.labels_of(t)[0]).tolist())
    unknown = [key for key in class_weight if key not in classes]
    without = [c for c in classes if c not in class_weight]
    if unknown and without:
        raise ValueError(
            f"class_weight has the key {unknown[0]!r}, which is the class of no label, and none for {without[0]!r}: "
            f"the classes are {shown_labels(classes)}."
        )


def _class_factors(class_weight, y, w):
    """What class weights multiply every weight of a task by."""
    seen = w > 0
    classes, codes = np.unique(y[seen], return_inverse=True)
    if isinstance(class_weight, str):
        values = w.sum(dtype=np.float64) / (len(classes) * np.bincount(codes, w[seen]))
    else:
        values = as_float_array([class_weight.get(c, 1.0) for c in classes.tolist()], "class_weight")
        if (values < 0).any() or not np.isfinite(values).all():
            raise ValueError(f"class_weight must be finite and >= 0, got {class_weight!r}.")
    factors = np.zeros(len(w))
    factors[seen] = values[codes]
    return factors


@dataclass
class Encoding:
    """A problem with the way back from its variables to coefficients in the units of the data."""

    problem: Problem
    targets: list
    columns: list
    free: object
    f: np.ndarray

    def penalised(self, x):
        """The parts of variables x as the penalty sees them, each (p, n_columns); rows of free features are zero."""
        return list(to_host(x)) if x.ndim == 3 else [to_host(x)]

    def decode(self, x, Z):
        """``(coef, intercept, parts)``: (n_columns, p), (n_columns,), and parts of coef for a compound penalty."""
        design = self.problem.design
        blocks = self.penalised(x)
        if design.inverse_scale is not None:
            blocks = [b * to_host(design.inverse_scale) for b in blocks]
        intercept = np.zeros(design.n_columns, dtype=blocks[0].dtype)
        if self.free is not None:
            total = sum(blocks)
            Z = self.problem.null.Z if Z is None else Z  # a problem in moments has none of its own
            Z = to_host(Z)
            if design.centre is not None:
                Z = Z - to_host(design.shift(design.namespace.asarray(total)))
            intercept, coef = self.free.decode(Z)
            intercept = self._centred(intercept + self._offsets)
            if coef.size:
                blocks[0] = blocks[0].copy()
                blocks[0][self.free.features] += coef
        dtype = host_dtype(design.X)
        parts = [b.T.astype(dtype, copy=False) for b in blocks]
        return (parts[0] if len(parts) == 1 else sum(parts)), intercept.astype(dtype), parts

    def _centred(self, intercept):
        """Intercepts with mean 0 over the classes of a softmax task, which are determined but for a constant."""
        at = 0
        for target in self.targets:
            block = slice(at, at + target.width)
            if target.n_columns > 1:
                intercept[block] -= intercept[block].mean()
            at = block.stop
        return intercept

    @property
    def _offsets(self):
        return np.repeat([t.offset for t in self.targets], [t.width for t in self.targets])

    def encode(self, parts, intercept):
        """The inverse of `decode`: variables ``(x, Z)`` for given coefficients."""
        design, xp = self.problem.design, self.problem.xp
        dtype = host_dtype(design.X)
        scale = np.ones((1, 1)) if design.inverse_scale is None else to_host(design.inverse_scale)
        safe = np.where(scale > 0, scale, 1)
        blocks = [np.where(scale > 0, part.T / safe, 0).astype(dtype) for part in parts]
        x = xp.asarray(np.stack(blocks) if self.problem.zero.ndim == 3 else blocks[0])
        if self.free is None:
            return x, None
        Z = self.free.encode(intercept - self._offsets, parts[0].T[self.free.features]).astype(dtype)
        if design.centre is not None:
            total = np.sum(blocks, axis=0) * scale
            Z = Z + to_host(design.shift(xp.asarray(total.astype(dtype))))
        return x, xp.asarray(Z.astype(dtype))


def encode(table, targets, penalty, *, fit_intercept, standardize, task_weight, feature_weights, problem_type=Problem):
    """Build the problem of a table under a penalty."""
    dtype = table.dtype
    widths = [target.width for target in targets]
    columns = [(target.task, c) for target in targets for c in target.column_classes]
    penalty = penalty.bind(SortedColumns(columns) if table.stacked else columns)
    for target in targets if fit_intercept else []:
        target.centre()
    f = read_feature_weights(feature_weights, table.X.shape[1])
    inverse = inverse_scales(table, widths, f, standardize)
    free = free_columns(table, f, widths, fit_intercept, penalty.null)
    if penalty.null:
        inverse = np.zeros((table.X.shape[1], 1))
    losses = TaskLosses(_segments(table, targets))
    y, weights = _label_arrays(table, targets, _task_factors(table, targets, task_weight), losses)
    design = _design(table, widths, free, inverse)
    xp = design.namespace
    y, weights = (xp.asarray(a.astype(dtype, copy=False)) for a in (y, weights))
    if not penalty.null:
        design.residualise(losses.expand(weights))
    problem = problem_type(design, losses, y, weights, penalty)
    _check_attained(problem, table, targets)
    return Encoding(problem, targets, columns, free, f)


def _design(table, widths, free, inverse):
    U = None if free is None else free.U
    xp = namespace_of(table.X)
    inverse = None if inverse is None else xp.asarray(inverse.astype(table.dtype))
    if table.stacked:
        return StackedDesign(table.X, table.starts, widths, U, inverse)
    return SharedDesign(table.X, sum(widths), U, inverse)


def _segments(table, targets):
    """Runs of tasks with the same loss and number of columns a label."""
    segments, task, label, column = [], 0, 0, 0
    kinds = [(type(t.loss), tuple(vars(t.loss).items()), t.n_columns) for t in targets]
    for _, run in groupby(zip(kinds, targets, strict=True), key=lambda pair: pair[0]):
        run = [target for _, target in run]
        n_labels = sum(t.labels.size if table.stacked else t.labels.shape[1] for t in run)
        n_columns = n_labels * run[0].n_columns
        segments.append(
            Segment(
                run[0].loss,
                run[0].n_columns,
                slice(task, task + len(run)),
                slice(label, label + n_labels),
                slice(column, column + n_columns),
            )
        )
        task, label, column = task + len(run), label + n_labels, column + n_columns
    return segments


def _task_factors(table, targets, task_weight):
    """c_t of the model: what multiplies the weights of task t."""
    totals = np.array([t.weights.sum(dtype=np.float64) for t in targets])
    learned = totals > 0
    default = learned.sum() / totals.sum()
    if task_weight is None:
        return np.full(len(targets), default)
    if isinstance(task_weight, str):
        return np.where(learned, 1 / np.where(learned, totals, 1), 0)
    factors = as_float_array(spread_by_task(task_weight, table.tasks, "task_weight"), "task_weight")
    if (factors < 0).any() or not np.isfinite(factors).all():
        raise ValueError(f"task_weight must be finite and > 0, got {task_weight!r}.")
    for t in np.flatnonzero(factors == 0):
        raise ValueError(
            f"task_weight is 0 for task {targets[t].task!r}, for which nothing would be learned: drop the task, its "
            f"{'rows' if table.stacked else 'column of y'}."
        )
    return factors * default


def _label_arrays(table, targets, factors, losses):
    """Labels and their full weights in the layout of the design."""
    labels = [t.labels for t in targets]
    if table.stacked:
        weights = [t.weights * factor for t, factor in zip(targets, factors, strict=True)]
        wide = [np.repeat(w, y.shape[1], axis=1) for w, y in zip(weights, labels, strict=True)]
        return np.concatenate([y.ravel() for y in labels]), np.concatenate([w.ravel() for w in wide])
    y = np.empty((len(table.y), sum(block.shape[1] for block in labels)))
    np.concatenate(labels, axis=1, out=y)  # rows together, as predictors have them
    one = len(losses.segments) == 1 and losses.scalar and table.weights.shape[1] == 1
    if one and all(t.weights is targets[0].weights for t in targets) and (factors == factors[0]).all():
        return y, targets[0].weights * factors[0]
    weights = [t.weights * factor for t, factor in zip(targets, factors, strict=True)]
    if one and all(np.array_equal(w, weights[0]) for w in weights[1:]):
        return y, weights[0]
    wide = [np.repeat(w, block.shape[1], axis=1) for w, block in zip(weights, labels, strict=True)]
    return y, np.concatenate(wide, axis=1)


def _check_attained(problem, table, targets):
    """Refuse data on which the unpenalised part has no minimum."""
    if problem.free is None or all(s.loss.attained for s in problem.losses.segments):
        return
    escaping = to_host(problem.free.escaping(problem.null.Z))
    if not escaping.any():
        return
    task_of = np.repeat(np.arange(len(targets)), [t.width for t in targets])
    target = targets[task_of[int(np.argmax(escaping))]]
    if target.loss.name == "poisson":
        raise ValueError(
            f"Task {target.task!r} has no minimum: its counts are all zero (or zero wherever the unpenalised columns "
            "decide), so the free intercept runs to -inf. Drop the task or give fit_intercept=False."
        )
    raise ValueError(
        f"Task {target.task!r} has no minimum: its classes are separated by unpenalised columns. Give alpha > 0 (or "
        "alpha_ridge > 0) and positive feature_weights."
    )
