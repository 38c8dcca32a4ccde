"""What `compare` found: a table, a frame, a picture."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import stats

__all__ = ["Comparison", "ModelResult"]


@dataclass
class ModelResult:
    """One model of a comparison.

    Attributes
    ----------
    name : str
    scores : ndarray (n_splits, n_tasks)
        NaN where the metric is undefined.
    overall : dict of ndarray (n_splits,)
        "macro": mean over the tasks; "weighted": with their numbers of labels; "pooled": the metric of all labels
        together.
    features : float
        Features kept, mean over the splits; NaN for models that are not linear.
    gap : float
        The largest certified gap relative to the objective at zero; NaN for models without a certificate.
    seconds : float
        Search and fit, all splits together.
    share : float
        Test rows for each training row, mean over the splits.
    """

    name: str
    scores: np.ndarray
    overall: dict
    features: float
    gap: float
    seconds: float
    share: float

    @classmethod
    def collect(cls, name, tasks, runs):
        """From the runs of all splits."""
        return cls(
            name,
            np.array([[one.scores.get(task, np.nan) for task in tasks] for one in runs]),
            {average: np.array([one.overall[average] for one in runs]) for average in runs[0].overall},
            float(np.mean([one.features for one in runs])),
            float(np.max([one.gap for one in runs])),
            float(np.sum([one.seconds for one in runs])),
            float(np.mean([one.share for one in runs])),
        )


@dataclass
class Comparison:
    """Models side by side on the same splits.

    Attributes
    ----------
    metric : str
        Greater is better.
    tasks : list
    results : list of ModelResult
    baselines : tuple of str
        The models that gains are measured against; tasks are counted as helped or hurt against the first.
    threshold : float
        A task counts as helped or hurt where the mean gain is beyond this.
    level : float
        Of the intervals.
    best_estimator_ : estimator
        With ``refit=True``: the model of ``best_`` fitted on all rows.
    models : dict
        The estimators by name, not fitted.
    splits : list of (train, test)
    task_feature : str, int or None
    settings : dict
        What `compare` was asked for.
    """

    metric: str
    tasks: list
    results: list
    baselines: tuple = ("independent", "pooled_intercepts")
    threshold: float = 0.005
    level: float = 0.95
    best_estimator_: object = field(default=None, repr=False)
    models: dict = field(default_factory=dict, repr=False)
    splits: list = field(default_factory=list, repr=False)
    task_feature: object = field(default=None, repr=False)
    settings: dict = field(default_factory=dict, repr=False)

    def report(self, path, X, y, command=None):
        """Write all this, and what the best models share, as one HTML page.

        It fits the best linear model and the net on all rows, and some models on fewer rows, and needs matplotlib.

        Parameters
        ----------
        path : str or path
            Of the file to write.
        X, y
            Those that were compared.
        command : str, default=None
            What makes the page again, to be shown on it.

        Returns
        -------
        pathlib.Path
        """
        from mtlreg.report import write_report

        return write_report(path, self, X, y, command)

    @property
    def best_(self):
        """Name of the model with the best macro score; of equals the first."""
        means = [
            np.nanmean(r.overall["macro"]) if np.isfinite(r.overall["macro"]).any() else -np.inf for r in self.results
        ]
        return self.results[int(np.argmax(means))].name

    @property
    def untested(self):
        """Tasks without a score in any split: those with too few labels to be tested."""
        seen = np.any([~np.isnan(r.scores) for r in self.results], axis=(0, 1))
        return [task for task, tested in zip(self.tasks, seen, strict=True) if not tested]

    def __getitem__(self, name):
        """The result of a model."""
        for r in self.results:
            if r.name == name:
                return r
        raise KeyError(f"There is no model {name!r}; there are {[r.name for r in self.results]}.")

    def gains(self, name, baseline=None):
        """Mean gain of every task over a baseline (default: the first), over the splits where both are defined."""
        baseline = self.baselines[0] if baseline is None else baseline
        return _nanmean(self[name].scores - self[baseline].scores)

    def gain_interval(self, name, baseline):
        """``(mean, low, high)`` of the gain in macro score over a baseline, paired over the splits.

        A t interval in which the variance of the mean of k differences is ``(1/k + share) var``, share the test rows
        for each training row: the training parts of the splits overlap, so that ``var / k`` would be too small.
        (Nadeau & Bengio, 2003, Inference for the generalization error, Mach. Learn. 52.)
        """
        one, other = self[name], self[baseline]
        gains = one.overall["macro"] - other.overall["macro"]
        gains = gains[np.isfinite(gains)]
        if not gains.size:
            return np.nan, np.nan, np.nan
        mean = float(gains.mean())
        if gains.size == 1:
            return mean, np.nan, np.nan
        error = np.sqrt((1 / gains.size + one.share) * gains.var(ddof=1))
        half = float(stats.t.ppf((1 + self.level) / 2, gains.size - 1) * error)
        return mean, mean - half, mean + half

    def rows(self):
        """One dict a model."""
        return [self._row(r) for r in self.results]

    def _row(self, r):
        names = [q.name for q in self.results]
        row = {"model": r.name}
        row |= {average: _mean(values) for average, values in r.overall.items()}
        for baseline in self.baselines:
            if baseline in names:
                nothing = (np.nan, np.nan, np.nan)
                mean, low, high = nothing if baseline == r.name else self.gain_interval(r.name, baseline)
                short = f"over {baseline}"
                row |= {short: mean, f"{short}, low": low, f"{short}, high": high}
        if self.baselines[0] in names:
            gains = self.gains(r.name)
            known = gains[~np.isnan(gains)]
            row["helped"] = int((known > self.threshold).sum())
            row["unchanged"] = int((np.abs(known) <= self.threshold).sum())
            row["hurt"] = int((known < -self.threshold).sum())
        return row | {"features": r.features, "seconds": r.seconds, "gap": r.gap}

    def to_frame(self):
        """The table as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.rows()).set_index("model")

    def task_frame(self):
        """Mean score of every task under every model, as a pandas DataFrame (tasks by models)."""
        import pandas as pd

        return pd.DataFrame({r.name: _nanmean(r.scores) for r in self.results}, index=pd.Index(self.tasks, name="task"))

    def to_dict(self):
        """Everything as plain Python objects, for JSON; NaN as None."""
        return _plain(
            {
                "metric": self.metric,
                "tasks": [t if isinstance(t, str | int | float) else str(t) for t in self.tasks],
                "best": self.best_,
                "untested": self.untested,
                "models": [
                    row | {"scores": r.scores, "overall": r.overall}
                    for row, r in zip(self.rows(), self.results, strict=True)
                ],
            }
        )

    def __str__(self):
        header, lines = _text_columns(self.rows())
        widths = [max(len(line[c]) for line in [header, *lines]) for c in range(len(header))]
        text = [_aligned(line, widths) for line in [header, ["-" * w for w in widths], *lines]]
        return "\n".join([*text, *self._notes()])

    def _notes(self):
        n_splits = len(self.results[0].scores)
        notes = [
            f"{self.metric}, mean over {n_splits} splits. macro: mean of {len(self.tasks)} tasks; weighted: by their "
            "labels; pooled: all labels together.",
        ]
        names = [r.name for r in self.results]
        if any(baseline in names for baseline in self.baselines):
            notes.append(
                f"over ...: gain in macro score, paired over the splits, with its {self.level:.0%} interval."
                + (
                    f" helped / hurt: tasks whose gain over {self.baselines[0]!r} is beyond {self.threshold:g}."
                    if self.baselines[0] in names
                    else ""
                )
            )
        if self.untested:
            few = ", ".join(map(repr, self.untested[:5])) + (", ..." if len(self.untested) > 5 else "")
            notes.append(f"{len(self.untested)} tasks have too few labels to be tested (trained on only): {few}.")
        return notes

    def plot(self, ax=None):
        """Scores of the models, and how they spread over the tasks.

        Parameters
        ----------
        ax : matplotlib axes, default=None

        Returns
        -------
        matplotlib axes
        """
        if ax is None:
            import matplotlib.pyplot as plt

            ax = plt.subplots(figsize=(7, 0.5 * len(self.results) + 1.5), layout="constrained")[1]
        for i, r in enumerate(self.results):
            per_task = _nanmean(r.scores)
            ax.plot(per_task, np.full(len(per_task), i), "o", color="0.7", markersize=5)
            ax.plot(np.nanmean(per_task), i, "D", color="C0", markersize=8)
        ax.set_yticks(range(len(self.results)), [r.name for r in self.results])
        ax.invert_yaxis()
        ax.set_xlabel(f"{self.metric} (diamond: mean over tasks, dots: tasks)")
        ax.grid(axis="x", alpha=0.3)
        return ax


_FORMATS = {"features": "{:.1f}", "seconds": "{:.1f}", "gap": "{:.0e}", "macro": "{:.4f}", "weighted": "{:.4f}"}
_FORMATS |= {"pooled": "{:.4f}"}


def _text_columns(rows):
    """Header and cells of the table; a gain and its interval share a column."""
    header = [key for key in rows[0] if not key.endswith((", low", ", high"))]
    lines = []
    for row in rows:
        cells = []
        for key in header:
            if f"{key}, low" in row:
                low, high = row[f"{key}, low"], row[f"{key}, high"]
                interval = "" if np.isnan(low) else f" [{low:+.3f}, {high:+.3f}]"
                cells.append(_cell(row[key], "{:+.4f}") + interval)
            else:
                cells.append(_cell(row[key], _FORMATS.get(key, "{}")))
        lines.append(cells)
    return header, lines


def _aligned(cells, widths):
    return "  ".join(
        cell.ljust(w) if c == 0 else cell.rjust(w) for c, (cell, w) in enumerate(zip(cells, widths, strict=True))
    )


def _cell(value, form):
    return "-" if isinstance(value, float) and np.isnan(value) else form.format(value)


def _mean(values):
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def _nanmean(scores):
    """Mean over the splits where a task's score is defined, NaN where it never is."""
    counts = (~np.isnan(scores)).sum(axis=0)
    return np.where(counts > 0, np.nansum(scores, axis=0) / np.maximum(counts, 1), np.nan)


def _plain(value):
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    return None if isinstance(value, float) and not np.isfinite(value) else value
