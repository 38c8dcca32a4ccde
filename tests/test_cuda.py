"""CUDA sources: each compiles, and says on the host what the reference says. Rows have test files of their own."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from cuda import CUDA, kernel_names, launch_warps
from numpy.testing import assert_allclose, assert_array_equal

from mtlreg.kernels import generic, gpu
from mtlreg.kernels.gpu import _launch

COMMON = (Path(gpu.__path__[0]) / "common.cuh").read_text()


@pytest.mark.parametrize("file", _launch.FILES)
def test_sources_compile_for_a_gpu(file, tmp_path):
    compiler = shutil.which("nvcc")
    if compiler is None:
        pytest.skip("no nvcc")
    (tmp_path / "kernel.cu").write_text(_launch.source(file))
    command = [compiler, "-std=c++17", "-ptx", "-o", tmp_path / "kernel.ptx", tmp_path / "kernel.cu"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and "warning" not in done.stderr, done.stderr
    text = (tmp_path / "kernel.ptx").read_text()
    names = kernel_names(_launch.source(file))
    assert names and all(f".entry {name}(" in text for name in names)
    assert {name.removesuffix("double") for name in names if name.endswith("_double")} == {
        name.removesuffix("float") for name in names if name.endswith("_float")
    }


def test_every_source_is_known():
    assert sorted(path.stem for path in Path(gpu.__path__[0]).glob("*.cu")) == sorted(_launch.FILES)


def on_warps_of(monkeypatch, work, entries, size):
    """An array of that many entries after one row's work on it, by a warp on the host."""
    text = f"{COMMON}KERNEL work_double(double *x, long long p, int size) {{ EACH_ROW(j, p) {{ {work} }} }}"
    monkeypatch.setattr(_launch, "source", lambda file: text)
    x = np.zeros(entries)
    launch_warps("rows", "work", x.dtype, 1, [x, np.int64(1), np.int32(size)])
    return x


def test_lanes_share_a_sum_and_the_largest(monkeypatch):
    work = "double sum = sum_of_lanes(1LL << LANE), top = largest_of_lanes(LANE % 7); x[LANE] = sum + top;"
    assert_array_equal(on_warps_of(monkeypatch, work, 32, 32), np.full(32, 2.0**32 - 1 + 6))


def test_lanes_that_diverge_are_noticed(monkeypatch):
    work = "EACH_ENTRY(k, size) x[k] = sum_of_lanes(1.0);"
    assert_array_equal(on_warps_of(monkeypatch, work, 64, 64), np.full(64, 32.0))
    for size in (1, 31, 33):
        with pytest.raises(AssertionError, match="diverged in work"):
            on_warps_of(monkeypatch, work, 64, size)
    with pytest.raises(AssertionError, match="diverged in work"):
        on_warps_of(monkeypatch, "if (LANE % 2) TOGETHER(); else x[LANE] = sum_of_lanes(1.0);", 64, 64)
    assert_array_equal(on_warps_of(monkeypatch, work, 64, 64), np.full(64, 32.0))


def test_a_barrier_left_out_is_noticed(monkeypatch):
    work = "EACH_ENTRY(k, 32) x[k] = k; %s EACH_ENTRY(k, 32) x[32 + k] = x[31 - k];"
    expected = np.arange(31.0, -1.0, -1.0)
    assert_array_equal(on_warps_of(monkeypatch, work % "TOGETHER();", 64, 64)[32:], expected)
    assert not np.array_equal(on_warps_of(monkeypatch, work % "", 64, 64)[32:], expected)


@pytest.mark.parametrize("kernels", CUDA)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [1, 2, 3, 17, 200])
def test_chains(kernels, dtype, n):
    rng = np.random.default_rng(n)
    V = rng.standard_normal((12, n)).astype(dtype)
    V[0] = 1.5
    V[1, n // 2 :] = V[1, 0]
    limits = rng.uniform(0, 0.5, n - 1)
    limits[::5] = 0.0
    limits[1::7] = np.inf
    kept = V.copy()
    tolerance = 1e-12 if dtype == np.float64 else 1e-6
    assert_allclose(kernels.fuse_chain(V, limits), generic.fuse_chain(V, limits), atol=tolerance)
    assert_allclose(kernels.fuse_chain(np.asfortranarray(V), limits), generic.fuse_chain(V, limits), atol=tolerance)
    assert kernels.fuse_chain(V, limits).dtype == dtype and np.array_equal(V, kept)
    assert kernels.fuse_chain(V[:0], limits).shape == (0, n)


@pytest.mark.parametrize("kernels", CUDA)
def test_chains_in_pieces(kernels, monkeypatch):
    monkeypatch.setattr(gpu.fuse, "LARGEST", 100)
    V = np.random.default_rng(0).standard_normal((50, 5))
    assert_allclose(kernels.fuse_chain(V, np.full(4, 0.2)), generic.fuse_chain(V, np.full(4, 0.2)), atol=1e-13)


GRAPHS = {
    "edge": (2, [(0, 1)]),
    "triangle": (3, [(0, 1), (1, 2), (0, 2)]),
    "star and a lone node": (6, [(0, 1), (2, 0), (0, 3), (4, 0)]),
    "complete": (40, [(s, t) for s in range(40) for t in range(s)]),
}


@pytest.mark.parametrize("kernels", CUDA)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", GRAPHS)
def test_graphs(kernels, dtype, name, monkeypatch):
    n, edges = GRAPHS[name]
    edges, rng = np.array(edges), np.random.default_rng(n)
    V = rng.standard_normal((6, n)).astype(dtype)
    V[0] = 1.5
    V[1] *= 1e-3
    limits = rng.uniform(0, 2 / n, len(edges))
    limits[::4] = 0.0
    limits[1::7] = np.inf
    kept, tolerance = V.copy(), 1e-10 if dtype == np.float64 else 1e-6
    wanted = generic.fuse_graph(V, edges, limits)
    for same in (V, np.asfortranarray(V)):
        assert_allclose(kernels.fuse_graph(same, edges, limits), wanted, atol=tolerance)
    monkeypatch.setattr(gpu.fuse, "LARGEST", 10)
    found = kernels.fuse_graph(V, edges, limits)
    assert_allclose(found, wanted, atol=tolerance)
    assert found.dtype == dtype and np.array_equal(V, kept)
    assert kernels.fuse_graph(V[:0], edges, limits).shape == (0, n)
    assert_allclose(kernels.fuse_graph(V, edges[:0], limits[:0]), V)


@pytest.mark.parametrize("kernels", CUDA)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("scale", [1.0, 1e-100, 1e100])
@pytest.mark.parametrize("size", [6, 70])
def test_groups(kernels, dtype, scale, size):
    if dtype == np.float32 and scale != 1:
        scale = scale**0.1
    rng = np.random.default_rng(3)
    V = (scale * rng.standard_normal((20, size))).astype(dtype)
    V[3] = 0.0
    groups = [[0, 1], [2], [0, 1, 2], [3, 4, 5], [*rng.permutation(size)]]
    starts, members = np.cumsum([0, *map(len, groups)]), np.concatenate(groups)
    weights = scale * np.array([0.3, 0.1, 0.5, 0.0, 0.8])
    kept, rtol = V.copy(), 1e-12 if dtype == np.float64 else 1e-5
    arguments = (starts, members, weights)
    assert_allclose(kernels.group_norms(V, *arguments), generic.group_norms(V, *arguments), rtol=rtol)
    expected = generic.shrink_groups(V, *arguments)
    for same in (V, np.asfortranarray(V)):
        assert_allclose(kernels.shrink_groups(same, *arguments), expected, rtol=rtol, atol=rtol * scale)
    assert np.array_equal(V, kept)
    assert kernels.shrink_groups(V[:0], *arguments).shape == (0, size)
    assert_allclose(kernels.shrink_groups(V, [0], [], []), V)


@pytest.mark.parametrize("kernels", CUDA)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("shape", "count"),
    [((0, 3), 3), ((1, 1), 1), ((7, 1), 1), ((40, 6), 1), ((40, 6), 3), ((3, 200), 1), ((3, 201), 3), ((2, 5, 6), 3)],
    ids=str,
)
def test_steps(kernels, dtype, shape, count):
    rng = np.random.default_rng(4)
    x, previous, ahead = (rng.standard_normal(shape).astype(dtype) for _ in range(3))
    beta, eps = rng.uniform(size=count).astype(dtype), 10 * np.finfo(dtype).eps
    for order in ("C", "F"):
        arrays = [np.asarray(a, order=order) for a in (x, previous, ahead)]
        assert_allclose(
            kernels.extrapolate(*arrays[:2], beta), generic.extrapolate(x, previous, beta), rtol=eps, atol=eps
        )
        assert_allclose(kernels.descend(*arrays[:2], 0.3), generic.descend(x, previous, 0.3), rtol=eps, atol=eps)
        sums = kernels.uphill(arrays[2], *arrays[:2], count)
        assert sums.shape == (count,)
        assert_allclose(sums, generic.uphill(ahead, x, previous, count), atol=100 * eps * (1 + np.abs(x).sum()))
    assert kernels.extrapolate(x, previous, beta).dtype == kernels.descend(x, x, 0.3).dtype == dtype


@pytest.mark.parametrize("kernels", CUDA)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_momentum(kernels, dtype):
    t, slope = np.array([1.0, 1.6, 20.0, 3.0], dtype=dtype), np.array([0.0, 1e-300, -1.0, np.inf])
    eps = 4 * np.finfo(dtype).eps
    for found, wanted in zip(kernels.accelerate(t), generic.accelerate(t), strict=True):
        assert found.dtype == dtype
        assert_allclose(found, wanted, rtol=eps)
    found = kernels.restart(t, slope)
    assert found.dtype == dtype
    assert_allclose(found, np.array([1.0, 1.0, 20.0, 1.0], dtype=dtype), rtol=0)


@pytest.mark.parametrize("kernels", CUDA)
def test_steps_of_flat_predictors(kernels):
    x, previous = np.random.default_rng(0).standard_normal((2, 50))
    beta = np.array([0.7])
    assert_allclose(kernels.extrapolate(x, previous, beta), x + 0.7 * (x - previous), rtol=1e-14)
