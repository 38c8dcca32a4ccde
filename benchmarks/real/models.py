"""Searches made here where those of `compare` do not fit: another way of choosing the strength, or of predicting."""

from benchmarks.real.figures import ArgmaxOfTasks
from mtlreg import (
    L1,
    L21,
    InfimalConvolution,
    L1Linf,
    MultiTaskRegressor,
    PathSearchCV,
    SparseGroup,
    StratifiedTaskKFold,
)
from mtlreg.compare import IndependentTasks, TaskDummies
from mtlreg.metrics import make_task_scorer

__all__ = ["argmax_models", "models_by_squared_error"]

PENALTIES = {
    "l1": L1(),
    "l21": L21(),
    "l1linf": L1Linf(),
    "sparse_group": SparseGroup(entry_ratio=0.5),
    "dirty": InfimalConvolution([("shared", L21(1.0)), ("specific", L1(0.7))]),
}


def _regressor(penalty, **options):
    return MultiTaskRegressor(penalty, standardize=True, tol=1e-4, **options)


def models_by_squared_error(names, n_alphas, inner_cv):
    """Models of data with the task in the last column, their strengths chosen by pooled R2.

    The mean of the tasks' R2, by which `compare` chooses, is ruled by the tasks with few rows in a fold.
    """
    models = {
        "pooled": TaskDummies(_regressor(L1()), -1, "none"),
        "pooled_intercepts": TaskDummies(_regressor(L1(), fit_intercept=False), -1, "free"),
    }
    models |= {name: _regressor(penalty, task_feature=-1) for name, penalty in PENALTIES.items()}
    folds = StratifiedTaskKFold(inner_cv, task_feature=-1, classes=False)
    scorer = make_task_scorer("r2", task_feature=-1, average="pooled")
    return {name: PathSearchCV(models[name], alphas=n_alphas, eps=1e-2, cv=folds, scoring=scorer) for name in names}


def argmax_models(names, n_alphas):
    """Models of classes by the argmax of one-against-the-rest tasks, searched as the families of `compare`."""

    def search(penalty):
        folds = StratifiedTaskKFold(3, classes=True)
        return PathSearchCV(_regressor(penalty), alphas=n_alphas, eps=1e-2, cv=folds)

    models = {"independent": IndependentTasks(search(L1()))}
    models |= {name: search(penalty) for name, penalty in PENALTIES.items()}
    return {name: ArgmaxOfTasks(models[name]) for name in names}
