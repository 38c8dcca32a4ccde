"""Figures, without a window."""

import numpy as np
from matplotlib.figure import Figure

__all__ = ["curves", "error_panels", "panels"]


def panels(n_rows, n_columns, xlabel, ylabel):
    """A figure and its axes (n_rows, n_columns)."""
    fig = Figure(figsize=(3.4 * n_columns + 0.6, 2.6 * n_rows + 0.4), layout="constrained")
    axes = fig.subplots(n_rows, n_columns, squeeze=False, sharex="col")
    for ax in axes[-1]:
        ax.set_xlabel(xlabel, fontsize=9)
    for ax in axes[:, 0]:
        ax.set_ylabel(ylabel, fontsize=9)
    return fig, axes


def curves(ax, x, by_name, logy=False):
    """Mean and standard error over the last axis of (n_x, n_draws), a line for each name."""
    for k, (name, values) in enumerate(by_name.items()):
        error = values.std(axis=1, ddof=1) / np.sqrt(values.shape[1]) if values.shape[1] > 1 else None
        ax.errorbar(x, values.mean(axis=1), yerr=error, fmt="o-", ms=3, lw=1.2, color=f"C{k}", label=name)
    ax.set_xscale("log", base=2)
    ax.set_xticks(x, [f"{value:g}" for value in x])
    ax.minorticks_off()
    if logy:
        ax.set_yscale("log")


def error_panels(xlabel, settings, by_title):
    """Relative squared errors against the settings: a panel for each title, a line for each model."""
    fig, axes = panels(1, len(by_title), xlabel, "relative squared error")
    for ax, (title, found) in zip(axes[0], by_title.items(), strict=True):
        curves(ax, np.array(settings), found, logy=True)
        ax.set_title(title, fontsize=10)
    axes[0][0].legend(fontsize=8)
    return fig
