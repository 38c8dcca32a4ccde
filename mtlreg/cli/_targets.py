"""Target columns as the labels of tasks: numbers or classes, and which column or row belongs to which task."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtlreg.cli._checks import InputError, listed
from mtlreg.cli._read import column_kind
from mtlreg.data._labels import infer_dtype, missing_mask

__all__ = ["Targets", "pair", "task_labels"]

MOST_CLASSES = 10  # different integers that are taken for classes


def pair(task, target):
    """The task of a row where there are both a task column and several targets."""
    return f"{task} / {target}"


def task_labels(column):
    """The task of every row, as text.

    Raises
    ------
    InputError
        A row without a task.
    """
    empty = np.flatnonzero(column.isna())
    if empty.size:
        raise InputError(
            f"The task column '{column.name}' is empty in {empty.size} rows, the first is row {empty[0] + 1}: "
            "fill it in, or remove these rows."
        )
    return column.to_numpy(dtype=object)


@dataclass
class Targets:
    """Labels of all targets.

    Attributes
    ----------
    kind : {"regression", "classification"}
    labels : dict of ndarray (n_rows,)
        By target; floats with NaN, or objects with None, where there is no label.
    classes : dict of list
        Classes of each target as they stand in the file, sorted; empty for regression.
    """

    kind: str
    labels: dict
    classes: dict

    @classmethod
    def learn(cls, frame, kind="auto"):
        """From the columns of a data frame.

        Returns
        -------
        targets : Targets
        notes : list of str

        Raises
        ------
        InputError
            A target without labels or with one value only, targets of different kinds, text as numbers.
        """
        for name in frame.columns:
            values = frame[name].dropna().unique()
            if not len(values):
                raise InputError(f"Target '{name}' has no label: every cell is empty. Choose another --target.")
            if len(values) == 1:
                raise InputError(
                    f"Target '{name}' is constant ({values[0]}): there is nothing to learn. Remove it from --target."
                )
        kinds = {name: _kind(frame[name]) for name in frame.columns}
        found = _one_kind(kinds, frame) if kind == "auto" else kind
        if found == "regression":
            return cls(found, {name: _numbers(frame[name]) for name in frame.columns}, {}), []
        return cls._of_classes(frame, kind == "auto")

    @classmethod
    def _of_classes(cls, frame, guessed):
        labels = {name: _classes(frame[name]) for name in frame.columns}
        classes, notes = {}, []
        for name, values in labels.items():
            seen = values[~missing_mask(values)]
            classes[name] = sorted(set(seen.tolist()))
            if 2 * len(classes[name]) > len(seen):
                raise InputError(
                    f"Target '{name}' has {len(classes[name])} classes in {len(seen)} labels: these are no classes. "
                    "Turn it into numbers, or choose another --target."
                )
            hint = " (--kind regression takes them as numbers)" if guessed and not _is_text(frame[name]) else ""
            notes.append(f"Target '{name}': {len(classes[name])} classes, {_few(classes[name])}{hint}.")
        if len({type(c) for found in classes.values() for c in found}) > 1:
            # models for all tasks at once sort the classes of all
            labels = {name: _mapped(values, str) for name, values in labels.items()}
        return cls("classification", labels, classes), notes

    def shared(self):
        """y for rows that all tasks share: 1-D if there is one target."""
        columns = list(self.labels.values())
        return columns[0] if len(columns) == 1 else np.column_stack(columns)

    def long(self, tasks):
        """Rows with a label, their tasks and labels, where there is a task column.

        Returns
        -------
        rows : ndarray of int
            A row of the file for every label.
        tasks, y : ndarray
        """
        rows, names, labels = [], [], []
        for target, values in self.labels.items():
            here = np.flatnonzero(~missing_mask(values))
            rows.append(here)
            names += [tasks[i] if len(self.labels) == 1 else pair(tasks[i], target) for i in here]
            labels.append(values[here])
        return np.concatenate(rows), np.array(names, dtype=object), infer_dtype(np.concatenate(labels))


def _is_text(column):
    return column_kind(column) == "text"


def _kind(column):
    if column_kind(column) != "number":
        return "classification"
    values = column.dropna().to_numpy(dtype=float)
    if not np.isfinite(values).all():
        raise InputError(f"Target '{column.name}' holds an infinite value: mend it.")
    n_values = np.unique(values).size
    few = n_values <= max(2, min(MOST_CLASSES, len(values) // 10)) and 2 * n_values <= len(values)
    return "classification" if few and (values == np.rint(values)).all() else "regression"


def _one_kind(kinds, frame):
    if len(set(kinds.values())) == 1:
        return next(iter(kinds.values()))
    numbers = [name for name, kind in kinds.items() if kind == "regression"]
    classes = [name for name in kinds if name not in numbers]
    texts = [name for name in classes if column_kind(frame[name]) == "text"]
    remedy = "compare them in two runs" + ("" if texts else ", or take all as numbers with --kind regression")
    raise InputError(f"Targets of different kinds: {listed(numbers)} numbers, {listed(classes)} classes; {remedy}.")


def _numbers(column):
    if _is_text(column):
        example = column.dropna().iloc[0]
        raise InputError(
            f"Target '{column.name}' holds text, such as {example!r}, which --kind regression cannot take: "
            "use --kind classification."
        )
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _classes(column):
    """Classes as Python objects, None where there is no label; integers that pandas made floats are integers again."""
    values = column.astype(object).where(column.notna(), None)
    if column_kind(column) == "number":
        seen = column.dropna()
        if (seen == seen.round()).all():
            return _mapped(values, int)
    return np.array(values.tolist() + [None], dtype=object)[:-1]  # None keeps NumPy from making anything but objects


def _mapped(values, function):
    return np.array([None if value is None else function(value) for value in values] + [None], dtype=object)[:-1]


def _few(values, most=5):
    return ", ".join(map(str, values[:most])) + (", ..." if len(values) > most else "")
