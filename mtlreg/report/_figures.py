"""Figures of a report, as SVG that takes its colours from the page."""

from __future__ import annotations

import io
import re
import zlib

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

__all__ = ["curves", "gains", "heat_maps", "histories", "net_losses", "similarity"]

INK = "#010203"  # stands for the colour of the page's text
TOP = 40  # features that are shown
ONE_DIRECTION = 0.9  # median cosine
DIVERGING = "RdBu_r"


def _figure(width, height):
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def plain(name):
    """A name as text that matplotlib does not take for mathematics."""
    return str(name).replace("$", r"\$")


def _svg(figure):
    """The figure as SVG text that shrinks with the page, in the page's ink, with names of its own inside."""
    from matplotlib import rc_context

    settings = {f"{part}.color": INK for part in ("text", "xtick", "ytick")} | {"axes.edgecolor": INK}
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "mtlreg", **settings}):
        _ink(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r'(<svg[^>]*?) height="[^"]*pt"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) width="([^"]*pt)"', r'\1 style="max-width: \2"', text, count=1)
    own = f"f{zlib.crc32(text.encode()):08x}-"  # names in one picture are names in the whole page
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{own}", text)
    return text.replace(INK, "currentColor")


def _ink(figure):
    """Draw all that is text or frame in the page's colour."""
    for ax in figure.axes:
        ax.tick_params(colors=INK)
        for spine in ax.spines.values():
            spine.set_edgecolor(INK)
        for text in (ax.title, ax.xaxis.label, ax.yaxis.label):
            text.set_color(INK)
        legend = ax.get_legend()
        if legend is not None:
            legend.get_frame().set_alpha(0)
            for text in legend.get_texts():
                text.set_color(INK)


def gains(comparison, baseline):
    """Gain of every task over a baseline, a row of dots for each model."""
    names = [r.name for r in comparison.results if r.name != baseline]
    figure = _figure(7, 0.35 * len(names) + 1)
    ax = figure.subplots()
    for i, name in enumerate(names):
        values = comparison.gains(name, baseline)
        for side, color in ((values > comparison.threshold, "C2"), (values < -comparison.threshold, "C3")):
            ax.plot(values[side], np.full(side.sum(), i), "o", ms=4, alpha=0.6, color=color)
        rest = np.abs(values) <= comparison.threshold
        ax.plot(values[rest], np.full(rest.sum(), i), "o", ms=4, alpha=0.6, color="0.6")
        ax.plot(np.nanmean(values), i, "D", ms=7, color="C0")
    ax.axvline(0, color=INK, lw=1)
    ax.set_yticks(range(len(names)), [plain(name) for name in names])
    ax.invert_yaxis()
    ax.set_xlabel(f"gain in {comparison.metric} over {plain(baseline)} (dots: tasks, diamond: their mean)")
    ax.grid(axis="x", alpha=0.3)
    return _svg(figure)


def curves(by_name, labels, metric):
    """Scores against the labels that a task has for training."""
    figure = _figure(6, 3.2)
    ax = figure.subplots()
    for name, values in by_name.items():
        ax.plot(labels, values, "o-", label=plain(name))
    ax.set_xscale("log")
    ax.set_xticks(labels, [f"{count:g}" for count in labels])
    ax.minorticks_off()
    ax.set_xlabel("labels of a task in training (median of the tasks)")
    ax.set_ylabel(f"{metric}, mean over the tasks")
    ax.legend(fontsize=8)
    ax.grid(alpha=0.3)
    return _svg(figure)


def heat_maps(components, features, tasks):
    """Coefficients of every part, features by tasks; the features with the largest rows of all parts."""
    total = sum(np.sum(part**2, axis=0) for part in components.values())
    top = np.sort(np.argsort(-total, kind="stable")[:TOP])
    height = 0.17 * len(top) + 1.4
    figure = _figure(min(3.0 + 0.12 * len(tasks) * len(components), 11), height)
    axes = figure.subplots(1, len(components), squeeze=False, sharey=True)[0]
    largest = max(np.abs(part[:, top]).max() for part in components.values()) or 1.0
    for ax, (name, part) in zip(axes, components.items(), strict=True):
        drawn = ax.imshow(part[:, top].T, cmap=DIVERGING, vmin=-largest, vmax=largest, aspect="auto")
        ax.set_title(plain(name), fontsize=10)
        _task_ticks(ax, tasks)
    axes[0].set_yticks(range(len(top)), [plain(features[j]) for j in top], fontsize=7)
    figure.colorbar(drawn, ax=axes.tolist(), shrink=0.6).outline.set_edgecolor(INK)
    return _svg(figure)


def similarity(coef, tasks):
    """Cosines of the tasks' coefficients, tasks that are alike side by side; and the tasks in that order.

    And whether they are those of what the tasks have beside their mean: where all are nearly one direction, that is
    what tells them apart.
    """
    unit = coef / np.maximum(np.linalg.norm(coef, axis=1, keepdims=True), np.finfo(float).tiny)
    beside = float(np.median((unit @ unit.T)[np.triu_indices(len(coef), 1)])) > ONE_DIRECTION
    coef = coef - coef.mean(axis=0) if beside else coef
    norms = np.linalg.norm(coef, axis=1)
    used = np.flatnonzero(norms > 0)
    unit = coef[used] / norms[used, None]
    cosines = np.clip(unit @ unit.T, -1, 1)
    order = np.arange(len(used))
    if len(used) > 2:
        distance = 1 - cosines
        np.fill_diagonal(distance, 0.0)
        order = leaves_list(linkage(squareform(distance, checks=False), "average"))
    figure = _figure(5.5, 5)
    ax = figure.subplots()
    drawn = ax.imshow(cosines[np.ix_(order, order)], cmap=DIVERGING, vmin=-1, vmax=1)
    ordered = [tasks[used[k]] for k in order]
    _task_ticks(ax, ordered)
    ax.set_yticks(ax.get_xticks(), [plain(ordered[int(k)]) for k in ax.get_xticks()], fontsize=7)
    figure.colorbar(drawn, ax=ax, shrink=0.7).outline.set_edgecolor(INK)
    return _svg(figure), ordered, beside


def _task_ticks(ax, tasks):
    """Names of the tasks below, as many as can be read."""
    every = max(1, int(np.ceil(len(tasks) / 40)))
    shown = range(0, len(tasks), every)
    ax.set_xticks(shown, [plain(str(tasks[k])[:16]) for k in shown], rotation=90, fontsize=7)


def net_losses(net):
    """The net's losses by epoch: mean over the tasks, and the range in which four of five tasks are."""
    figure = _figure(6, 3.2)
    ax = figure.subplots()
    for curve, name in ((net.loss_curve_, "training"), (net.validation_curve_, "held out")):
        if curve is None:
            continue
        epochs = np.arange(1, len(curve) + 1)
        low, high = np.nanpercentile(curve, [10, 90], axis=1)
        (line,) = ax.plot(epochs, np.nanmean(curve, axis=1), label=name)
        ax.fill_between(epochs, low, high, alpha=0.2, color=line.get_color(), lw=0)
    ax.set_xlabel("epoch")
    ax.set_ylabel("mean loss of a task")
    ax.legend(fontsize=8)
    ax.grid(alpha=0.3)
    return _svg(figure)


def histories(name, history):
    """The certified gap of a linear model by time, relative to the objective at zero."""
    figure = _figure(6, 2.8)
    ax = figure.subplots()
    gap = history["gap"] / max(history["objective"][0], np.finfo(float).tiny)
    known = gap > 0
    ax.plot(history["seconds"][known], gap[known], "o-", ms=3)
    ax.set_yscale("log")
    ax.set_xlabel("seconds")
    ax.set_ylabel("gap / objective at zero")
    ax.set_title(plain(name), fontsize=10)
    ax.grid(alpha=0.3)
    return _svg(figure)
