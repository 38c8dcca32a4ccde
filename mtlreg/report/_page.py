"""The page: what each section says."""

from __future__ import annotations

import platform
import time
from html import escape
from importlib import metadata
from importlib.resources import files
from pathlib import Path

import numpy as np

from mtlreg.compare._models import FAMILIES
from mtlreg.report import _figures as draw
from mtlreg.report._collect import SHARES, SPLITS, collect
from mtlreg.report._html import definitions, details, figure, number, paragraph, section, table
from mtlreg.validation import to_host

__all__ = ["write_report"]

PACKAGES = ("mtlreg", "numpy", "scipy", "scikit-learn", "numba", "matplotlib")


def write_report(path, comparison, X, y, command=None):
    """Write a comparison as one HTML file, which needs no other file and no network.

    Besides the comparison's scores it shows the best linear model and the net, fitted on all rows, and scores with
    fewer training rows, for which it fits some models again.

    Parameters
    ----------
    path : str or path
    comparison : Comparison
        As `mtlreg.compare.compare` returned it for these X and y.
    X, y : array-like or data frame
    command : str, default=None
        What makes this page again, to be shown.

    Returns
    -------
    pathlib.Path
        Of the file.

    Raises
    ------
    ImportError
        There is no matplotlib; said before anything is fitted.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ImportError('A report needs matplotlib: pip install "mtlreg[plot]"') from None
    findings = collect(comparison, X, y)
    parts = [
        ("data", "The data", _data(findings)),
        ("scores", "Which sharing helps", _scores(comparison)),
        ("tasks", "Which tasks it helps", _tasks(comparison)),
        ("curves", "With fewer rows", _curves(findings)),
        ("shared", "What is shared", _shared(findings)),
        ("alike", "Which tasks are alike", _alike(findings)),
        ("net", "The net", _net(findings)),
        ("proof", "How well the models are solved", _proof(findings)),
        ("again", "How to make this page again", _again(comparison, command)),
    ]
    links = "\n".join(f'<li><a href="#{anchor}">{escape(title)}</a></li>' for anchor, title, body in parts if body)
    sections = "\n".join(section(anchor, title, *body) for anchor, title, body in parts if body)
    style = files("mtlreg.report").joinpath("_style.css").read_text(encoding="utf-8")
    page = _PAGE.format(style=style, lead=_lead(comparison), links=links, sections=sections)
    path = Path(path)
    path.write_text(page, encoding="utf-8")
    return path


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Does sharing help here?</title>
<style>
{style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the results</a>
<header>
<h1>Does sharing help here?</h1>
{lead}
<nav aria-label="Contents"><ol>
{links}
</ol></nav>
</header>
<main id="main">
{sections}
</main>
</body>
</html>
"""


def _lead(comparison):
    """The answer in two sentences."""
    best, names = comparison.best_, [r.name for r in comparison.results]
    score = np.nanmean(comparison[best].overall["macro"])
    says = f" ({FAMILIES[best]})" if best in FAMILIES else ""
    text = f"The best of {len(names)} models is {best}{says}: {comparison.metric} {score:.4f}, mean over the tasks."
    baseline = comparison.baselines[0]
    if baseline in names and best != baseline:
        mean, low, high = comparison.gain_interval(best, baseline)
        sure = "no interval, for there is one split"
        if np.isfinite(low):
            sure = f"95 % interval {low:+.4f} to {high:+.4f}"
            sure += (
                ", which excludes 0" if low > 0 or high < 0 else ", in which 0 lies: the gain is not shown to be real"
            )
        text += f" Over models that share nothing it gains {mean:+.4f} ({sure})."
    elif best == baseline:
        text += " It shares nothing: on these data no way of sharing was better."
    return paragraph(text)


def _data(findings):
    counts = np.array(list(findings.labels.values()))
    pairs = [("rows", findings.rows), ("features", findings.n_features), ("tasks", len(counts))]
    pairs += [("labels", int(counts.sum()))]
    if findings.missing is not None:
        pairs.append(("missing labels", f"{findings.missing:.1%}"))
    pairs.append(("labels of a task", f"{counts.min()} to {counts.max()}, median {np.median(counts):g}"))
    rows = [[task, count] for task, count in findings.labels.items()]
    return [definitions(pairs), details("Labels of every task", table("Labels by task", ["task", "labels"], rows))]


def _scores(comparison):
    header, lines = ["model", "macro", "weighted", "pooled"], []
    baselines = [b for b in comparison.baselines if b in [r.name for r in comparison.results]]
    header += [f"gain over {b}" for b in baselines]
    counted = bool(baselines) and baselines[0] == comparison.baselines[0]
    header += (["tasks helped", "same", "hurt"] if counted else []) + ["features", "seconds"]
    for row in comparison.rows():
        cells = [row["model"], *(number(row[average]) for average in ("macro", "weighted", "pooled"))]
        cells += [_gain(row, baseline) for baseline in baselines]
        cells += [row[key] for key in ("helped", "unchanged", "hurt")] if counted else []
        lines.append([*cells, number(row["features"], "{:.1f}"), number(row["seconds"], "{:.1f}")])
    best = [r.name for r in comparison.results].index(comparison.best_)
    n_splits = len(comparison.results[0].scores)
    caption = f"{comparison.metric}, mean over {n_splits} splits; the best in bold"
    notes = [
        "macro is the mean of the tasks' scores, weighted the mean by their labels, pooled the score of all labels "
        "together. Strengths are chosen by cross-validation inside the training part. Gains are in macro score, paired "
        "over the splits, with a 95 % interval that allows for overlapping training parts (Nadeau and Bengio, 2003); "
        "they are not corrected for the number of models.",
    ]
    if counted:
        notes.append(
            f"A task is helped or hurt where its own score changes by more than {comparison.threshold:g} against "
            f"{baselines[0]}, the same model on every task alone."
        )
    if comparison.untested:
        few = ", ".join(map(str, comparison.untested[:10]))
        notes.append(f"{len(comparison.untested)} tasks have too few labels to be tested: {few}.")
    assumed = [(r.name, FAMILIES.get(r.name, "given by the user")) for r in comparison.results]
    return [
        table(caption, header, lines, [(best, "best")]),
        details("What the models assume", definitions(assumed)),
        *map(paragraph, notes),
    ]


def _gain(row, baseline):
    short = f"over {baseline}"
    if row["model"] == baseline:
        return "–"
    low, high = row[f"{short}, low"], row[f"{short}, high"]
    kind = "good" if low > 0 else "bad" if high < 0 else ""
    text = number(row[short], "{:+.4f}") + ("" if np.isnan(low) else f" [{low:+.3f}, {high:+.3f}]")
    return f'<td class="{kind}">{text}</td>'


def _tasks(comparison):
    names = [r.name for r in comparison.results]
    baseline = next((b for b in comparison.baselines if b in names), None)
    if baseline is None or len(names) < 2:
        return []
    best = comparison.best_ if comparison.best_ != baseline else next(name for name in names if name != baseline)
    values = comparison.gains(best, baseline)
    order = np.argsort(-np.nan_to_num(values, nan=-np.inf))
    rows = [[comparison.tasks[k], number(float(values[k]), "{:+.4f}")] for k in order]
    known = values[~np.isnan(values)]
    alt = (
        f"Dots for {len(known)} tasks, a row for each model. Under {best} the gains of the tasks over {baseline} run "
        f"from {known.min():+.3f} to {known.max():+.3f}, mean {known.mean():+.3f}."
    )
    return [
        figure(
            draw.gains(comparison, baseline),
            alt,
            f"Green: better than {baseline} by more than {comparison.threshold:g}; red: worse; grey: within.",
        ),
        details(f"Every task under {best}", table(f"Gain of {best} over {baseline}", ["task", "gain"], rows)),
    ]


def _curves(findings):
    if not findings.curves:
        return []
    metric, labels = findings.comparison.metric, findings.curve_labels
    header = ["model", *(f"{share:.0%}: {count:g} labels" for share, count in zip(SHARES, labels, strict=True))]
    rows = [[name, *(number(float(v)) for v in values)] for name, values in findings.curves.items()]
    caption = (
        f"{metric} with a share of the training rows (labels: median of the tasks), mean of the first {SPLITS} splits"
    )
    alt = "; ".join(f"{name}: {', '.join(row)}" for name, *row in rows)
    return [
        paragraph(
            "What sharing is worth when rows are few: the training rows are thinned at random, in each task where "
            "tasks have rows of their own. A dash: too few for a search with its folds."
        ),
        figure(draw.curves(findings.curves, labels, metric), f"Scores by labels of a task. {alt}", "As in the table."),
        table(caption, header, rows),
    ]


def _column_labels(findings, model):
    """What each row of the coefficients is of: a task, or a class of one."""
    names = findings.comparison.tasks
    if len(names) == len(np.atleast_2d(to_host(model.coef_))):
        return [str(task) for task in names]
    return [str(task) if c is None else f"{task}: {c}" for task, c in model.columns_]


def _feature_names(model):
    names = getattr(model, "feature_names_in_", None)
    names = [f"x{j}" for j in range(model.n_features_in_)] if names is None else list(names)
    if model.task_position_ is not None:
        names.pop(model.task_position_)
    return names


def _shared(findings):
    if findings.linear is None:
        return []
    name, model = findings.linear
    parts = {part: np.atleast_2d(coef) for part, coef in model.components_.items()}
    features = _feature_names(model)
    tasks = _column_labels(findings, model)
    used = np.any(np.concatenate(list(parts.values())) != 0, axis=0)
    size = np.sqrt(sum((part**2).sum(axis=0) for part in parts.values()))
    top = np.argsort(-size)[:20]
    rows = [
        [features[j], *(number(float(np.linalg.norm(part[:, j])), "{:.3g}") for part in parts.values()),
         int(np.any([part[:, j] != 0 for part in parts.values()], axis=0).sum())]
        for j in top
    ]  # fmt: skip
    said = "all rows of the data"
    text = (
        f"{name} is the best linear model ({FAMILIES.get(name, 'given by the user')}), here fitted on {said}. It uses "
    )
    text += f"{int(used.sum())} of {len(features)} features."
    if len(parts) > 1:
        text += f" Its coefficients are the sum of the parts {', '.join(parts)}."
    shown = f", the {draw.TOP} largest of {len(features)} features" if len(features) > draw.TOP else ""
    largest = ", ".join(str(features[j]) for j in top[:5])
    alt = f"Coefficients of {len(tasks)} tasks{shown}. The largest features: {largest}."
    header = ["feature", *(f"size in {part}" for part in parts), "columns that use it"]
    return [
        paragraph(text),
        figure(draw.heat_maps(parts, features, tasks), alt, f"Features by tasks{shown}; red positive, blue negative."),
        table("The largest features: root of the sum of squares over the tasks", header, rows),
    ]


def _alike(findings):
    if findings.linear is None:
        return []
    name, model = findings.linear
    coef = np.atleast_2d(to_host(model.coef_))
    if len(coef) < 3 or np.count_nonzero(coef.any(axis=1)) < 3:
        return []
    labels = _column_labels(findings, model)
    svg, order, beside = draw.similarity(coef, labels)
    what = "what the coefficients of each task are beside the mean of all" if beside else "the coefficients"
    alt = f"Cosines between {len(order)} tasks, those that are alike side by side: "
    alt += ", ".join(order[:12])
    return [
        paragraph(f"Cosines of {what} under {name}: 1 where two tasks have the same direction, -1 where opposite."),
        figure(
            svg,
            alt + (" and so on." if len(order) > 12 else "."),
            "Tasks in the order of an average-linkage clustering.",
        ),
    ]


def _net(findings):
    net = findings.net
    if net is None:
        return []
    last = float(np.nanmean(net.loss_curve_[-1]))
    text = (
        f"Hidden layers of {', '.join(map(str, net.hidden_layer_sizes))} units shared by all tasks; {net.n_iter_} "
        f"epochs on all rows, mean training loss {last:.4g}. The state kept is the best on the rows held out."
    )
    alt = f"Mean loss by epoch, {net.n_iter_} epochs, ending at {last:.4g} in training."
    return [
        paragraph(text),
        figure(draw.net_losses(net), alt, "Mean over the tasks; the band holds four of five tasks."),
    ]


def _proof(findings):
    rows = [[r.name, number(r.gap, "{:.0e}")] for r in findings.comparison.results]
    parts = [
        paragraph(
            "For a convex model the duality gap is a proved bound on how far its objective is from the smallest "
            "possible one, here relative to the objective at zero coefficients. Nets and models that are not convex "
            "have none."
        ),
        table("The largest gap of any fit that was scored", ["model", "gap"], rows),
    ]
    if findings.linear is not None and len(findings.linear[1].history_["gap"]) > 1:
        name, model = findings.linear
        alt = f"The gap of {name} falls to {model.dual_gap_:.1e} in {model.n_iter_} iterations."
        parts.append(
            figure(draw.histories(name, model.history_), alt, "The fit on all rows, certificate by certificate.")
        )
    return parts


def _again(comparison, command):
    parts = [] if command is None else [f"<pre>{escape(command)}</pre>"]
    parts.append(definitions(sorted((name, value) for name, value in comparison.settings.items())))
    versions = [(package, _version(package)) for package in PACKAGES]
    parts.append(details("Versions and machine", definitions([
        *versions,
        ("Python", platform.python_version()),
        ("machine", f"{platform.machine()}, {platform.system()}"),
        ("made", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())),
    ])))  # fmt: skip
    return parts


def _version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
