"""``python -m mtlreg predict``: predictions of a saved model for the rows of a CSV file."""

from __future__ import annotations

import argparse
import sys

import numpy as np

from mtlreg.cli._checks import InputError, check_outputs, did_you_mean, listed
from mtlreg.cli._model import SavedModel
from mtlreg.cli._read import need_pandas, read_names, read_rows
from mtlreg.cli._targets import pair, task_labels

__all__ = ["kept", "parser", "run"]


def parser():
    """The options of the command."""
    found = argparse.ArgumentParser(
        prog="python -m mtlreg predict",
        description="Predict the rows of a CSV file with a model that 'compare --save' has written. Columns are found "
        "by name; those the model does not use are ignored. Load only models that you trust: they are pickles.",
    )
    found.add_argument("model", metavar="model.joblib")
    found.add_argument("file", metavar="NEW.csv", help="also .csv.gz")
    found.add_argument("--out", metavar="FILE.csv", help="where to write the predictions (default: stdout)")
    return found


def kept(args):
    """What is left after an interrupt."""
    return "Nothing is written."


def run(args):
    """Read, predict, write."""
    check_outputs({"--out": args.out}, [args.model, args.file])
    need_pandas()
    model = SavedModel.load(args.model)
    if model.differing_versions:
        _say(f"The model was trained with {' and '.join(model.differing_versions)}: predictions may differ.")
    frame = _read(model, args.file)
    tasks = None if model.task is None else _tasks(model, frame)
    for name, levels in model.features.new_levels(frame).items():
        _say(f"Column '{name}' has levels that were not there in training, taken as none: {listed(levels)}.")
    columns = model.predict(model.features.table(frame), tasks)
    if any(None in values for values in columns.values()):
        _say("Cells are left empty where a row's task had no label of the target in training.")
    _write(columns, args.out)


def _read(model, path):
    names, _ = read_names(path)
    needed = [*model.features.columns, *([] if model.task is None else [model.task])]
    missing = [name for name in needed if name not in names]
    if missing:
        raise InputError(
            f"{path} lacks columns that the model needs: {listed(missing)}; for '{missing[0]}': "
            f"{did_you_mean(missing[0], names)}"
        )
    return read_rows(path, needed, texts=[*model.features.texts, *needed[len(model.features.columns) :]])


def _tasks(model, frame):
    """The task of each row, all of them trained."""
    tasks = task_labels(frame[model.task])
    names = {task: [pair(task, target) for target in model.targets] for task in set(tasks)}
    names = names if len(model.targets) > 1 else {task: [task] for task in names}
    unseen = sorted(task for task, found in names.items() if not set(found) & set(model.tasks))
    if unseen:
        raise InputError(
            f"Column '{model.task}' has tasks that were not there in training: {listed(unseen)}. Remove their rows, or "
            "train with labels of theirs."
        )
    return np.asarray(tasks, dtype=object)


def _write(columns, path):
    text = need_pandas().DataFrame({name: np.array(v + [None], dtype=object)[:-1] for name, v in columns.items()})
    if path is None:
        text.to_csv(sys.stdout, index=False)
        return
    try:
        text.to_csv(path, index=False)
    except OSError as error:
        raise InputError(f"--out {path} cannot be written: {error}.") from None
    _say(f"{len(text)} predictions written to {path}")


def _say(text):
    """On stderr: stdout may be the predictions."""
    print(text, file=sys.stderr)
