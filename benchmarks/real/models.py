"""Searches of one-against-the-rest tasks, of which the largest gives the class."""

from benchmarks.real.figures import ArgmaxOfTasks
from mtlreg import StratifiedTaskKFold
from mtlreg.compare._models import Settings, make_family

__all__ = ["argmax_models"]

#: where a family keeps its folds, if not in ``cv``
FOLDS = {"independent": "estimator__cv", "graph": "search__cv", "graph_fused": "search__cv", "tree": "search__cv"}


def argmax_models(names, n_alphas):
    """Models of classes by the argmax of one-against-the-rest tasks, searched as the families of `compare`."""
    settings = Settings(False, None, "r2", 3, n_alphas, 0)
    folds = StratifiedTaskKFold(3, classes=True)
    return {
        name: ArgmaxOfTasks(make_family(name, settings).set_params(**{FOLDS.get(name, "cv"): folds})) for name in names
    }
