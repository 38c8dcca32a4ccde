"""Designs: the public check over every layout, and what it cannot know."""

import array_api_strict
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from mtlreg import designs
from mtlreg.designs import Design, SharedDesign, StackedDesign, pinv_psd
from mtlreg.losses import Softmax, Squared
from mtlreg.task_losses import Segment
from mtlreg.testing import check_design

N, P, STARTS = 17, 6, [0, 5, 6, 17]
CONTAINERS = {
    "dense": np.asarray,
    "fortran": np.asfortranarray,
    "csr": sparse.csr_array,
    "csc": sparse.csc_array,
    "csr_matrix": sparse.csr_matrix,
    "float32": lambda X: X.astype(np.float32),
    "sparse float32": lambda X: sparse.csr_array(X.astype(np.float32)),
    "read-only": lambda X: np.frombuffer(X.tobytes()).reshape(X.shape),
}
FREE = {
    "no free": lambda rng: None,
    "intercept": lambda rng: np.ones((N, 1)),
    "two free": lambda rng: np.column_stack([np.ones(N), rng.standard_normal(N)]),
}
SCALES = {
    "unscaled": lambda rng, n_columns: None,
    "scaled": lambda rng, n_columns: rng.uniform(0.1, 3.0, (P, 1)) * (np.arange(P) != 2)[:, None],
    "scaled by column": lambda rng, n_columns: rng.uniform(0.1, 3.0, (P, n_columns)),
}
LAYOUTS = {
    "shared": (4, lambda X, *rest: SharedDesign(X, 4, *rest)),
    "shared, one column": (1, lambda X, *rest: SharedDesign(X, 1, *rest)),
    "stacked": (3, lambda X, *rest: StackedDesign(X, STARTS, [1, 1, 1], *rest)),
    "stacked, classes": (6, lambda X, *rest: StackedDesign(X, STARTS, [2, 1, 3], *rest)),
    "stacked, one task": (1, lambda X, *rest: StackedDesign(X, [0, N], [1], *rest)),
}


def random_matrix(rng):
    """With zeros, an offset, and a column far from the others in scale."""
    X = rng.standard_normal((N, P)) * (rng.random((N, P)) < 0.6)
    X[:, 3] += 2.0
    X[:, 4] *= 100.0
    return X


def make(layout, container="dense", free="intercept", scale="unscaled"):
    rng = np.random.default_rng(0)
    n_columns, build = LAYOUTS[layout]
    X = CONTAINERS[container](random_matrix(rng))
    U, inverse = FREE[free](rng), SCALES[scale](rng, n_columns)
    return build(X, *(None if a is None else a.astype(X.dtype) for a in (U, inverse)))


def test_every_public_design_is_checked():
    public = {getattr(designs, name) for name in designs.__all__} - {Design}
    assert public == {type(make(layout)) for layout in LAYOUTS}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("free", FREE)
@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_check_design(layout, container, free, scale):
    check_design(make(layout, container, free, scale))


# -- the check finds what is wrong --


class WrongTranspose(SharedDesign):
    def rmatvec(self, R):
        return 1.001 * super().rmatvec(R)


class WrongProduct(SharedDesign):
    def matvec(self, W):
        return super().matvec(W) + 1e-6


class NotCentred(SharedDesign):
    def residualise(self, weights):
        return super().residualise(weights * weights)


class WrongSums(SharedDesign):
    def square_sums(self, weights):
        return 1.001 * super().square_sums(weights)


class LargeEigenvalue(SharedDesign):
    def largest_eigenvalue(self, weights, n_iter=30):
        return 1.1 * super().largest_eigenvalue(weights, 300)


class WrongPart(SharedDesign):
    def restrict(self, features):
        return super().restrict(np.sort(features))


class Writes(SharedDesign):
    def largest_eigenvalue(self, weights, n_iter=30):
        top = super().largest_eigenvalue(weights, n_iter)
        self.X *= 2
        return top


BROKEN = [
    (WrongTranspose, "rmatvec is not the transpose"),
    (WrongProduct, "matvec is not the explicit product"),
    (NotCentred, "not orthogonal to U"),
    (WrongSums, "square_sums"),
    (LargeEigenvalue, "largest_eigenvalue"),
    (WrongPart, "restricted to"),
    (Writes, "X was changed"),
]


@pytest.mark.parametrize(("cls", "message"), BROKEN, ids=[cls.__name__ for cls, _ in BROKEN])
def test_check_design_finds_what_is_broken(cls, message):
    rng = np.random.default_rng(0)
    with pytest.raises(AssertionError, match=message):
        check_design(cls(random_matrix(rng), 3, np.ones((N, 1))))


# -- further --


@pytest.mark.parametrize("layout", ["shared", "stacked", "stacked, classes"])
@pytest.mark.parametrize("scale", SCALES)
def test_array_api_strict(layout, scale):
    rng = np.random.default_rng(0)
    numpy_design = make(layout, free="two free", scale=scale)
    strict = make(layout, free="two free", scale=scale)
    for name in ("X", "U", "inverse_scale"):
        value = getattr(strict, name)
        setattr(strict, name, None if value is None else array_api_strict.asarray(value))
    strict._derive()
    W = rng.standard_normal(numpy_design.shape_w)
    weights = rng.uniform(0.5, 2.0, numpy_design.matvec(W).shape)
    numpy_design.residualise(weights)
    strict.residualise(array_api_strict.asarray(weights))
    for method, argument in [
        ("matvec", W),
        ("rmatvec", weights),
        ("square_sums", weights),
        ("free_gram", weights),
        ("largest_eigenvalue", weights),
    ]:
        there = getattr(strict, method)(array_api_strict.asarray(argument))
        assert_allclose(np.asarray(there), getattr(numpy_design, method)(argument), rtol=1e-11, atol=1e-11)
    part = strict.restrict(array_api_strict.asarray([0, 3]))
    there = part.matvec(array_api_strict.asarray(W[[0, 3]]))
    assert_allclose(np.asarray(there), numpy_design.restrict(np.array([0, 3])).matvec(W[[0, 3]]))


@pytest.mark.parametrize("container", ["dense", "csr", "csc"])
def test_stacked_is_shared_on_the_rows_of_each_task(container):
    rng = np.random.default_rng(0)
    X = random_matrix(rng)
    shared = SharedDesign(CONTAINERS[container](X), 2, np.ones((N, 1)))
    stacked = StackedDesign(CONTAINERS[container](np.concatenate([X, X])), [0, N, 2 * N], [1, 1], np.ones((2 * N, 1)))
    weights, W = rng.uniform(0.5, 2.0, (N, 2)), rng.standard_normal((P, 2))
    shared.residualise(weights)
    stacked.residualise(weights.T.ravel())
    assert_allclose(stacked.matvec(W), shared.matvec(W).T.ravel(), rtol=1e-12, atol=1e-12)
    assert_allclose(stacked.rmatvec(weights.T.ravel()), shared.rmatvec(weights), rtol=1e-12, atol=1e-12)


def test_shared_weights_need_one_centre():
    design = make("shared").residualise(np.ones((N, 1)))
    assert design.centre.shape == (1, P, 1)
    assert_allclose(design.centre[0, :, 0], design.X.mean(axis=0))
    assert design.square_sums(np.ones((N, 1))).shape == (P, 1)


def test_columns_in_the_span_of_u_count_as_zero():
    rng = np.random.default_rng(0)
    X = random_matrix(rng)
    X[:, 1] = 1e4
    design = SharedDesign(X, 2, np.ones((N, 1))).residualise(np.ones((N, 1)))
    assert design.square_sums(np.ones((N, 1)))[1, 0] == 0


def test_rows_of_tasks_are_views_and_sparse_x_stays_sparse():
    dense = make("stacked")
    assert all(np.shares_memory(block, dense.X) for block in dense.stack.blocks(dense.X))
    design = make("stacked", "csr")
    assert all(sparse.issparse(block) for block in design.stack.blocks(design.X))


@pytest.mark.parametrize(
    ("layout", "segments", "slices"),
    [
        ("shared", [Segment(Squared(), 1, slice(0, 4), slice(0, 4), slice(0, 4))], [slice(0, 4)]),
        (
            "stacked, classes",
            [
                Segment(Softmax(), 2, slice(0, 1), slice(0, 5), slice(0, 10)),
                Segment(Squared(), 1, slice(1, 2), slice(5, 6), slice(10, 11)),
                Segment(Softmax(), 3, slice(2, 3), slice(6, 17), slice(11, 44)),
            ],
            [slice(0, 2), slice(2, 3), slice(3, 6)],
        ),
    ],
)
def test_columns_of_a_segment(layout, segments, slices):
    design = make(layout)
    assert [design.coefficient_columns(segment) for segment in segments] == slices


def test_pinv_psd():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((4, 3, 2))
    stack = np.concatenate([A @ A.swapaxes(1, 2), np.eye(3)[None] * 1e-8, np.zeros((1, 3, 3))])
    inverse = pinv_psd(stack)
    assert_allclose(inverse[:5], np.linalg.pinv(stack[:5]), rtol=1e-8, atol=1e-10)
    assert_array_equal(inverse[5], np.zeros((3, 3)))
