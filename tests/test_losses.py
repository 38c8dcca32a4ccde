"""Losses: the public check on all of them, and what it cannot know."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from mtlreg import losses
from mtlreg.losses import (
    Huber,
    Logistic,
    Loss,
    Poisson,
    Softmax,
    Squared,
    SquaredHinge,
    as_loss,
)
from mtlreg.task_losses import Segment, TaskLosses, split_columns
from mtlreg.testing import check_loss

CHECKED = {
    "Squared": [Squared()],
    "Huber": [Huber(), Huber(threshold=0.3), Huber(threshold=8.0)],
    "Logistic": [Logistic()],
    "SquaredHinge": [SquaredHinge()],
    "Poisson": [Poisson()],
    "Softmax": [Softmax()],
}


def test_every_public_loss_is_checked():
    public = [getattr(losses, name) for name in losses.__all__]
    assert {c.__name__ for c in public if isinstance(c, type) and issubclass(c, Loss) and c is not Loss} == set(CHECKED)
    assert {c.__name__ for c in losses.LOSSES.values()} == set(CHECKED)


@pytest.mark.parametrize("loss", [loss for some in CHECKED.values() for loss in some], ids=repr)
def test_check_loss(loss):
    check_loss(loss)


# -- the check finds what is wrong --------------------------------------------------------------------------------


class NotSaturated(Poisson):
    def value(self, y, eta):
        return np.exp(np.minimum(eta, 600)) - y * eta


class WrongGradient(Logistic):
    def gradient(self, y, eta):
        return self.inverse_link(eta) - 0.99 * y


class WrongHessian(Squared):
    def hessian(self, y, eta):
        return 2.0 * np.ones_like(eta)


class LowConjugate(Squared):
    def conjugate(self, y, v):
        return v * (0.5 * v + y) - 0.1 * np.abs(v)


class WideConjugate(Logistic):
    def conjugate(self, y, v):
        return np.where(np.isinf(super().conjugate(y, v)), 100.0, super().conjugate(y, v))


class LowCurvature(Logistic):
    curvature = 0.2


class HighCurvature(Logistic):
    curvature = 0.5


class InPlace(Squared):
    def value(self, y, eta):
        eta -= y
        return 0.5 * eta**2


class Overflows(Logistic):
    def value(self, y, eta):
        return np.log(1 + np.exp(eta)) - y * eta


class Widens(Squared):
    def gradient(self, y, eta):
        return np.float64(1) * (eta - y)


class NumPyOnly(SquaredHinge):
    def value(self, y, eta):
        return 0.5 * np.maximum(np.asarray(1 - (2 * y - 1) * eta), 0) ** 2


class AcceptsAll(Poisson):
    def check(self, y, where=""):
        pass


BROKEN = [
    (NotSaturated(), "saturated"),
    (WrongGradient(), "gradient is not that of value"),
    (WrongHessian(), "hessian is not the derivative"),
    (LowConjugate(), "is not v eta at v = gradient"),
    (WideConjugate(), "the supremum is over"),
    (LowCurvature(), "over curvature"),
    (HighCurvature(), "never reached"),
    (InPlace(), "written to"),
    (Overflows(), "overflow|not finite"),
    (Widens(), "float32 in, float64 out"),
    (NumPyOnly(), "array_api_strict"),
    (AcceptsAll(), "check accepts"),
]


@pytest.mark.parametrize(("loss", "message"), BROKEN, ids=lambda a: type(a).__name__)
def test_check_loss_finds_what_is_broken(loss, message):
    with pytest.raises(AssertionError, match=message):
        check_loss(loss)


# -- values and names ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "y", "eta", "value"),
    [
        (Squared(), 3.0, 1.0, 2.0),
        (Huber(threshold=1.0), 3.0, 0.0, 2.5),
        (Huber(threshold=1.0), 0.5, 0.0, 0.125),
        (Logistic(), 1.0, 0.0, np.log(2)),
        (SquaredHinge(), 1.0, -1.0, 2.0),
        (SquaredHinge(), 0.0, -1.0, 0.0),
        (Poisson(), 2.0, np.log(2.0), 0.0),
        (Poisson(), 0.0, 0.0, 1.0),
    ],
)
def test_values_by_hand(loss, y, eta, value):
    assert_allclose(loss.value(np.array([y]), np.array([eta])), [value], atol=1e-15)


def test_softmax_of_two_classes_is_logistic():
    rng = np.random.default_rng(0)
    eta, y = rng.standard_normal((20, 2)), rng.integers(0, 2, 20).astype(float)
    assert_allclose(Softmax().value(y, eta), Logistic().value(y, eta[:, 1] - eta[:, 0]))
    assert_allclose(Softmax().inverse_link(eta)[:, 1], Logistic().inverse_link(eta[:, 1] - eta[:, 0]))


def test_huber_with_a_large_threshold_is_squared():
    y, eta = np.array([1.0, -3.0]), np.array([2.0, 4.0])
    for method in ("value", "gradient", "hessian"):
        assert_array_equal(getattr(Huber(1e6), method)(y, eta), getattr(Squared(), method)(y, eta))


def test_logistic_keeps_its_digits_in_the_tails():
    value = Logistic().value(np.array([1.0, 0.0]), np.array([40.0, -40.0]))
    assert_allclose(value, np.exp(-40), rtol=1e-12)
    gradient = Logistic().gradient(np.array([1.0, 0.0]), np.array([40.0, -40.0]))
    assert_allclose(gradient, [-np.exp(-40), np.exp(-40)], rtol=1e-12)


def test_poisson_keeps_its_digits_for_large_counts():
    y, d = np.array([1e8, 1e8, 3e4]), np.array([1e-6, -1e-5, 1e-4])
    loss, eta = Poisson(), np.log(y) + d
    d = eta - np.log(y)  # as it was rounded
    assert_allclose(loss.value(y, eta), y * (d**2 / 2 + d**3 / 6), rtol=1e-6)
    v = y * np.expm1(d)
    assert_allclose(loss.conjugate(y, v) - v * np.log(y), y * (d**2 / 2 + d**3 / 3), rtol=1e-4)


@pytest.mark.parametrize("name", list(losses.LOSSES))
def test_as_loss(name):
    loss = as_loss(name)
    assert loss.name == name
    assert as_loss(loss) is loss


@pytest.mark.parametrize("bad", ["absolute", 3, None, Squared])
def test_as_loss_names_the_choices(bad):
    with pytest.raises(ValueError, match="'squared'"):
        as_loss(bad)


@pytest.mark.parametrize("threshold", [0.0, -1.0, float("nan"), float("inf")])
def test_huber_needs_a_positive_threshold(threshold):
    with pytest.raises(ValueError, match="finite threshold > 0"):
        Huber(threshold).check(np.zeros(1))


@pytest.mark.parametrize("threshold", ["a", None, True, np.array([1.0, 2.0])])
def test_huber_needs_a_number(threshold):
    with pytest.raises(TypeError, match="threshold must be a number"):
        Huber(threshold).check(np.zeros(1))


def test_parameters_of_losses():
    loss = Huber(0.5)
    assert loss.get_params() == vars(loss) == {"threshold": 0.5}
    assert repr(loss) == "Huber(threshold=0.5)"
    assert clone(loss).set_params(threshold=2.0).threshold == 2.0
    assert loss.threshold == 0.5
    for other in (Squared(), Logistic(), SquaredHinge(), Poisson(), Softmax()):
        assert clone(other).get_params() == vars(other) == {}
        assert repr(other) == f"{type(other).__name__}()"


# -- losses of many tasks -----------------------------------------------------------------------------------------


def mixed():
    """A squared task, two softmax tasks of three classes, a logistic one: 4 labels and 8 columns a row."""
    return TaskLosses(
        [
            Segment(Squared(), 1, slice(0, 1), slice(0, 1), slice(0, 1)),
            Segment(Softmax(), 3, slice(1, 3), slice(1, 3), slice(1, 7)),
            Segment(Logistic(), 1, slice(3, 4), slice(3, 4), slice(7, 8)),
        ]
    )


def test_segments_act_on_their_own_columns():
    rng = np.random.default_rng(0)
    eta = rng.standard_normal((5, 8))
    y = np.column_stack([rng.standard_normal(5), *rng.integers(0, 3, (2, 5)), rng.integers(0, 2, 5)])
    both = mixed()
    assert (both.quadratic, both.scalar, both.smooth_bounded) == (False, False, True)
    columns = [slice(0, 1), slice(1, 4), slice(4, 7), slice(7, 8)]
    pairs = list(zip([Squared(), Softmax(), Softmax(), Logistic()], columns, strict=True))
    v = 0.5 * both.gradient(y, eta)
    for method, argument in [("value", eta), ("gradient", eta), ("conjugate", v)]:
        out = getattr(both, method)(y, argument)
        blocks = [argument[:, c] if loss.name == "softmax" else argument[:, c][:, 0] for loss, c in pairs]
        wanted = [getattr(loss, method)(y[:, t], b) for t, ((loss, _), b) in enumerate(zip(pairs, blocks, strict=True))]
        assert_array_equal(out, np.column_stack(wanted))


def test_expand_and_curvature():
    weights = np.array([[1.0, 2.0, 3.0, 4.0]])
    assert_array_equal(mixed().expand(weights), [[1, 2, 2, 2, 3, 3, 3, 4]])
    assert_array_equal(mixed().curvature(weights), [[1, 1, 1, 1, 1.5, 1.5, 1.5, 1]])
    one = TaskLosses([Segment(Poisson(), 1, slice(0, 4), slice(0, 4), slice(0, 4))])
    assert not one.smooth_bounded
    assert one.expand(weights) is weights


def test_split_columns():
    eta = np.arange(12.0).reshape(2, 6)
    assert split_columns(eta, 1) is eta
    assert_array_equal(split_columns(eta, 3)[1, 0], [6, 7, 8])
