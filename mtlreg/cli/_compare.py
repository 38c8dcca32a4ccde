"""``python -m mtlreg compare``: which way of sharing helps on the rows of a CSV file."""

from __future__ import annotations

import argparse
import csv
import json
import re

import mtlreg
from mtlreg.cli._checks import InputError, check_columns, check_outputs, did_you_mean
from mtlreg.cli._features import Features
from mtlreg.cli._model import SavedModel
from mtlreg.cli._read import need_pandas, read_names, read_rows
from mtlreg.cli._targets import Targets, task_labels
from mtlreg.compare import FAMILIES, compare
from mtlreg.metrics._registry import METRICS

__all__ = ["kept", "parser", "run"]

NUMBER_METRICS = ["r2", "explained_variance"]
CLASS_METRICS = [name for name, entry in METRICS.items() if entry.greater_is_better and name not in NUMBER_METRICS]
NOT_SETTINGS = ("save", "json", "plot", "report", "quiet", "command_line")
KINDS = {"regression": NUMBER_METRICS, "classification": CLASS_METRICS}


def parser():
    """The options of the command."""
    found = argparse.ArgumentParser(
        prog="python -m mtlreg compare",
        description="Compare ways of sharing between tasks on the rows of a CSV file: every model on the same splits, "
        "its strength chosen inside the training part.",
        epilog="Families: " + "; ".join(f"{name}: {text}" for name, text in FAMILIES.items()) + ".",
    )
    found.add_argument("file", metavar="FILE.csv", help="the first line has the names of the columns; also .csv.gz")
    data = found.add_argument_group("columns (names with commas in quotes)")
    data.add_argument("--target", type=_names, required=True, metavar="A[,B...]", help="what is predicted; empty cells "
                      "are missing labels. Several targets are a task each")  # fmt: skip
    data.add_argument("--task", metavar="A", help="the column that names the task of each row; with several targets "
                      "every pair of task and target is a task")  # fmt: skip
    chosen = data.add_mutually_exclusive_group()
    chosen.add_argument("--features", type=_names, metavar="A,B", help="default: all other columns")
    chosen.add_argument("--exclude", type=_names, default=[], metavar="A,B", help="columns that are no features")
    data.add_argument("--kind", choices=["auto", *KINDS], default="auto", help="default: by the targets")
    data.add_argument("--impute", choices=["median"], help="fill empty cells of features (default: refuse them)")
    fits = found.add_argument_group("models")
    fits.add_argument("--families", type=_names, metavar="A,B", help="'all', or names; default: the first eleven")
    fits.add_argument("--metric", help=f"{', '.join(NUMBER_METRICS)} for numbers; {', '.join(CLASS_METRICS)} for "
                      "classes (default: r2; roc_auc for two classes, accuracy for more)")  # fmt: skip
    for name, default, text in [
        ("--folds", 5, "folds that are tested"),
        ("--inner-folds", 3, "folds inside a training part, which choose the strength"),
        ("--alphas", 6, "strengths to choose from"),
        ("--seed", 0, "of splits and nets"),
        ("--jobs", 1, "processes; -1 is all cores"),
    ]:
        fits.add_argument(name, type=int, default=default, metavar="N", help=f"{text} (default: {default})")
    fits.add_argument("--cache", metavar="FOLDER", help="keep what is done: the same command resumes there")
    out = found.add_argument_group("output")
    out.add_argument("--save", metavar="model.joblib", help="fit the best model on all rows, for 'predict'")
    out.add_argument("--json", metavar="FILE.json", help="the results and the settings")
    out.add_argument("--plot", metavar="FILE.png", help="a picture of the scores")
    out.add_argument("--report", metavar="FILE.html", help="a page on what is shared and which tasks it helps")
    out.add_argument("--quiet", action="store_true", help="no progress on stderr")
    return found


def kept(args):
    """What is left after an interrupt."""
    if args.cache:
        return f"What is done is kept in {args.cache}: the same command resumes there."
    return "Nothing is kept; --cache FOLDER keeps what is done."


def run(args):
    """Read, compare, report."""
    _check_options(args)
    chosen, targets, features, frame, notes = _read(args)
    X = features.table(frame)
    if X.to_numpy().dtype == "float32":
        notes.append("Features are kept as float32: there are more than 20 million cells.")
    metric = _metric(args.metric, targets.kind)
    X, y, tasks = _problem(X, frame, targets, args.task)
    _print(notes)
    try:
        found = compare(
            X,
            y,
            task_feature=args.task,
            families="all" if args.families == ["all"] else args.families,
            metric=metric,
            cv=args.folds,
            inner_cv=args.inner_folds,
            n_alphas=args.alphas,
            refit=args.save is not None,
            random_state=args.seed,
            n_jobs=args.jobs,
            cache=args.cache,
            verbose=0 if args.quiet else 1,
        )
    except ValueError as error:  # what only the splits and fits can tell, such as too few labels for the folds
        raise InputError(_in_options(str(error).strip().partition("\n")[0], args)) from error
    found.tasks = tasks
    print(found)
    _save(found, args, features, targets, chosen, notes, X, y)


def _in_options(message, args):
    """A message of `compare` in the words of this command, where they are not its own."""
    message = re.sub("^families has", "--families has", message)
    message = re.sub("^cache='([^']*)'", r"--cache \1", message)
    message = message.replace("the columns of a 2-D y", "several targets without --task")
    folds = {"--folds": args.folds, "--inner-folds": args.inner_folds}
    meant = " or ".join(option for option, number in folds.items() if re.search(rf"n_splits={number}\b", message))
    return message.replace("n_splits=", f"{meant} ").replace("n_splits", meant)


def _names(text):
    """Names separated by commas, those that hold commas in quotes."""
    return [name.strip() for name in next(csv.reader([text], skipinitialspace=True), []) if name.strip()]


def _check_options(args):
    """What can be told without reading the file."""
    need_pandas()
    outputs = {"--save": args.save, "--json": args.json, "--plot": args.plot, "--report": args.report}
    check_outputs(outputs, [args.file])
    least = {"folds": 2, "inner_folds": 2, "alphas": 1, "seed": 0}
    for name, smallest in least.items():
        if getattr(args, name) < smallest:
            raise InputError(f"--{name.replace('_', '-')} {getattr(args, name)} must be at least {smallest}.")
    if args.jobs == 0:
        raise InputError("--jobs 0: give the number of processes, or -1 for all cores.")
    if args.families == []:
        raise InputError("--families names no family: give 'all', or names.")
    for name in [] if args.families == ["all"] else args.families or []:
        if name not in FAMILIES:
            raise InputError(f"--families: there is no '{name}'; {did_you_mean(name, FAMILIES)}")
        if args.families.count(name) > 1:
            raise InputError(f"--families names '{name}' twice: once is enough.")
    if args.metric and args.metric not in NUMBER_METRICS + CLASS_METRICS:
        raise InputError(f"--metric: there is no '{args.metric}'; {did_you_mean(args.metric, sum(KINDS.values(), []))}")
    if args.kind != "auto":
        _metric(args.metric, args.kind)
    if args.report:
        need_matplotlib("--report")
    if args.plot:
        _check_plot(args.plot)


def _metric(metric, kind):
    """The metric to ask for: none lets `compare` choose among those for classes."""
    if metric and metric not in KINDS[kind]:
        raise InputError(
            f"--metric {metric} is not for {kind}: give one of {', '.join(KINDS[kind])}, or another --kind."
        )
    return metric or ("r2" if kind == "regression" else None)


def need_matplotlib(option):
    """Say what to install, before the long work begins."""
    try:
        import matplotlib.backends.backend_agg  # noqa: F401
    except ImportError:
        raise InputError(f'{option} needs matplotlib: pip install "mtlreg[plot]"') from None


def _check_plot(path):
    need_matplotlib("--plot")
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    ending = str(path).rpartition(".")[2].lower()
    known = FigureCanvasAgg.get_supported_filetypes()
    if ending not in known:
        raise InputError(f"--plot {path}: give a name that ends in one of {', '.join(sorted(known))}.")


def _read(args):
    """Names of the features, the targets, the features, the rows and the notes."""
    names, notes = read_names(args.file)
    check_columns(args.target, names, "--target", args.file)
    check_columns(args.features or args.exclude, names, "--features" if args.features else "--exclude", args.file)
    if not args.target:
        raise InputError("--target names no column.")
    if args.task is not None:
        check_columns([args.task], names, "--task", args.file)
        if args.task in args.target:
            raise InputError(f"Column '{args.task}' is both --task and --target: choose one.")
    used = {args.task, *args.target}
    both = [name for name in args.features or [] if name in used]
    if both:
        raise InputError(f"Column '{both[0]}' is in --features and is a target or the task: remove it there.")
    chosen = args.features or [name for name in names if name not in used and name not in args.exclude]
    if not chosen:
        raise InputError(f"{args.file} has no column left that is a feature: name fewer in --target and --exclude.")
    texts = [] if args.task is None else [args.task]
    frame = read_rows(args.file, [*chosen, *args.target, *texts], texts=texts)
    labelled = int(frame[args.target].notna().any(axis=1).sum())
    if 0 < labelled < args.folds:
        raise InputError(f"{args.file} has {labelled} rows with a label, fewer than --folds {args.folds}.")
    targets, more = Targets.learn(frame[args.target], args.kind)
    features, about = Features.learn(frame[chosen], impute=args.impute is not None)
    return chosen, targets, features, frame, notes + more + about


def _problem(X, frame, targets, task):
    """X, y and the names of the tasks, as `compare` takes them."""
    if task is None:
        return X, targets.shared(), list(targets.labels)
    rows, tasks, y = targets.long(task_labels(frame[task]))
    if task in X.columns:
        raise InputError(f"Column '{task}' has the name of an indicator: rename it.")
    return X.iloc[rows].assign(**{task: tasks}), y, sorted(set(tasks))


def _print(notes):
    for note in notes:
        print(note)
    if notes:
        print(flush=True)


def _save(found, args, features, targets, chosen, notes, X, y):
    """Write what the options ask for, and say so; one that fails does not keep the others from being written."""
    writers = {
        "Model": ("--save", args.save, lambda path: _model(found, args, features, targets).save(path)),
        "Results": ("--json", args.json, lambda path: _write_json(path, found, args, targets.kind, chosen, notes)),
        "Picture": ("--plot", args.plot, lambda path: _draw(found, path)),
        "Report": ("--report", args.report, lambda path: found.report(path, X, y, args.command_line)),
    }
    failed = []
    for what, (option, path, write) in writers.items():
        if path is None:
            continue
        try:
            write(path)
        except (OSError, ValueError, RuntimeError) as error:
            failed.append(f"{option} {path} cannot be written: {error}.")
            continue
        print(f"{what} {found.best_ + ', fitted on all rows, ' if option == '--save' else ''}saved to {path}")
    if failed:
        raise InputError(" ".join(failed))


def _model(found, args, features, targets):
    return SavedModel(
        estimator=found.best_estimator_,
        name=found.best_,
        kind=targets.kind,
        features=features,
        targets=args.target,
        task=args.task,
        tasks=found.tasks,
        classes=targets.classes,
        versions=SavedModel.versions_here(),
    )


def _write_json(path, found, args, kind, chosen, notes):
    settings = {name: value for name, value in vars(args).items() if name not in NOT_SETTINGS}
    settings |= {"features": chosen, "kind": kind, "metric": found.metric, "families": [r.name for r in found.results]}
    settings |= {"version": mtlreg.__version__, "notes": notes}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(found.to_dict() | {"settings": settings}, file, indent=2, ensure_ascii=False)
        file.write("\n")


def _draw(found, path):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 0.5 * len(found.results) + 1.5), layout="constrained")
    found.plot(figure.subplots())
    figure.savefig(path, dpi=120)
