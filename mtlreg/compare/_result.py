"""What `compare` found: a table, a frame, a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Comparison", "ModelResult"]


@dataclass
class ModelResult:
    """One row of a comparison.

    Attributes
    ----------
    name : str
    scores : ndarray (n_splits, n_tasks)
        NaN where the metric is undefined.
    features : float
        Features kept, mean over the splits; NaN where every feature is used.
    gap : float
        The largest certified gap relative to the objective at zero; NaN for models without a certificate.
    seconds : float
        Search and fit, all splits together.
    """

    name: str
    scores: np.ndarray
    features: float
    gap: float
    seconds: float


@dataclass
class Comparison:
    """Models side by side on the same splits.

    Attributes
    ----------
    metric : str
        Greater is better.
    tasks : list
    results : list of ModelResult
    baseline : str
        The model that gains are measured against.
    threshold : float
        A task counts as helped or hurt where the mean gain is beyond this.
    """

    metric: str
    tasks: list
    results: list
    baseline: str = "independent"
    threshold: float = 0.005

    def gains(self, result):
        """Mean gain of every task over the baseline, over the splits where both are defined."""
        base = next((r for r in self.results if r.name == self.baseline), None)
        if base is None:
            return np.full(len(self.tasks), np.nan)
        return _nanmean(result.scores - base.scores)

    def rows(self):
        """One dict a model."""
        rows = []
        for r in self.results:
            gains = self.gains(r)
            known = gains[~np.isnan(gains)]
            rows.append(
                {
                    "model": r.name,
                    self.metric: float(np.nanmean(_nanmean(r.scores))),
                    "gain": float(known.mean()) if known.size else np.nan,
                    "helped": int((known > self.threshold).sum()),
                    "unchanged": int((np.abs(known) <= self.threshold).sum()),
                    "hurt": int((known < -self.threshold).sum()),
                    "features": r.features,
                    "seconds": r.seconds,
                    "gap": r.gap,
                }
            )
        return rows

    def to_frame(self):
        """The table as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.rows()).set_index("model")

    def __str__(self):
        rows = self.rows()
        formats = {
            self.metric: "{:.4f}",
            "gain": "{:+.4f}",
            "features": "{:.1f}",
            "seconds": "{:.1f}",
            "gap": "{:.0e}",
        }
        header = list(rows[0])
        table = [header]
        for row in rows:
            table.append([_cell(row[key], formats.get(key, "{}")) for key in header])
        widths = [max(len(line[c]) for line in table) for c in range(len(header))]
        lines = [
            "  ".join(
                cell.ljust(w) if c == 0 else cell.rjust(w) for c, (cell, w) in enumerate(zip(line, widths, strict=True))
            )
            for line in table
        ]
        lines.insert(1, "  ".join("-" * w for w in widths))
        note = (
            f"{self.metric}: mean over {len(self.tasks)} tasks and {self.results[0].scores.shape[0]} splits. "
            f"helped / hurt: tasks whose mean gain over {self.baseline!r} is beyond {self.threshold:g}."
        )
        return "\n".join([*lines, note])

    def plot(self, ax=None):
        """Scores of the models, and how they spread over the tasks.

        Parameters
        ----------
        ax : matplotlib axes, default=None

        Returns
        -------
        matplotlib axes
        """
        import matplotlib.pyplot as plt

        ax = plt.subplots(figsize=(7, 0.5 * len(self.results) + 1.5), layout="constrained")[1] if ax is None else ax
        for i, r in enumerate(self.results):
            per_task = _nanmean(r.scores)
            ax.plot(per_task, np.full(len(per_task), i), "o", color="0.7", markersize=5)
            ax.plot(np.nanmean(per_task), i, "D", color="C0", markersize=8)
        ax.set_yticks(range(len(self.results)), [r.name for r in self.results])
        ax.invert_yaxis()
        ax.set_xlabel(f"{self.metric} (diamond: mean over tasks, dots: tasks)")
        ax.grid(axis="x", alpha=0.3)
        return ax


def _cell(value, form):
    return "-" if isinstance(value, float) and np.isnan(value) else form.format(value)


def _nanmean(scores):
    """Mean over the splits where a task's score is defined, NaN where it never is."""
    counts = (~np.isnan(scores)).sum(axis=0)
    return np.where(counts > 0, np.nansum(scores, axis=0) / np.maximum(counts, 1), np.nan)
