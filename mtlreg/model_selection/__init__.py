"""Model selection: splitters that know the tasks, and a search along warm-started paths."""

from mtlreg.model_selection._path_search import PathSearchCV
from mtlreg.model_selection._split import LeaveOneTaskOut, StratifiedTaskKFold

__all__ = ["LeaveOneTaskOut", "PathSearchCV", "StratifiedTaskKFold"]
