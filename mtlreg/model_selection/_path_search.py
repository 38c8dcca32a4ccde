"""Search over a whole regularisation path, and over other parameters on a grid."""

from __future__ import annotations

import numbers
import time
import warnings
from copy import deepcopy

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_classifier
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import check_scoring
from sklearn.model_selection import ParameterGrid, check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags, indexable
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from mtlreg.model_selection._batch_folds import BatchFolds
from mtlreg.model_selection._moment_folds import MomentFolds
from mtlreg.model_selection._results import RULES, cv_table, warn_of_undefined
from mtlreg.model_selection._scored import score_path
from mtlreg.model_selection._split import StratifiedTaskKFold

__all__ = ["PathSearchCV"]


def _best_has(name):
    """Whether the best estimator has a method, or before fit the one searched over."""

    def check(self):
        if self.refit is False:
            raise AttributeError(f"{type(self).__name__} has no {name!r} with refit=False.")
        getattr(getattr(self, "best_estimator_", self.estimator), name)
        return True

    return check


class PathSearchCV(MetaEstimatorMixin, BaseEstimator):
    """Cross-validated choice of the strength along a warm-started path, and of other parameters on a grid.

    For each point of ``param_grid`` a decreasing grid of strengths is made from the full data. In every split the
    estimator is fitted along it, each strength started from the solution before, and scored on the rows left out ::

        score(alpha) = mean over splits of score(fit on the training rows, test rows)

    Parameters
    ----------
    estimator : estimator of mtlreg
        Whose strength is ``alpha`` or ``penalty__alpha``. Put the search at the end of a pipeline, not around one.
    alphas : int or array-like, default=100
        Strengths, or how many on a geometric grid from ``alpha_max`` of the full data to ``eps * alpha_max``.
    eps : float, default=1e-3
    param_grid : dict or list of dict, default=None
        Other parameters, as for `sklearn.model_selection.GridSearchCV`; without the strength.
    cv : int, splitter or iterable, default=5
        An integer is a shuffled, seeded `StratifiedTaskKFold`: tables are usually sorted by task, and plain folds would
        leave tasks out. Missing labels are no obstacle.
    scoring : str, callable, list or dict, default=None
        As for `GridSearchCV`; None is the estimator's ``score``. `mtlreg.metrics.make_task_scorer` makes scorers that
        know tasks and missing labels.
    rule : {"best", "1se"}, default="best"
        "best" takes the best mean score. "1se" the largest strength whose mean is within one standard error of it (ddof
        1, over the root of the number of splits), with the other parameters as in the best.
    n_jobs : int, default=None
        Pairs of grid point and split run in parallel; the results do not depend on it.
    refit : bool or str, default=True
        Whether to fit the chosen parameters on all rows; with several metrics the name of the one that chooses.
    error_score : "raise" or float, default=nan
        Score of a split whose fit fails, with a `FitFailedWarning`.
    return_train_score : bool, default=False
    verbose : int, default=0
        joblib's verbosity.

    Attributes
    ----------
    cv_results_ : dict
        As that of `GridSearchCV`, a row for each pair of grid point and strength, strengths decreasing.
    best_estimator_ : estimator
        Fitted on all rows (``refit``).
    best_params_, best_index_, best_score_
        The chosen row; ``best_score_`` is its mean test score.
    alphas_ : ndarray (n_points, n_alphas)
        The strengths for every grid point.
    scorer_, multimetric_, n_splits_, refit_time_
        As in `GridSearchCV`.

    Notes
    -----
    ``sample_weight`` given to `fit` enters the fits and the scores.

    References
    ----------
    Friedman, Hastie & Tibshirani (2010), Regularization paths for generalized linear models via coordinate descent,
    J. Stat. Softw. 33, section 2.5 (warm starts and the grid).

    Examples
    --------
    >>> from mtlreg import BlockSparseRegressor, PathSearchCV
    >>> from mtlreg.datasets import make_shared_support
    >>> X, Y = make_shared_support(random_state=0)[:2]
    >>> search = PathSearchCV(BlockSparseRegressor(), alphas=20, rule="1se").fit(X, Y)
    >>> search.best_score_ > 0.5
    True
    """

    def __init__(
        self,
        estimator,
        *,
        alphas=100,
        eps=1e-3,
        param_grid=None,
        cv=5,
        scoring=None,
        rule="best",
        n_jobs=None,
        refit=True,
        error_score=np.nan,
        return_train_score=False,
        verbose=0,
    ):
        self.estimator = estimator
        self.alphas = alphas
        self.eps = eps
        self.param_grid = param_grid
        self.cv = cv
        self.scoring = scoring
        self.rule = rule
        self.n_jobs = n_jobs
        self.refit = refit
        self.error_score = error_score
        self.return_train_score = return_train_score
        self.verbose = verbose

    # -- fitting -----------------------------------------------------------------------------------------------

    def fit(self, X, y, sample_weight=None):
        """Search, and fit the best on all rows.

        Parameters
        ----------
        X, y, sample_weight
            As for the estimator.

        Returns
        -------
        self
        """
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None.")
        points = self._check()
        scorer, metrics, decisive = self._scorers()
        X, y = indexable(X, y)
        models = [clone(self.estimator).set_params(**clone(point, safe=False)) for point in points]
        grids = [model.path_alphas(X, y, self.alphas, eps=self.eps, sample_weight=sample_weight) for model in models]
        splits = self._splits(X, y)
        data = (X, y, sample_weight, splits)
        runs = self._runs(models, grids, data, (scorer, metrics, self.error_score, self.return_train_score))
        learned = self._collect(points, grids, runs, metrics, len(splits))
        learned |= self._choice(learned["cv_results_"], decisive, grids, X, y, sample_weight)
        learned |= {"scorer_": scorer, "multimetric_": metrics != ["score"], "n_splits_": len(splits)}
        for name in [name for name in vars(self) if name.endswith("_") and not name.startswith("_")]:
            delattr(self, name)
        self.__dict__.update(learned)
        return self

    def _runs(self, models, grids, data, settings):
        """Tables of all models in all splits, model after model: from moments, together, or one after the other."""
        X, y, sample_weight, splits = data
        parallel, points = Parallel(n_jobs=self.n_jobs, verbose=self.verbose), list(zip(models, grids, strict=True))
        moments = MomentFolds.of(models, *data, self.scoring)
        if moments is not None:
            score = delayed(moments.score_path)
            return parallel(score(*point, k, *settings[2:]) for point in points for k in range(len(splits)))
        folds = BatchFolds(*data)
        together = [folds.tables(*point, *settings) for point in points]
        alone = [point for point, tables in zip(points, together, strict=True) if tables is None]
        score = delayed(score_path)
        jobs = [score(*point, X, y, sample_weight, split, *settings) for point in alone for split in splits]
        rest = iter(parallel(jobs))
        return [table for tables in together for table in tables or [next(rest) for _ in splits]]

    def _check(self):
        """The points of the grid, parameters being in order."""
        if isinstance(self.estimator, Pipeline):
            raise TypeError(
                "PathSearchCV needs the estimator itself, not a Pipeline: put it at the pipeline's end, such as "
                "make_pipeline(KeepTask(StandardScaler(), ...), PathSearchCV(BlockSparseRegressor(...)))."
            )
        if not hasattr(self.estimator, "path_models"):
            raise TypeError(
                f"PathSearchCV needs an estimator of mtlreg with a path, not {type(self.estimator).__name__}: "
                "GridSearchCV takes any."
            )
        if self.rule not in RULES:
            raise ValueError(f"rule={self.rule!r} must be one of {list(RULES)}.")
        if self.error_score != "raise" and not isinstance(self.error_score, numbers.Real):
            raise ValueError(f"error_score={self.error_score!r} must be 'raise' or a number.")
        points = list(ParameterGrid(self.param_grid or {}))
        strength = self.estimator.strength
        if any(strength in point for point in points):
            raise ValueError(f"param_grid holds {strength!r}, which is what alphas and eps are for.")
        return points

    def _scorers(self):
        """``(scorer, names of the metrics, the one that chooses)``."""
        several = self.scoring is not None and not (isinstance(self.scoring, str) or callable(self.scoring))
        scorer = check_scoring(self.estimator, self.scoring)
        if not several:
            return scorer, ["score"], "score"
        metrics = list(self.scoring)
        if self.refit is not False and self.refit not in metrics:
            raise ValueError(
                f"With several metrics refit must name the one that chooses, one of {metrics}, or be False; got "
                f"{self.refit!r}."
            )
        return scorer, metrics, self.refit if self.refit is not False else None

    def _splits(self, X, y):
        cv = 5 if self.cv is None else self.cv
        if isinstance(cv, numbers.Integral) and not isinstance(cv, bool):
            classes = True if is_classifier(self.estimator) else "auto"
            cv = StratifiedTaskKFold(cv, task_feature=self.estimator.task_feature, classes=classes)
        splits = [tuple(_positions(rows) for rows in split) for split in check_cv(cv).split(X, y)]
        if self.rule == "1se" and len(splits) < 2:
            raise ValueError("rule='1se' needs at least two splits.")
        return splits

    def _collect(self, points, grids, runs, metrics, n_splits):
        """The table of all candidates from what the jobs returned, point after point and split after split."""
        _report_failures([run["failure"] for run in runs], self.error_score)

        def stack(key, metric=None):
            blocks = []
            for i in range(len(points)):
                mine = runs[i * n_splits : (i + 1) * n_splits]
                blocks.append(np.stack([run[key] if metric is None else run[key][metric] for run in mine], axis=1))
            return np.concatenate(blocks)

        params = [
            {**point, self.estimator.strength: float(alpha)}
            for point, grid in zip(points, grids, strict=True)
            for alpha in grid
        ]
        scores = {metric: stack("test", metric) for metric in metrics}
        train = {metric: stack("train", metric) for metric in metrics} if self.return_train_score else None
        table = cv_table(params, scores, train, stack("fit_seconds"), stack("score_seconds"))
        for metric in metrics:
            warn_of_undefined(table, metric)
        return {"cv_results_": table, "alphas_": np.stack(grids)}

    def _choice(self, table, decisive, grids, X, y, sample_weight):
        """The chosen row, and the estimator fitted with it."""
        if decisive is None:
            return {}
        groups = np.repeat(np.arange(len(grids)), [len(grid) for grid in grids])
        index = RULES[self.rule](table, decisive, groups)
        params = table["params"][index]
        chosen = {
            "best_index_": index,
            "best_params_": params,
            "best_score_": float(table[f"mean_test_{decisive}"][index]),
        }
        if self.refit is False:
            return chosen
        clock = time.perf_counter()
        others = {name: value for name, value in params.items() if name != self.estimator.strength}
        best = (
            clone(self.estimator).set_params(**clone(others, safe=False)).with_strength(params[self.estimator.strength])
        )
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        chosen["best_estimator_"] = best.fit(X, y, **weights)
        chosen["refit_time_"] = time.perf_counter() - clock
        return chosen

    # -- the best estimator --------------------------------------------------------------------------------------

    def _fitted(self, method):
        check_is_fitted(self, "cv_results_")
        if not hasattr(self, "best_estimator_"):
            raise AttributeError(f"{method} needs the best estimator: give refit=True or the name of a metric.")
        return self.best_estimator_

    @available_if(_best_has("predict"))
    def predict(self, X):
        """`predict` of the best estimator."""
        return self._fitted("predict").predict(X)

    @available_if(_best_has("predict_proba"))
    def predict_proba(self, X):
        """`predict_proba` of the best estimator."""
        return self._fitted("predict_proba").predict_proba(X)

    @available_if(_best_has("predict_log_proba"))
    def predict_log_proba(self, X):
        """`predict_log_proba` of the best estimator."""
        return self._fitted("predict_log_proba").predict_log_proba(X)

    @available_if(_best_has("decision_function"))
    def decision_function(self, X):
        """`decision_function` of the best estimator."""
        return self._fitted("decision_function").decision_function(X)

    def score(self, X, y, sample_weight=None):
        """Score of the best estimator by ``scoring``: with several metrics by the one that chose."""
        best = self._fitted("score")
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        found = self.scorer_(best, X, y, **weights)
        return found[self.refit] if self.multimetric_ else found

    @property
    def classes_(self):
        """Classes of the best estimator."""
        return self._fitted("classes_").classes_

    @property
    def n_features_in_(self):
        """Of the best estimator."""
        try:
            return self._fitted("n_features_in_").n_features_in_
        except Exception as error:
            raise AttributeError(f"{type(self).__name__} object has no n_features_in_ attribute.") from error

    @property
    def feature_names_in_(self):
        """Of the best estimator."""
        return self._fitted("feature_names_in_").feature_names_in_

    def __sklearn_tags__(self):
        tags, inner = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags, tags.regressor_tags = deepcopy(inner.classifier_tags), deepcopy(inner.regressor_tags)
        tags.target_tags, tags.input_tags = deepcopy(inner.target_tags), deepcopy(inner.input_tags)
        return tags


def _positions(rows):
    """Rows of a split by their numbers, where they were given as a mask."""
    rows = np.asarray(rows)
    return np.flatnonzero(rows) if rows.dtype == bool else rows


def _report_failures(failures, error_score):
    """As scikit-learn's searches: an error if every fit failed, a warning if some did."""
    failed = [f for f in failures if f is not None]
    if not failed:
        return
    texts = "\n".join(sorted(set(failed)))
    if len(failed) == len(failures):
        raise ValueError(f"All the {len(failed)} fits failed:\n{texts}")
    warnings.warn(
        f"{len(failed)} of {len(failures)} fits failed and are scored {error_score}. Give error_score='raise' to see "
        f"where:\n{texts}",
        FitFailedWarning,
        stacklevel=3,
    )
