"""The benchmarks: their certificate on small problems, and that every part of them runs."""

from types import SimpleNamespace

import array_api_strict
import numpy as np
import pytest
from cuda import has_gpu

from benchmarks import gpu, growth, nets, norms, paths, peers, run, school, screening
from benchmarks.certify import FAMILIES, alpha_max, objective, relative_gap
from benchmarks.measure import Ladder, Row, Rung
from benchmarks.peers import pytorch
from benchmarks.problems import FULL, QUICK, Shape, from_shape, make_problem, names
from mtlreg import BlockSparseRegressor


def solved(peer, problem, divisor=10, targets=(1e-6,)):
    """W of a peer at the first of its tolerances that reaches the targets, and its gap."""
    module, alpha = peers.load(peer), problem.alpha_max / divisor
    for accuracy in module.LADDER:
        W = module.solve(problem, alpha, accuracy)["W"]
        gap = relative_gap(problem, alpha, W)
        if gap <= targets[-1]:
            return W, gap
    raise AssertionError(f"{peer} reached {gap:.1e} only")


@pytest.mark.parametrize("family", FAMILIES)
def test_mtlreg_and_fista_reach_the_same_optimum(family):
    problem = make_problem(list(QUICK[family])[-1 if family == "own" else 0], family, quick=True)
    alpha, values = problem.alpha_max / 10, {}
    for peer in ("mtlreg", "fista"):
        W, gap = solved(peer, problem)
        assert W.shape == problem.shape_w and -1e-12 < gap <= 1e-6
        values[peer] = objective(problem, alpha, W) / objective(problem, alpha, 0 * W)
    assert values["mtlreg"] == pytest.approx(values["fista"], abs=2e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_alpha_max_is_where_zero_stops_being_optimal(family):
    problem = make_problem(names([family], quick=True)[0], family, quick=True)
    zero = np.zeros(problem.shape_w)
    assert abs(relative_gap(problem, alpha_max(problem), zero)) < 1e-12
    assert relative_gap(problem, 0.9 * alpha_max(problem), zero) > 1e-4


@pytest.mark.parametrize("family", ["own", "dirty"])
def test_block_descent_reaches_its_gap(family):
    solved("bcd", make_problem(list(QUICK[family])[0], family, quick=True))


@pytest.mark.parametrize("q", [2.0, np.inf])
@pytest.mark.parametrize("n_tasks", [1, 2, 5, 9])
def test_dirty_norm_is_the_support_function_of_its_dual_ball(q, n_tasks):
    norm, rng = norms.Dirty("dirty", q), np.random.default_rng(0)
    for _ in range(20):
        W = rng.standard_normal((1, n_tasks)) * rng.choice([0.0, 1.0, 5.0], size=n_tasks)
        V = rng.standard_normal((5000, n_tasks))
        V /= np.array([norm.dual(v[None]) for v in V])[:, None]
        assert (V @ W[0]).max() <= norm.value(W) + 1e-12
        price, entries = norm.price(n_tasks), np.abs(W).sum()
        whole = np.abs(W).max() if np.isinf(q) else np.linalg.norm(W)
        assert norm.value(W) <= min(entries, price * whole) + 1e-12
        # every split that is clipped at one level; at an entry's there may be a kink
        taus = np.union1d(np.linspace(0, np.abs(W).max(), 4001), np.abs(W))
        B = np.minimum(np.abs(W), taus[:, None])
        sizes = B.max(axis=1) if np.isinf(q) else np.linalg.norm(B, axis=1)
        assert norm.value(W) == pytest.approx((price * sizes + (np.abs(W) - B).sum(axis=1)).min(), rel=1e-5)


def test_every_family_has_problems_of_both_sizes():
    assert set(FULL) == set(QUICK) == set(FAMILIES)
    assert names(["l21", "own"], quick=True) == ["wide", "tall", "correlated", "sparse", "few", "uneven"]


def test_all_peers_have_the_interface():
    for peer in peers.PEERS:
        module = peers.load(peer)
        assert set(module.FAMILIES) <= set(FAMILIES) and callable(module.solve) and callable(module.supports)
        assert list(module.LADDER) == sorted(module.LADDER, reverse=True)
        assert not module.available() or isinstance(module.version(), str)


def test_the_loosest_tolerance_that_reached_is_quoted():
    def rung(accuracy, gap, seconds, below=0.0):
        return Rung(accuracy, np.array([0.5 + gap - below]), np.array([0.5 - below]), seconds, cpu=[seconds])

    rungs = [rung(1e-3, 5e-4, 1.0), rung(1e-4, 2e-7, 2.0), rung(1e-5, 1e-7, 3.0)]
    mine = Ladder((1e-4, 1e-6), rungs)
    other = Ladder((1e-4, 1e-6), [rung(1e-2, 1e-5, 5.0, below=8e-6)])
    assert mine.reached(1e-4) is mine.reached(1e-6) is rungs[1]
    assert mine.counted() == [(rungs[1], [1e-4, 1e-6])]
    row = Row("problem", 3, {"mtlreg": mine, "fista": other}, mine.targets)
    assert row.ratios(1e-4) == [2.5] and row.ratios(1e-6) is None
    assert row.excess(other.rungs[0]) == pytest.approx(2e-6)


def test_a_run_writes_its_table(tmp_path):
    pytest.importorskip("threadpoolctl")
    out = tmp_path / "times.md"
    chosen = ["--families", "own", "--problems", "few", "--peers", "mtlreg", "bcd", "--repeats", "1"]
    run.main(["--quick", *chosen, "--out", str(out)])
    text = out.read_text()
    table = text.partition("## l1/l2, squared loss, own X for each task")[2].partition("###")[0]
    lines = [line for line in table.splitlines() if line.startswith("| few")]
    assert len(lines) == 3 and not any("@" in line or "error" in line for line in lines)


def test_paths_and_growth_write_their_tables(tmp_path, capsys, monkeypatch):
    pytest.importorskip("threadpoolctl")
    monkeypatch.setattr(growth, "LONG_ENOUGH", 0.0)
    out = tmp_path / "paths.md"
    few = ["--points", "4", "--problems", "tall", "--peers", "mtlreg", "sklearn", "--repeats", "1"]
    paths.main(["--quick", *few, "--out", str(out)])
    assert (
        "| tall 2000x100x20 | 1..100 |" in out.read_text() and "@" not in out.read_text().split("## Details")[0][-200:]
    )
    growth.main(["--quick", "--repeats", "1"])
    assert "| wide | tasks |" in capsys.readouterr().out


def test_screening_finds_the_same_solutions(capsys):
    pytest.importorskip("threadpoolctl")
    data = make_problem("wide", quick=True)
    screening.main(["--quick", "--problems", "wide", "--repeats", "1"])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| wide")]
    for line, divisor in zip(lines, screening.DIVISORS, strict=True):
        left = [int(count) for count in line.split("|")[4].split()]
        W, _ = solved("mtlreg", data, divisor)
        assert len(left) > 1 and W.any(axis=1).sum() <= left[-1] <= left[0] <= data.X.shape[1]
        problem = (
            BlockSparseRegressor(data.alpha_max / divisor, fit_intercept=False)._encode(data.X, data.Y, None)[0].problem
        )
        both = screening._plain(problem), screening._screened(problem, screening._lengths(data.X))
        assert abs(both[0].objective - both[1].objective) <= screening.GOAL * problem.null.value


def test_gpu_without_one_says_so(capsys):
    if has_gpu():
        pytest.skip("there is a GPU")
    assert gpu.main(["--quick"]) == 2
    assert "CUDA device" in capsys.readouterr().err


@pytest.mark.parametrize("family", gpu.FAMILIES)
def test_gpu_rows_on_a_stand_in(family):
    device = SimpleNamespace(synchronize=lambda: None)
    stand_in = SimpleNamespace(asarray=array_api_strict.asarray, cuda=SimpleNamespace(Device=lambda: device))
    problem = from_shape(Shape(60, 40, 5, 4), "small", family)
    row = gpu._row(stand_in, gpu.Card("none", 1e12, 1e13), problem, repeats=1)
    assert len(row) == len(gpu.HEADER) and all(float(gap) < 2e-6 for gap in row[7:9])


def test_gpu_searches_on_a_stand_in(monkeypatch):
    monkeypatch.setattr(gpu, "ALPHAS", 3)
    device = SimpleNamespace(synchronize=lambda: None)
    stand_in = SimpleNamespace(asarray=array_api_strict.asarray, cuda=SimpleNamespace(Device=lambda: device))
    row = gpu._search(stand_in, from_shape(Shape(40, 60, 3, 4), "small", "l21"))
    assert len(row) == len(gpu.SEARCHES) and float(row[2]) > 0


@pytest.mark.parametrize("family", pytorch.FAMILIES)
def test_pytorch_solves_the_same(family):
    pytest.importorskip("torch")
    problem = from_shape(Shape(60, 40, 5, 4), "small", family)
    W = pytorch.solve(problem, problem.alpha_max / 10, 1e-10)["W"]
    assert relative_gap(problem, problem.alpha_max / 10, W) < 1e-8


def test_school_without_data_says_so(monkeypatch, capsys):
    monkeypatch.delenv("MTLREG_DATA", raising=False)
    assert school.main([]) == 2
    assert "MTLREG_DATA" in capsys.readouterr().err


def test_nets_have_the_losses_of_the_others(monkeypatch, capsys):
    monkeypatch.setitem(nets.SIZES, "small", (400, 4, 3, (5, 4)))
    assert nets.main(["--sizes", "small", "--epochs", "3", "--repeats", "1"]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| small"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert float(cells[1]) > 0 and float(cells[5]) < 1e-4
