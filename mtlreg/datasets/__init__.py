"""Generators of multi-task data with known coefficients.

Every generator draws coefficients ``coef`` (T, p) with one structure and then, the same way for all of them,

    eta_i = x_i . coef_t + intercept_t,    x_i ~ N(0, S),  S_jk = correlation^|j - k|,

and labels from the linear predictors eta:

* regression: ``y = eta + noise * e``, e standard normal;
* classification: ``y = 1[eta + noise * u > 0]``, u standard logistic: ``P(y = 1) = sigmoid(eta / noise)``;
* count: ``y ~ Poisson(exp(eta + noise * e))``, e standard normal. The coefficients are first divided by the
  largest standard deviation of x . coef_t over the tasks, as rates would be astronomic otherwise.

The keyword parameters are the same everywhere:

noise : float, optional
    Default: a third of the standard deviation of x . coef_t, averaged over the tasks (a population R2 of 0.9
    in regression); 0 for counts, where the Poisson distribution has its own.
correlation : float, in (-1, 1)
    Of neighbouring features.
missing : float, in [0, 1)
    Fraction of the labels of every task that is NaN (layout "shared" only).
task_type : {"regression", "classification", "count"}
    How labels come from the linear predictors, see above.
layout : {"shared", "stacked"}
    "shared": one X (n, p) for all tasks and y (n, T). "stacked": every task has rows of its own; X (N, p + 1)
    has the task 0..T-1 as its last column and y is (N,).
n_samples : int, or list of int
    Rows of X, or rows of every task in the stacked layout, where a list gives each task its own number.
intercept_scale : float
    Standard deviation of the intercepts.
random_state : int, RandomState or None
    Seed of all draws.

Every generator returns a `sklearn.utils.Bunch` with ``X``, ``y``, ``coef`` (T, p), ``intercept`` (T,),
``noise``, ``task_feature`` (None, or -1 if stacked), ``tasks`` (the labels of the columns of y, or the task
of every row: what `mtlreg.metrics.task_scores` takes) and what describes the structure.
"""

from ._generators import (
    make_block_sparse,
    make_clustered,
    make_dirty,
    make_low_rank,
    make_task_relation,
    make_temporal,
)

__all__ = [
    "make_block_sparse",
    "make_clustered",
    "make_dirty",
    "make_low_rank",
    "make_task_relation",
    "make_temporal",
]
