"""Products with rows of tasks in CUDA, and what they are made of, against the reference."""

import numpy as np
import pytest
from cuda import CUDA, OnHost
from numpy.testing import assert_allclose

from mtlreg.designs import StackedDesign
from mtlreg.kernels import generic, gpu
from mtlreg.kernels.generic.stacked import Stack
from mtlreg.losses import Softmax, Squared
from mtlreg.task_losses import Segment

HEIGHTS = {
    "single rows": [1] * 7,
    "ragged": [3, 1, 17, 40, 2],
    "tall": [700, 1, 256, 257],
    "even": [6, 6, 6],
    "one task": [300],
    "an empty one": [4, 0, 3],
}


def stack_of(heights, widths):
    return Stack(np.cumsum([0, *heights]), widths)


def layouts(A, array):
    """The same matrix in other places of memory."""
    wide, tall = np.zeros((A.shape[0], 2 * A.shape[1] + 1), A.dtype), np.zeros((3 * len(A), A.shape[1]), A.dtype)
    wide[:, 1::2], tall[::3] = A, A
    yield from (array(A), array(np.asfortranarray(A)), array(wide)[:, 1::2], array(tall)[::3])
    yield from (array(np.ascontiguousarray(A.T)).T, array(np.ascontiguousarray(A[::-1]))[::-1])


def check(kernels, name, stack, A, B):
    tolerance = 1e-13 if A.dtype == np.float64 else 2e-6
    wanted = getattr(generic, name)(stack, A.astype(float), B.astype(float))
    there = kernels.array(B)
    for same in layouts(A, kernels.array):
        found = getattr(kernels, name)(stack, same, there)
        assert found.dtype == A.dtype and found.shape == wanted.shape
        assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * np.abs(wanted).max())
        assert bool((same == kernels.array(A)).all()) and bool((there == kernels.array(B)).all())


@pytest.mark.sampled(2)
@pytest.mark.parametrize("kernels", CUDA)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("p", [1, 33, 200])
@pytest.mark.parametrize("widths", [[1], [3], [1, 3], [5, 1, 2]], ids=str)
@pytest.mark.parametrize("heights", HEIGHTS)
def test_products(kernels, heights, widths, p, dtype):
    heights, rng = HEIGHTS[heights], np.random.default_rng(p)
    stack = stack_of(heights, np.resize(widths, len(heights)))
    A, W, R = (
        rng.standard_normal(shape).astype(dtype)
        for shape in ((sum(heights), p), (p, stack.columns[-1]), stack.offsets[-1])
    )
    check(kernels, "stacked_product", stack, A, W)
    check(kernels, "stacked_product", stack, A, np.asfortranarray(W))
    check(kernels, "stacked_adjoint", stack, A, R)


@pytest.mark.parametrize("kernels", CUDA)
@pytest.mark.parametrize("heights", HEIGHTS)
def test_pair_sums(kernels, heights):
    heights, rng = HEIGHTS[heights], np.random.default_rng(0)
    stack = stack_of(heights, np.resize([1, 4], len(heights)))
    check(
        kernels, "stacked_pair_sums", stack, rng.standard_normal((sum(heights), 3)), rng.uniform(size=stack.offsets[-1])
    )


@pytest.mark.parametrize("kernels", CUDA)
def test_little_memory_and_small_pieces(kernels, monkeypatch):
    monkeypatch.setattr(gpu.stacked, "LARGEST", 50)
    monkeypatch.setattr(gpu.stacked, "PIECE", 4)
    rng = np.random.default_rng(1)
    stack = stack_of([9, 1, 4], [2, 1, 5])
    check(kernels, "stacked_adjoint", stack, rng.standard_normal((14, 11)), rng.standard_normal(stack.offsets[-1]))


@pytest.mark.parametrize("kernels", CUDA)
def test_sums_are_the_same_every_time_and_keep_the_digits_of_float32(kernels):
    rng = np.random.default_rng(2)
    stack = stack_of([3000, 5], [1, 1])
    A, R = np.ones((3005, 1), np.float32), rng.uniform(size=3005).astype(np.float32)
    exact = [R[:3000].sum(dtype=float), R[3000:].sum(dtype=float)]
    A, R = kernels.array(A), kernels.array(R)
    first = kernels.stacked_adjoint(stack, A, R)
    assert np.array_equal(first[0], np.array(exact, np.float32))
    assert np.array_equal(kernels.stacked_adjoint(stack_of([3000, 5], [1, 1]), A, R), first)


@pytest.mark.parametrize("kernels", CUDA)
def test_arrays_of_two_types(kernels):
    rng = np.random.default_rng(3)
    stack, A, R = stack_of([4, 2], [1, 1]), rng.standard_normal((6, 2)).astype(np.float32), rng.standard_normal(6)
    wanted = generic.stacked_adjoint(stack, A, R)
    found = kernels.stacked_adjoint(stack, kernels.array(A), kernels.array(R))
    assert found.dtype == np.float64
    assert_allclose(found, wanted, rtol=1e-14)


SEGMENTS = [
    Segment(Squared(), 1, slice(0, 2), slice(0, 10), slice(0, 3)),
    Segment(Softmax(), 3, slice(2, 4), slice(10, 21), slice(3, 9)),
]


@pytest.mark.parametrize("kernels", CUDA)
@pytest.mark.parametrize("segment", SEGMENTS, ids=["numbers", "classes"])
def test_sums_of_a_segment(kernels, segment, monkeypatch):
    rng = np.random.default_rng(4)
    A, layout = rng.standard_normal((18, 2)), ([0, 4, 7, 12, 18], [1, 2, 3, 3])
    h = rng.standard_normal((10,) if segment.n_columns == 1 else (11, 3, 3))
    explicit, at = [], 0
    for t in range(segment.tasks.start, segment.tasks.stop):
        rows = A[layout[0][t] : layout[0][t + 1]]
        size = len(rows) * layout[1][t] // segment.n_columns
        explicit.append((rows, h[at : at + size].reshape(len(rows), -1)))
        at += size
    sums = np.concatenate([rows.T @ block for rows, block in explicit], axis=1)
    pairs = [np.einsum("ia,ib,ic->abc", rows, rows, block).reshape(4, -1) for rows, block in explicit]
    design = StackedDesign(A, *layout)
    assert_allclose(design.group_sums(A, h, segment), sums, rtol=1e-13)
    assert_allclose(design.pair_sums(A, h, segment), np.concatenate(pairs, axis=1), rtol=1e-13)
    monkeypatch.setattr("mtlreg.designs.for_array", lambda a: kernels)
    A, h = kernels.array(A), kernels.array(h)
    design = StackedDesign(A, *layout)
    assert_allclose(design.group_sums(A, h, segment), sums, rtol=1e-13)
    assert_allclose(design.pair_sums(A, h, segment), np.concatenate(pairs, axis=1), rtol=1e-13)


@pytest.mark.parametrize("n_tasks", [2, 50])
def test_as_many_launches_for_many_tasks_as_for_few(n_tasks):
    launched = []
    kernels = OnHost(lambda file, kernel, *rest, **settings: launched.append(kernel))
    stack = stack_of(1 + np.arange(n_tasks), [1] * n_tasks)
    A = np.ones((stack.starts[-1], 3))
    kernels.stacked_product(stack, A, np.ones((3, n_tasks)))
    kernels.stacked_adjoint(stack, A, np.ones(len(A)))
    assert launched == ["multiply_rows", "add_pieces", "join_pieces"]
