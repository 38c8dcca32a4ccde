"""Tables of a search as scikit-learn's searches have them, and the rules that choose a row."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.ma import MaskedArray
from scipy.stats import rankdata

__all__ = ["RULES", "choose_best", "choose_one_se", "cv_table"]


def cv_table(params, scores, train_scores, fit_times, score_times):
    """``cv_results_``: one row a candidate.

    Parameters
    ----------
    params : list of dict
    scores, train_scores : dict of ndarray (n_candidates, n_splits)
        By suffix: "score" for one metric, the metrics' names for several. ``train_scores`` may be None.
    fit_times, score_times : ndarray (n_candidates, n_splits)
    """
    table = {}
    for name, times in (("fit_time", fit_times), ("score_time", score_times)):
        table[f"mean_{name}"], table[f"std_{name}"] = times.mean(axis=1), times.std(axis=1)
    for name in sorted({name for row in params for name in row}):
        table[f"param_{name}"] = _masked([row.get(name, _ABSENT) for row in params])
    table["params"] = params
    for metric, values in scores.items():
        table |= _columns(f"test_{metric}", values)
        table[f"rank_test_{metric}"] = _ranks(table[f"mean_test_{metric}"])
    for metric, values in ({} if train_scores is None else train_scores).items():
        table |= _columns(f"train_{metric}", values)
    return table


_ABSENT = object()


def _masked(values):
    present = [v for v in values if v is not _ABSENT]
    numbers = all(isinstance(v, int | float | np.number) and not isinstance(v, bool) for v in present)
    data = np.ma.masked_all(len(values), dtype=np.result_type(*map(np.asarray, present)) if numbers else object)
    for i, value in enumerate(values):
        if value is not _ABSENT:
            data[i] = value
    return MaskedArray(data)


def _columns(name, values):
    columns = {f"split{k}_{name}": values[:, k] for k in range(values.shape[1])}
    return columns | {f"mean_{name}": values.mean(axis=1), f"std_{name}": values.std(axis=1)}


def _ranks(means):
    """1 for the best; candidates without a score share the last rank."""
    if np.isnan(means).all():
        return np.ones(len(means), dtype=np.int32)
    filled = np.where(np.isnan(means), np.nanmin(means) - 1, means)
    return rankdata(-filled, method="min").astype(np.int32)


def choose_best(table, metric, groups):
    """The row with the best mean score; of equals the first, which has the largest alpha."""
    return int(np.argmin(table[f"rank_test_{metric}"]))


def choose_one_se(table, metric, groups):
    """The largest alpha whose mean score is within one standard error of the best, other parameters as there.

    The standard error is that of the best row: the standard deviation of its scores (ddof 1) over the root of the
    number of splits. (Breiman, Friedman, Olshen & Stone, 1984, Classification and regression trees, section 3.4.3.)
    """
    best = choose_best(table, metric, groups)
    n_splits = sum(key.startswith("split") and key.endswith(f"_test_{metric}") for key in table)
    splits = np.array([table[f"split{k}_test_{metric}"] for k in range(n_splits)])
    error = splits[:, best].std(ddof=1) / np.sqrt(n_splits)
    means = table[f"mean_test_{metric}"]
    if np.isnan(error):
        return best
    near = (groups == groups[best]) & (means >= means[best] - error)
    return int(np.flatnonzero(near)[0])  # rows of a group are in order of decreasing alpha


RULES = {"best": choose_best, "1se": choose_one_se}


def warn_of_undefined(table, metric):
    """As scikit-learn does: scores that are not finite decide nothing and should be known."""
    means = table[f"mean_test_{metric}"]
    if not np.isfinite(means).all():
        warnings.warn(
            f"{int((~np.isfinite(means)).sum())} of {len(means)} candidates have a test score that is not finite.",
            UserWarning,
            stacklevel=4,
        )
