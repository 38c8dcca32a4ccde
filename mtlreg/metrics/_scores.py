"""Scores of the tasks, and their averages."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn import metrics as skm
from sklearn.exceptions import UndefinedMetricWarning

from ..data._labels import clean_labels, group_rows, infer_dtype, label_matrix, python_labels
from ..data._tables import to_numpy
from ._registry import find_metric

AVERAGES = ("macro", "weighted", "pooled")


@dataclass
class _Part:
    """The observed labels of one task, or of all of them."""

    y: np.ndarray
    prediction: np.ndarray  # (n,), or (n, n_classes)
    weight: np.ndarray | None
    classes: np.ndarray | None
    all_labels: np.ndarray  # of every task, to find the classes where they are not given

    @property
    def count(self) -> float:
        return float(self.y.size if self.weight is None else self.weight.sum())


def task_scores(y_true, y_pred, metric, *, tasks=None, sample_weight=None, classes=None):
    """Score of every task.

    Parameters
    ----------
    y_true : array-like (n, T) or (n,)
        Labels; missing ones are left out. With two dimensions the tasks are the columns, with one ``tasks``
        has the task of every row.
    y_pred : array-like of the same shape, or class probabilities
        Class probabilities and decision values: (n, n_classes) for a 1-D ``y_true``; for a 2-D one a list
        with one (n, n_classes) array per task, or (n, T) for binary tasks.
    metric : str or callable
        A short name (see the text of this module) or ``metric(y_true, y_pred, sample_weight=...)``.
        ``sample_weight`` is passed only if there is one. Of the probabilities of two classes a callable gets
        the second column, of more classes all columns.
    tasks : array-like (n,) or (T,), optional
        Task of every row (1-D ``y_true``; None is one task), or labels of the columns (2-D; default the
        column names of a data frame, else 0, 1, ...).
    sample_weight : array-like (n,) or (n, T), optional
        A label of weight zero counts as missing.
    classes : array-like (n_classes,) or list of them, optional
        Classes of the columns of ``y_pred``, for every task its own if it is a list of arrays. By default
        they are read from ``y_true`` if it has as many.

    Returns
    -------
    scores : dict
        Score of every task; NaN where the metric is undefined.

    Raises
    ------
    ValueError
        Naming the task if the metric fails for it.
    """
    parts = _parts(y_true, y_pred, tasks, sample_weight, classes)
    return _scores(metric, parts, y_true, y_pred, sample_weight)


def average_scores(scores, counts=None, average="macro"):
    """Mean of the scores over the tasks where they are defined.

    ``"macro"``: ``sum_t s_t / T'``; ``"weighted"``: ``sum_t c_t s_t / sum_t c_t``, both over the T' tasks
    whose score is not NaN.

    Parameters
    ----------
    scores : dict
        Task label to score, as from `task_scores`.
    counts : dict, optional
        Task label to the number, or the total weight, of its labels; needed for "weighted".
    average : {"macro", "weighted"}

    Returns
    -------
    score : float
        NaN, with an `UndefinedMetricWarning`, if no score is defined.
    """
    check_average(average, ("macro", "weighted"))
    if average == "weighted" and counts is None:
        raise ValueError("average='weighted' needs counts, the number of labels of every task.")
    values = np.array(list(scores.values()), dtype=float)
    weights = np.array([counts[label] for label in scores], dtype=float) if average == "weighted" else None
    defined = ~np.isnan(values) if weights is None else ~np.isnan(values) & (weights > 0)
    if not defined.any():
        warnings.warn("The score is undefined for every task.", UndefinedMetricWarning, stacklevel=2)
        return float("nan")
    return float(np.average(values[defined], weights=None if weights is None else weights[defined]))


def multitask_score(y_true, y_pred, metric, *, average="macro", tasks=None, sample_weight=None, classes=None):
    """One score for all tasks.

    Parameters
    ----------
    y_true, y_pred, metric, tasks, sample_weight, classes
        As in `task_scores`.
    average : {"macro", "weighted", "pooled"}
        "macro": mean of the scores of the tasks; "weighted": with the label weights of the tasks; both over
        the tasks where the metric is defined. "pooled": the metric of all labels together; for R2 this
        measures mostly how much the tasks differ in their means.

    Returns
    -------
    score : float
        NaN, with an `UndefinedMetricWarning`, if it is undefined.
    """
    check_average(average, AVERAGES)
    parts = _parts(y_true, y_pred, tasks, sample_weight, classes)
    if average != "pooled":
        scores = _scores(metric, parts, y_true, y_pred, sample_weight)
        return average_scores(scores, {label: part.count for label, part in parts.items()}, average)
    score = _score(metric, _pool(list(parts.values()), find_metric(metric).probabilities))
    if np.isnan(score):
        warnings.warn("The pooled score is undefined.", UndefinedMetricWarning, stacklevel=2)
    return score


def macro_r2(y_true, y_pred, *, tasks=None, sample_weight=None):
    """Mean over the tasks of ``R2_t``; see `multitask_score`.

    Parameters
    ----------
    y_true, y_pred, tasks, sample_weight
        As in `task_scores`.

    Returns
    -------
    score : float
    """
    return multitask_score(y_true, y_pred, "r2", tasks=tasks, sample_weight=sample_weight)


def weighted_r2(y_true, y_pred, *, tasks=None, sample_weight=None):
    """Mean over the tasks of ``R2_t``, weighted by their numbers of labels; see `multitask_score`.

    Parameters
    ----------
    y_true, y_pred, tasks, sample_weight
        As in `task_scores`.

    Returns
    -------
    score : float
    """
    return multitask_score(y_true, y_pred, "r2", average="weighted", tasks=tasks, sample_weight=sample_weight)


def pooled_r2(y_true, y_pred, *, tasks=None, sample_weight=None):
    """R2 of all labels together, against their overall mean; see `multitask_score`.

    Parameters
    ----------
    y_true, y_pred, tasks, sample_weight
        As in `task_scores`.

    Returns
    -------
    score : float
    """
    return multitask_score(y_true, y_pred, "r2", average="pooled", tasks=tasks, sample_weight=sample_weight)


def check_average(average, allowed):
    if average not in allowed:
        raise ValueError(f"average must be one of {', '.join(map(repr, allowed))}; got {average!r}.")


def _parts(y_true, y_pred, tasks, sample_weight, classes) -> dict:
    """Observed labels by task label, for either layout."""
    values, observed, names = label_matrix(y_true, name="y_true")
    predictions = _prediction_columns(y_pred, *values.shape)
    weights = _weight_matrix(sample_weight, values.shape)
    if weights is not None:
        observed = observed & (weights > 0)
    if not _one_per_task(classes):
        classes = [classes] * values.shape[1]
    all_labels = infer_dtype(values[observed])

    def part(t, rows):
        rows = rows[observed[rows, t]]
        weight = None if weights is None else weights[rows, t]
        prediction = infer_dtype(predictions[t][rows])
        return _Part(infer_dtype(values[rows, t]), prediction, weight, classes[t], all_labels)

    if np.ndim(y_true) == 1 and tasks is not None:
        groups = zip(*group_rows(_row_tasks(tasks, values.shape[0])), strict=True)
        return {label: part(0, rows) for label, rows in groups}
    labels = list(range(values.shape[1])) if names is None else names
    if tasks is not None:
        labels = python_labels(tasks)
    if len(labels) != values.shape[1] or len(classes) != len(labels):
        raise ValueError(
            f"y_true has {values.shape[1]} columns, tasks {len(labels)} labels and classes {len(classes)} "
            "entries; give one per task."
        )
    every_row = np.arange(values.shape[0])
    return {label: part(t, every_row) for t, label in enumerate(labels)}


def _row_tasks(tasks, n):
    tasks = to_numpy(tasks) if hasattr(tasks, "to_numpy") else np.asarray(tasks)
    if tasks.shape != (n,):
        raise ValueError(f"tasks has shape {tasks.shape}; for a 1-D y_true it must be ({n},), one per row.")
    return clean_labels(tasks, "tasks")


def _one_per_task(classes) -> bool:
    return isinstance(classes, list | tuple) and len(classes) > 0 and np.ndim(classes[0]) == 1


def _prediction_columns(y_pred, n, n_tasks) -> list:
    """Predictions of every task, (n,) or (n, n_classes)."""
    several = isinstance(y_pred, list | tuple) and len(y_pred) > 0
    if several and all(len(getattr(p, "shape", ())) > 0 for p in y_pred):
        columns = [to_numpy(p) for p in y_pred]
    else:
        array = to_numpy(y_pred)
        array = array[:, None] if array.ndim == 1 else array
        columns = [array] if n_tasks == 1 else list(array.T)
    columns = [p[:, 0] if p.ndim == 2 and p.shape[1] == 1 else p for p in columns]
    if len(columns) != n_tasks or any(len(p) != n for p in columns):
        raise ValueError(
            f"y_true has {n} rows and {n_tasks} tasks; y_pred has {len(columns)} tasks with predictions of "
            f"shape {', '.join(str(p.shape) for p in columns[:3])}."
        )
    return columns


def _weight_matrix(sample_weight, shape):
    if sample_weight is None:
        return None
    weights = to_numpy(sample_weight).astype(float)
    if weights.shape != shape and weights.shape != shape[:1]:
        raise ValueError(f"sample_weight has shape {weights.shape}; it must be {shape[:1]} or {shape}.")
    if not (weights >= 0).all():
        raise ValueError("sample_weight has negative or missing values.")
    return weights if weights.shape == shape else np.broadcast_to(weights[:, None], shape)


def _pool(parts, probabilities) -> _Part:
    """All labels together; binary tasks with classes of their own are counted as class 0 and class 1."""
    filled = [part for part in parts if part.y.size] or parts[:1]
    first = filled[0]
    widths = {part.prediction.shape[1:] for part in filled}
    same_classes = all(np.array_equal(part.classes, first.classes) for part in filled)
    if len(widths) > 1 or (not same_classes and (probabilities or widths != {()})):
        if any(width not in ((), (2,)) for width in widths):
            raise ValueError(
                "average='pooled' needs the same classes in every task, or only binary tasks; "
                "use 'macro' or 'weighted'."
            )
        filled = [_as_binary(part) for part in filled]
    weight = None if first.weight is None else np.concatenate([part.weight for part in filled])
    y = infer_dtype(np.concatenate([part.y for part in filled]))
    prediction = np.concatenate([part.prediction for part in filled])
    return _Part(y, prediction, weight, filled[0].classes, first.all_labels)


def _as_binary(part) -> _Part:
    classes = _find_classes(part)
    scores = part.prediction if part.prediction.ndim == 1 else part.prediction[:, 1]
    return _Part(part.y == classes[1], scores, part.weight, np.array([False, True]), np.array([False, True]))


def _scores(metric, parts, y_true, y_pred, sample_weight) -> dict:
    """Scores of the parts; NaN where the metric is undefined."""
    entry = find_metric(metric)
    columns = _columns(parts, y_true, y_pred, sample_weight)
    if entry.columns is None or columns is None:
        return {label: _score(metric, part, f" for task {label!r}") for label, part in parts.items()}
    found = zip(entry.columns(*columns).tolist(), parts.items(), strict=True)
    return {label: score if entry.defined(part.y) else float("nan") for score, (label, part) in found}


def _columns(parts, y_true, y_pred, sample_weight):
    """What a metric of all columns at once takes; None for other layouts, or if a part is to say what is wrong."""
    if len(parts) < 2 or isinstance(y_pred, list | tuple):
        return None
    values, observed, _ = label_matrix(y_true, name="y_true")
    predictions, weights = to_numpy(y_pred), None if sample_weight is None else to_numpy(sample_weight).astype(float)
    if predictions.shape != values.shape or len(parts) != values.shape[1] or np.ndim(weights) > 1:
        return None
    observed = observed if weights is None else observed & (weights > 0)[:, None]
    numbers = all(a.dtype.kind in "biuf" for a in (values, predictions))
    sound = numbers and observed.any() and np.isfinite(np.sum(predictions, dtype=float, where=observed))
    return (values, predictions, observed, weights) if sound else None


def _score(metric, part, where="") -> float:
    """Score of one part; NaN where the metric is undefined."""
    entry = find_metric(metric)
    if not entry.defined(part.y):
        return float("nan")
    try:
        if entry.probabilities:
            return float(_probability_score(entry, part))
        prediction = part.prediction
        if prediction.ndim == 2:
            if entry.function is not None:
                raise ValueError(f"it takes one prediction per label, got shape {prediction.shape}")
            prediction = prediction[:, 1] if prediction.shape[1] == 2 else prediction
        return float(entry.score(part.y, prediction, **_weights(part.weight)))
    except (TypeError, ValueError) as error:
        name = metric if isinstance(metric, str) else getattr(metric, "__name__", repr(metric))
        raise ValueError(f"The metric {name} failed{where}: {error}.") from error


def _weights(weight) -> dict:
    return {} if weight is None else {"sample_weight": weight}


def _probability_score(entry, part) -> float:
    """Log loss, or the mean over the classes of a one-against-the-rest score."""
    classes, scores = _find_classes(part), part.prediction
    if entry.score is skm.log_loss:
        if scores.ndim == 1:
            scores = np.column_stack([1.0 - scores, scores][-len(classes) :])
        # One more column of zeros, for labels that are none of the classes.
        scores = np.column_stack([scores, np.zeros(len(scores))])
        codes = np.full(part.y.shape, len(classes))
        for k, label in enumerate(classes):
            codes[part.y == label] = k
        return entry.score(codes, scores, labels=np.arange(len(classes) + 1), **_weights(part.weight))
    if scores.ndim == 1 or len(classes) == 2:
        columns = {classes[-1]: scores if scores.ndim == 1 else scores[:, 1]}
    else:
        columns = {label: scores[:, k] for k, label in enumerate(classes) if (part.y == label).any()}
    values = [entry.score(part.y == label, column, **_weights(part.weight)) for label, column in columns.items()]
    return np.mean(values) if values else np.nan


def _find_classes(part) -> np.ndarray:
    """Class of every column of the predictions, (2,) for one column."""
    n_classes = 2 if part.prediction.ndim == 1 else part.prediction.shape[1]
    if part.classes is not None:
        if len(part.classes) not in ((1, 2) if part.prediction.ndim == 1 else (n_classes,)):
            raise ValueError(f"there are {n_classes} columns of predictions for the classes {part.classes}")
        return np.asarray(part.classes)
    for guess in (np.unique(part.y), np.unique(part.all_labels), np.arange(n_classes), np.array([-1, 1])):
        if len(guess) == n_classes and np.isin(part.y, guess).all():
            return guess
    raise ValueError(f"cannot tell the classes of the {n_classes} columns of predictions; give `classes`")
