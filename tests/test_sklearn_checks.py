"""scikit-learn's own checks on every public estimator, through both doors."""

import inspect

import pytest
from sklearn.base import clone, is_regressor
from sklearn.pipeline import Pipeline, make_pipeline

from mtlreg import (
    L21,
    AppendTask,
    BlockSparseClassifier,
    BlockSparseRegressor,
    MultiTaskClassifier,
    MultiTaskRegressor,
    PathSearchCV,
    SharedLayerClassifier,
    SharedLayerRegressor,
    estimators,
)

try:
    from sklearn.utils.estimator_checks import parametrize_with_checks
except RuntimeError as error:  # scikit-learn 1.6 beside array-api-compat, without SCIPY_ARRAY_API=1
    pytest.skip(str(error), allow_module_level=True)

# scikit-learn < 1.8 has no such keyword; there pytest's own xfail_strict decides
KEYWORDS = inspect.signature(parametrize_with_checks).parameters
STRICT = {"xfail_strict": True} if "xfail_strict" in KEYWORDS else {}

PIPELINE = dict.fromkeys(
    ("check_estimators_overwrite_params", "check_dont_overwrite_parameters"),
    "a Pipeline fits its steps in place: scikit-learn's own pipelines fail this too",
)
ROW_TASKS = "the first column of random data makes every row a task of its own"
DIRECT = {
    "check_dtype_object": "the check puts a dict into the task column and wants the message for a feature",
    "check_estimators_nan_inf": "NaN in the task column is reported as a missing task",
    "check_array_api_input": f"{ROW_TASKS}, or the one label of a class",
}
DIRECT_REGRESSOR = DIRECT | {
    "check_regressors_train": f"{ROW_TASKS}, in which R2 is not defined",
    **dict.fromkeys(
        (
            "check_sample_weight_equivalence_on_dense_data",
            "check_sample_weight_equivalence_on_sparse_data",
            "check_fit_idempotent",
        ),
        f"{ROW_TASKS}, so that other rows are tasks not seen in fit",
    ),
}
DIRECT_CLASSIFIER = DIRECT | dict.fromkeys(
    (
        "check_class_weight_classifiers",
        "check_classifier_data_not_an_array",
        "check_classifiers_classes",
        "check_classifiers_train",
        "check_decision_proba_consistency",
        "check_dict_unchanged",
        "check_dont_overwrite_parameters",
        "check_estimator_sparse_array",
        "check_estimator_sparse_matrix",
        "check_estimator_sparse_tag",
        "check_estimators_dtypes",
        "check_estimators_fit_returns_self",
        "check_estimators_overwrite_params",
        "check_estimators_pickle",
        "check_f_contiguous_array_estimator",
        "check_fit2d_predict1d",
        "check_fit_check_is_fitted",
        "check_fit_idempotent",
        "check_fit_score_takes_y",
        "check_methods_sample_order_invariance",
        "check_methods_subset_invariance",
        "check_n_features_in",
        "check_n_features_in_after_fitting",
        "check_non_transformer_estimators_n_iter",
        "check_pipeline_consistency",
        "check_positive_only_tag_during_fit",
        "check_readonly_memmap_input",
        "check_sample_weight_equivalence_on_dense_data",
        "check_sample_weight_equivalence_on_sparse_data",
        "check_sample_weights_list",
        "check_sample_weights_not_an_array",
        "check_sample_weights_not_overwritten",
        "check_sample_weights_pandas_series",
        "check_sample_weights_shape",
        "check_supervised_y_2d",
    ),
    f"{ROW_TASKS}, which has one class",
)
DIRECT_CLASSIFIER["check_classifiers_one_label_sample_weights"] = f"{ROW_TASKS}, half of which weigh nothing"


GENERAL = ("BlockSparse", "MultiTask")
STRUCTURED = [getattr(estimators, name) for name in estimators.__all__ if not name.startswith(GENERAL)]


def expected_failures(estimator):
    if isinstance(estimator, Pipeline):
        return PIPELINE
    return DIRECT_CLASSIFIER if hasattr(estimator, "class_weight") else DIRECT_REGRESSOR


def with_tasks(estimator):
    """The estimator behind a task column made from the row; with few rows some tasks have one class."""
    if hasattr(estimator, "class_weight"):
        estimator.set_params(single_class="constant")
    return make_pipeline(AppendTask(), estimator.set_params(task_feature=-1))


@parametrize_with_checks(
    [
        BlockSparseRegressor(),
        BlockSparseClassifier(),
        MultiTaskRegressor(penalty=L21(0.01)),
        MultiTaskClassifier(penalty=L21(0.01)),
        *(cls(alpha=0.01) for cls in STRUCTURED[::5]),
    ]
)
def test_shared_rows(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks([cls(alpha=0.01) for cls in STRUCTURED])
def test_shared_rows_under_every_name(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Task .* has only one class:UserWarning")
@parametrize_with_checks(
    [with_tasks(cls(alpha=0.1)) for cls in STRUCTURED if is_regressor(cls())],
    expected_failed_checks=expected_failures,
    **STRICT,
)
def test_task_column_under_every_name(estimator, check):
    check(estimator)


@pytest.mark.sampled(2)
@pytest.mark.filterwarnings("ignore:.*test score that is not finite:UserWarning")
@pytest.mark.filterwarnings("ignore:.* fits failed:sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@parametrize_with_checks(
    [
        PathSearchCV(BlockSparseRegressor(), alphas=2, eps=0.1, cv=2),
        PathSearchCV(BlockSparseClassifier(tol=1e-10), alphas=2, eps=0.1, cv=2),
        PathSearchCV(MultiTaskRegressor(), alphas=2, eps=0.1, cv=2, rule="1se"),
    ]
)
def test_search(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore:Task .* has only one class:UserWarning")
@parametrize_with_checks(
    [
        with_tasks(BlockSparseRegressor(0.01)),
        with_tasks(BlockSparseClassifier(0.1)),
        with_tasks(MultiTaskRegressor(L21(0.01))),
        with_tasks(MultiTaskClassifier(L21(0.1), multi_class="ovr")),
    ],
    expected_failed_checks=expected_failures,
    **STRICT,
)
def test_task_column_in_a_pipeline(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore:The task column .* holds numbers that are not integers:UserWarning")
@parametrize_with_checks(
    [
        BlockSparseRegressor(task_feature=0),
        BlockSparseClassifier(task_feature=0),
        MultiTaskRegressor(penalty=L21(0.01), task_feature=0),
        MultiTaskClassifier(penalty=L21(0.01), task_feature=0),
    ],
    expected_failed_checks=expected_failures,
    **STRICT,
)
def test_task_column_directly(estimator, check):
    check(estimator)


QUICK = {"max_iter": 50, "learning_rate_init": 0.02, "random_state": 0}
NETS = [SharedLayerRegressor(**QUICK), SharedLayerClassifier(**QUICK)]


@pytest.mark.filterwarnings("ignore:SharedLayer.* was still improving:sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(NETS)
def test_nets(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore:SharedLayer.* was still improving:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:Task .* has only one class:UserWarning")
@parametrize_with_checks([with_tasks(clone(net)) for net in NETS], expected_failed_checks=expected_failures, **STRICT)
def test_nets_behind_a_task_column(estimator, check):
    check(estimator)
