"""What is run: data sets, and for each the comparisons that are made on it."""

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from mtlreg.compare import FAMILIES, compare
from mtlreg.compare._models import NEED_ORDER, PENALTIES

__all__ = [
    "BASELINES",
    "EVERY",
    "LINEAR",
    "NOT_CONVEX",
    "QUICK",
    "DataSet",
    "Job",
    "all_but",
    "few_rows",
    "load_data",
    "long_job",
    "run",
    "with_task",
]

VARIABLE = "MTLREG_DATA"
BASELINES = ("independent", "pooled", "pooled_intercepts")
LINEAR = (*BASELINES, "l1", "l21", "l1linf", "sparse_group", "dirty")
QUICK = (*BASELINES, "l21")
#: all families but those that need an order of the tasks
EVERY = tuple(name for name in FAMILIES if name not in NEED_ORDER)
NOT_CONVEX = tuple(name for name in EVERY if name in PENALTIES and not PENALTIES[name].convex)


def all_but(*names):
    """Every family but these."""
    return tuple(name for name in EVERY if name not in names)


@dataclass
class Job:
    """One comparison: the arguments of `compare`, and what is read off it."""

    title: str
    X: np.ndarray
    y: np.ndarray
    splits: list
    figures: tuple  # of `figures.Figure`; the first one is what gains are counted in
    families: tuple = LINEAR
    extra: dict = field(default_factory=dict)  # models made here, by the name of their family
    metric: str = "r2"
    task_feature: int | None = None
    n_alphas: int = 6
    inner_cv: int = 3
    choose_by: str = "macro"
    baselines: tuple = ("independent", "pooled_intercepts")
    few: bool = False  # training parts are small draws that share few rows


#: a comparison on one long table with the task in the last column of X, as `with_task` makes it
long_job = partial(Job, task_feature=-1)


@dataclass(frozen=True)
class DataSet:
    """A section of the results. The texts say what code cannot derive."""

    title: str
    data: str
    protocol: str
    jobs: Callable  # (loaders, quick) -> list of Job
    reference: str = ""
    left_out: str = ""


def load_data():
    """The module `loaders.py` that stands beside the data.

    Raises
    ------
    FileNotFoundError
        Saying which variable to set.
    """
    folder = os.environ.get(VARIABLE)
    if not folder:
        raise FileNotFoundError(f"Set {VARIABLE} to the folder of the data, in which loaders.py reads them.")
    file = Path(folder) / "loaders.py"
    if not file.is_file():
        raise FileNotFoundError(f"{VARIABLE}={folder}: there is no loaders.py in it.")
    spec = importlib.util.spec_from_file_location("mtlreg_data_loaders", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(job, quick=False, cache=None, n_jobs=None):
    """The comparison of a job."""
    found = compare(
        job.X,
        job.y,
        task_feature=job.task_feature,
        families=list(job.families),
        extra={name + "*": model for name, model in job.extra.items()},  # compare keeps the names of its families
        metric=job.metric,
        cv=job.splits,
        n_alphas=3 if quick else job.n_alphas,
        inner_cv=3 if quick else job.inner_cv,
        choose_by=job.choose_by,
        random_state=0,
        n_jobs=n_jobs,
        cache=cache,
        verbose=1,
    )
    found.baselines = job.baselines
    for result in found.results:
        result.name = result.name.removesuffix("*")
    return found


def with_task(X, task):
    """X with the task as its last column, ``task_feature=-1``."""
    return np.column_stack([X, task])


def few_rows(groups, n_each, n_splits):
    """Random splits with ``n_each`` training rows of every group; all other rows are for testing."""
    rng = np.random.default_rng(0)
    splits = []
    for _ in range(n_splits):
        train = [rng.choice(np.flatnonzero(groups == g), n_each, replace=False) for g in np.unique(groups)]
        train = np.sort(np.concatenate(train))
        splits.append((train, np.setdiff1d(np.arange(len(groups)), train)))
    return splits
