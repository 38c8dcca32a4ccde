"""The parameters all nets have: defaults and documentation."""

from __future__ import annotations

from mtlreg.estimators._parameters import CLASSES, COMMON, Family

__all__ = ["NET"]

_COMMON = {
    "activation": (
        "relu",
        """activation : {"relu", "tanh", "logistic", "identity"}, default="relu"
    Of all hidden units.""",
    ),
    "head_sizes": (
        (),
        """head_sizes : int or sequence of int, default=()
    Units of hidden layers that every task has of its own, between the shared ones and its output.""",
    ),
    "head_layer": (
        None,
        """head_layer : int, dict, list or None, default=None
    The hidden layer each task's head hangs on, 0 for the features themselves; by task label, or in the order of the
    sorted tasks. None, and tasks that a dict leaves out: the last layer.""",
    ),
    "sharing": (
        "hard",
        """sharing : {"hard", "l2", "trace", "cross_stitch"}, default="hard"
    "hard": one set of hidden layers. Else every task has its own, and they are drawn together by ``alpha_sharing``
    times half the squared distance from their mean ("l2") or the trace norm of each layer's weights, a column for each
    task ("trace"), or mixed after each layer by a learned matrix ("cross_stitch").""",
    ),
    "alpha_sharing": (
        0.01,
        """alpha_sharing : float, default=0.01
    Strength of soft sharing, counted in the labels' variance as ``alpha``; of no effect under hard sharing and
    cross-stitch units.""",
    ),
    "head_penalty": (
        None,
        """head_penalty : Penalty, default=None
    A convex penalty of one part on the last matrix of the heads V (units, n_columns), by proximal steps: the units
    stand in the place of features. `Graph` and `MeanRegularized` are priors on how tasks are related.""",
    ),
    "auxiliary_tasks": (
        None,
        """auxiliary_tasks : list of task labels, default=None
    Tasks that are trained for what they teach the hidden layers. `predict` leaves out their columns, `score`
    and early stopping leave them out altogether; with a task column, rows of theirs are still predicted.""",
    ),
    "task_weight": (
        None,
        """task_weight : None, "balanced", "uncertainty", dict or array-like, default=None
    lambda, which sums to one. None: every label counts the same. "balanced": every task. "uncertainty": ``1 / n_tasks``
    divided by a noise variance that is learned for each task, half of whose logarithm is added to its loss. A dict by
    task label (of which only the tasks that are there count), or an array in the order of the sorted tasks. In linear
    models these are factors of any size.""",
    ),
    "task_learning_rate": (
        None,
        """task_learning_rate : None, "adaptive", dict or array-like, default=None
    What the gradient of each task's loss is multiplied by. "adaptive" begins at one and halves it whenever the task
    has not improved for ``n_iter_no_change`` epochs (on the rows held out, if there are). Adam takes it back in weights
    that only this task has; with 0 these stay as they are.""",
    ),
    "schedule": (
        "joint",
        """schedule : {"joint", "alternate", "proportional"}, default="joint"
    "joint": a batch has labels of all tasks. "alternate" and "proportional": a batch has labels of one task, drawn
    with the same chance for all, or in proportion to the weight of its labels. Without ``task_weight`` that is how much
    a task counts; if it is given, it holds whichever tasks are drawn. An epoch has as many batches as it takes to see
    as many labels as there are; one state of the optimiser serves all tasks.""",
    ),
    "solver": (
        "adam",
        """solver : {"adam", "sgd"}, default="adam"
    The optimiser; "sgd" has Nesterov's momentum.""",
    ),
    "alpha": (
        1e-4,
        """alpha : float, default=1e-4
    Weight decay: half of it multiplies the sum of all squared weights, biases left out; those of hidden layers are
    counted in the labels' variance within the tasks, where all labels are numbers of one kind.""",
    ),
    "dropout": (
        0.0,
        """dropout : float, default=0.0
    Share of the hidden units that are left out at random in each training step.""",
    ),
    "batch_size": (
        "auto",
        """batch_size : int, default="auto"
    Rows of a batch; "auto" is 200, or all if there are fewer.""",
    ),
    "learning_rate": (
        "constant",
        """learning_rate : {"constant", "cosine", "adaptive"}, default="constant"
    "cosine" falls from ``learning_rate_init`` to 0 over ``max_iter`` epochs; "adaptive" is divided by five whenever
    training has stalled for ``n_iter_no_change`` epochs.""",
    ),
    "learning_rate_init": (
        1e-3,
        """learning_rate_init : float, default=1e-3""",
    ),
    "momentum": (
        0.9,
        """momentum : float, default=0.9
    Of "sgd".""",
    ),
    "max_iter": (
        200,
        """max_iter : int, default=200
    Epochs.""",
    ),
    "shuffle": (
        True,
        """shuffle : bool, default=True
    Whether "joint" takes the rows in a new order in each epoch.""",
    ),
    "random_state": (
        None,
        """random_state : int, RandomState instance or None, default=None
    Of the first weights, the batches, the rows held out and the dropout.""",
    ),
    "tol": (
        1e-4,
        """tol : float, default=1e-4
    Training stops when the objective (or the loss on rows held out), divided by the labels' variance within the tasks,
    has not fallen by more for ``n_iter_no_change`` epochs. With ``learning_rate="cosine"`` only early stopping ends it
    before ``max_iter``.""",
    ),
    "n_iter_no_change": (
        10,
        """n_iter_no_change : int, default=10
    Epochs.""",
    ),
    "early_stopping": (
        False,
        """early_stopping : bool or "per_task", default=False
    Hold rows of every task out (of one with a single labelled row none) and keep the state that is best on them.
    "per_task": a task that has not improved there for ``n_iter_no_change`` epochs is trained no more, and training ends
    with the last task that is not auxiliary.""",
    ),
    "validation_fraction": (
        0.1,
        """validation_fraction : float, default=0.1
    Share of the rows (of each task, with a task column) that early stopping holds out.""",
    ),
    "standardize": (
        True,
        """standardize : bool, default=True
    Scale features to mean zero and unit standard deviation over all rows first.""",
    ),
    "task_feature": COMMON["task_feature"],
    "unseen_task": (
        "error",
        """unseen_task : {"error", "mean"}, default="error"
    At predict, what to do with a task that was not seen in fit: raise, or use the mean of the tasks' outputs.""",
    ),
    "device": COMMON["device"],
    "warm_start": (
        False,
        """warm_start : bool, default=False
    Start from the weights of the previous fit where they have the same shapes; from heads, and layers of single tasks,
    only if tasks and classes are the same.""",
    ),
    "verbose": (
        0,
        """verbose : int, default=0
    1 prints a line for every epoch.""",
    ),
}

_LOSS = {
    "regressor": """loss : str, Loss, dict or list, default="squared"
    "squared", "huber", "poisson", "logistic" (labels 0 and 1), "squared_hinge" or a `mtlreg.losses.Loss`; a dict by
    task label, or a list in the order of the sorted tasks, for a loss of its own for each task.""",
    "classifier": """loss : str, Loss, dict or list, default="logistic"
    "logistic" or "squared_hinge"; a dict by task label or a list in the order of the sorted tasks for one each. Tasks
    with more than two classes have a softmax.""",
}

_ATTRIBUTES = """Attributes
----------
weights_ : dict of ndarrays
    ``hidden1.weight`` (n_features, units), ``hidden1.bias``, ..., ``head2.weight`` (units, n_columns) and
    ``head2.bias`` of heads on layer 2; where tasks have layers of their own, these have an axis of tasks first. With
    ``standardize=True`` they are those of standardised features.
loss_curve_ : ndarray of shape (n_epochs, n_tasks)
    Mean loss of every task in each epoch, over its batches; auxiliary tasks included, tasks sorted.
objective_curve_ : ndarray of shape (n_epochs,)
validation_curve_ : ndarray of shape (n_epochs, n_tasks) or None
    Mean loss of every task on the rows held out.
loss_ : float
    The objective in the last epoch, which need not be the state that is kept: the last of ``objective_curve_``.
best_loss_ : float
    The least objective, or weighted loss on rows held out of the tasks that are not auxiliary.
n_iter_ : int
    Epochs.
task_weights_ : ndarray of shape (n_tasks,)
    lambda in the end.
task_rates_ : ndarray of shape (n_tasks,)
    What each task's gradient was multiplied by in the end; 0 for a task that was stopped.
noise_scale_ : ndarray of shape (n_tasks,)
    Only with ``task_weight="uncertainty"``: the standard deviations learned.
sharing_matrix_ : list of ndarray of shape (n_tasks, n_tasks)
    Only with cross-stitch units: the mixing after each layer.
tasks_ : ndarray
    Sorted labels of the tasks that are predicted; with a task column, auxiliary ones included.
auxiliary_tasks_ : ndarray
n_features_in_ : int
    Columns of X, the task column included.
n_outputs_ : int
    Columns of what is predicted of all tasks.
feature_names_in_ : ndarray of str
    Only if X is a data frame with string names.
task_position_ : int or None"""

NET = Family(_COMMON, _LOSS, {"regressor": _ATTRIBUTES, "classifier": _ATTRIBUTES + "\n" + CLASSES})
