"""The parameters all estimators have, in one place: defaults, documentation, checks."""

from __future__ import annotations

import inspect
import numbers
from dataclasses import dataclass

from mtlreg.losses import Calibrated, Loss
from mtlreg.validation import as_float_array

__all__ = ["CLASSES", "COMMON", "Family", "check_parameters", "parameters"]

COMMON = {
    "fit_intercept": (
        True,
        """fit_intercept : bool, default=True
    Whether every task has an intercept. Intercepts are never penalised.""",
    ),
    "standardize": (
        False,
        """standardize : bool or "per_task", default=False
    Scale features to unit standard deviation before the penalty sees them: True over all rows, "per_task" task by task.
    ``coef_`` stays in the units of the data.""",
    ),
    "task_weight": (
        None,
        """task_weight : None, "balanced", dict or array-like, default=None
    None: every label counts the same. "balanced": every task counts the same. A dict (task label -> factor) or an array
    in the order of ``tasks_``, of factors > 0, multiplies the default.""",
    ),
    "feature_weights": (
        None,
        """feature_weights : array-like of shape (n_features,), default=None
    Weight f_j of each feature in the penalty ``Omega(diag(f) W)``: 0 for never penalised (not with ``positive=True``),
    inf for excluded. The task column is not counted.""",
    ),
    "task_feature": (
        None,
        """task_feature : str, int or None, default=None
    The column of X that holds the task of each row, by name or position (negative from the end); y is then 1-D. None:
    X is shared by all tasks, and y (n_samples, n_tasks) has NaN where a label is missing.""",
    ),
    "unseen_task": (
        "error",
        """unseen_task : {"error", "mean"}, default="error"
    At predict, what to do with a task that was not seen in fit: raise, or use the mean of the tasks' coefficients and
    intercepts.""",
    ),
    "device": (
        "auto",
        """device : {"auto", "cpu", "cuda"}, default="auto"
    Where to compute. "auto" stays where the data are; "cuda" copies them to the GPU and needs CuPy.""",
    ),
    "solver": (
        "auto",
        """solver : {"auto", "working_set", "coordinate_descent", "prox_newton", "newton_cg", "spectral", "fista"}
    "auto" chooses by penalty, loss and shape of the data; see the user guide.""",
    ),
    "tol": (
        1e-6,
        """tol : float, default=1e-6
    Stop when the duality gap is at most ``max(tol, 50 eps)`` times the objective at zero coefficients.""",
    ),
    "max_iter": (
        10_000,
        """max_iter : int, default=10000
    Proximal steps or sweeps over the features.""",
    ),
    "warm_start": (
        False,
        """warm_start : bool, default=False
    Start from the previous solution where it has the same shape.""",
    ),
    "verbose": (
        0,
        """verbose : int, default=0
    1 prints a line for every certificate.""",
    ),
}

_NOISE = """
noise_scale_ : ndarray of shape (n_tasks,) or float
    Only with ``loss="calibrated"``: each task's root mean square residual, in the units of y, from which its noise was
    judged; not below ``sigma_min`` times that at zero coefficients."""

_CLASSIFIER = {
    "class_weight": (
        None,
        """class_weight : None, "balanced" or dict, default=None
    Factor of the labels of each class, 1 for those that a dict leaves out; "balanced" is inversely proportional to the
    frequencies, task by task. It is an error if a dict leaves out a class and has a key that is none.""",
    ),
    "single_class": (
        "error",
        """single_class : {"error", "constant"}, default="error"
    What to do with a task of one class only: raise, or warn and always predict that class.""",
    ),
    "multi_class": (
        "softmax",
        """multi_class : {"softmax", "ovr"}, default="softmax"
    For tasks with more than two classes and ``loss="logistic"``: one softmax, or one binary problem a class. Other
    losses are always one-vs-rest.""",
    ),
}

_LOSS = {
    "regressor": """loss : str, Loss, Calibrated, dict or list, default="squared"
    "squared", "huber", "poisson", "logistic" (labels 0 and 1), "squared_hinge" or a `mtlreg.losses.Loss`; a dict by
    task label, or a list in the order of ``tasks_``, for a loss of its own for each task. "calibrated" or
    `mtlreg.losses.Calibrated` for the root of each task's sum of squares, of all tasks.""",
    "classifier": """loss : str, Loss, dict or list, default="logistic"
    "logistic" or "squared_hinge"; a dict by task label or a list in the order of ``tasks_`` for one each.""",
}

CLASSES = """classes_ : ndarray or list of ndarrays
    Classes; a list with one array a task for 2-D y, the union over all tasks with a task column.
task_classes_ : dict
    With a task column: the classes of every task."""

_ATTRIBUTES = """Attributes
----------
coef_ : ndarray of shape (n_columns, n_features)
    Coefficients in the units of the data; (n_features,) in a regressor given a 1-D y without a task column.
intercept_ : ndarray of shape (n_columns,) or float
tasks_ : ndarray of shape (n_tasks,)
    Sorted labels of the tasks; columns of y in the first door.
columns_ : list of (task, class)
    What each row of ``coef_`` belongs to; the class is None for numbers.
components_ : dict
    Parts of ``coef_`` by name, for compound penalties; ``{"coef": coef_}`` for others. Coefficients that are not
    penalised (``feature_weights`` 0) are in the first part.
n_iter_ : int
dual_gap_ : float
    Certified bound on ``objective_`` minus the optimum. NaN if the penalty is not convex; then ``stationarity_`` is
    there, the gap in the convex problem that majorises it at ``coef_``, 0 where these are stationary.
objective_ : float
converged_ : bool
    Whether the gap (or ``stationarity_``) asked for was reached.
history_ : dict of ndarrays
    ``iteration``, ``seconds``, ``objective`` and ``gap`` at every certificate.
n_features_in_ : int
    Columns of X, the task column included.
feature_names_in_ : ndarray of str
    Only if X is a data frame with string names.
task_position_ : int or None"""


@dataclass(frozen=True)
class Family:
    """What the signatures and docstrings of a family of estimators have in common.

    Attributes
    ----------
    common : dict
        ``{name: (default, documentation)}`` of the parameters.
    loss : dict
        Documentation of the loss by kind of estimator.
    attributes : dict
        That of the fitted attributes by kind of estimator.
    """

    common: dict
    loss: dict
    attributes: dict


LINEAR = Family(
    COMMON,
    _LOSS,
    {"regressor": _ATTRIBUTES + _NOISE, "classifier": _ATTRIBUTES + "\n" + CLASSES},
)


def parameters(kind, family=LINEAR, **own):
    """Class decorator that writes ``__init__`` from the class's own parameters and the common ones.

    Own parameters are given as ``name=default`` and documented in the class docstring, or that of its first base. In it
    ``{common}`` stands for the documentation of the common parameters, ``{loss}`` for that of the loss,
    ``{attributes}`` for that of the fitted attributes, ``{task}`` for "regression" or "classification", and a
    parameter's name in braces for its default.
    """
    common = family.common | (_CLASSIFIER if kind == "classifier" else {})
    defaults = own | {name: default for name, (default, _) in common.items()}

    def decorate(cls):
        positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
        signature = [inspect.Parameter("self", positional)]
        for i, (name, default) in enumerate(defaults.items()):
            place = positional if i == 0 else inspect.Parameter.KEYWORD_ONLY
            signature.append(inspect.Parameter(name, place, default=default))
        signature = inspect.Signature(signature)

        def __init__(*args, **kwargs):  # noqa: N807
            try:
                bound = signature.bind(*args, **kwargs)
            except TypeError as error:
                raise TypeError(f"{cls.__name__}(): {error}") from None
            bound.apply_defaults()
            values = dict(bound.arguments)
            self = values.pop("self")
            for name, value in values.items():
                setattr(self, name, value)

        __init__.__signature__ = signature
        __init__.__qualname__ = f"{cls.__qualname__}.__init__"
        cls.__init__ = __init__
        cls.__doc__ = _filled(cls.__doc__ or cls.__bases__[0].__doc__, kind, family, common, own)
        return cls

    return decorate


def _filled(doc, kind, family, common, own):
    """A docstring with what stands in braces put in."""
    texts = {
        "common": "\n".join(text for _, text in common.values()),
        "loss": family.loss[kind],
        "attributes": family.attributes[kind],
        "task": {"regressor": "regression", "classifier": "classification"}[kind],
    } | {name: repr(default) for name, default in own.items() if name != "loss"}
    for name, text in texts.items():
        doc = doc.replace("{" + name + "}", text.replace("\n", "\n    "))
    return doc


_CHOICES = {
    "standardize": (False, True, "per_task"),
    "unseen_task": ("error", "mean"),
    "device": ("auto", "cpu", "cuda"),
    "single_class": ("error", "constant"),
    "multi_class": ("softmax", "ovr"),
    "fit_intercept": (False, True),
    "warm_start": (False, True),
}


def check_parameters(estimator):
    """Raise a ValueError or TypeError that names a common parameter out of its range."""
    name = type(estimator).__name__
    for parameter, choices in _CHOICES.items():
        value = getattr(estimator, parameter, choices[0])
        if not any(type(value) is type(c) and value == c for c in choices):
            raise ValueError(f"{name}({parameter}={value!r}): {parameter} must be one of {list(choices)}.")
    _check_real(name, "tol", estimator.tol)
    if isinstance(estimator.max_iter, bool) or not isinstance(estimator.max_iter, numbers.Integral):
        raise TypeError(f"{name}(max_iter={estimator.max_iter!r}): max_iter must be an integer.")
    if estimator.max_iter < 1:
        raise ValueError(f"{name}(max_iter={estimator.max_iter!r}): max_iter must be at least 1.")
    weight = estimator.task_weight
    if isinstance(weight, str) and weight != "balanced":
        raise ValueError(f"{name}(task_weight={weight!r}): give None, 'balanced', a dict or an array.")
    if weight is not None and (isinstance(weight, bool) or not hasattr(weight, "__len__")):
        raise TypeError(f"{name}(task_weight={weight!r}): give None, 'balanced', a dict or an array.")
    weight = getattr(estimator, "class_weight", None)
    if weight is not None and weight != "balanced" and not isinstance(weight, dict):
        raise ValueError(f"{name}(class_weight={weight!r}): give None, 'balanced' or a dict.")
    if not isinstance(estimator.loss, str | Loss | Calibrated | dict | list | tuple):
        raise TypeError(f"{name}(loss={estimator.loss!r}): give a name, a Loss, or a dict or list with one per task.")
    _check_constraint(estimator)


def _check_constraint(estimator):
    # the constraint is part of the penalty, which does not see features of weight 0
    weights = estimator.feature_weights
    if weights is None or not estimator._make_penalty().constrained:
        return
    if (as_float_array(weights, "feature_weights") == 0).any():
        raise ValueError(
            f"{type(estimator).__name__}: positive=True does not reach features with feature_weights 0, which the "
            "penalty never sees: give them a small weight > 0 instead."
        )


def _check_real(owner, name, value):
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{owner}({name}={value!r}): {name} must be a number.")
    if not 0 <= value < float("inf"):
        raise ValueError(f"{owner}({name}={value!r}): {name} must be finite and >= 0.")
