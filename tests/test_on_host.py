"""What asks for a GPU, run without one: in a process of its own, where CuPy is the stand-in of `on_host`."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cuda import compiler_or_skip, has_gpu

TESTS = Path(__file__).parent
FILES = ["test_devices.py", "test_devices_sparse.py", "test_batch_folds.py", "test_host_reads.py"]
# long ones that ask nothing else of a GPU than others do
LEFT_OUT = [
    "test_devices_sparse and test_paths",
    "test_devices_sparse and test_classifiers",
    "test_scores_are_those_of_one_fit_after_the_other and False",
]
LEAST = 225  # tests that are left


def on_stand_in(*options):
    """Run pytest where the stand-in comes first on the path; it is no worker of pytest-xdist, as this may be."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    path = [TESTS / "on_host", TESTS.parent, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    variables["PYTHONPATH"] = os.pathsep.join(map(str, path))
    command = [sys.executable, "-m", "pytest", "-n0", "-q", "-rs", "-m", "gpu", "-p", "no:cacheprovider", *options]
    return subprocess.run(command, cwd=TESTS.parent, env=variables, capture_output=True, text=True)


def test_passes_on_the_stand_in():
    compiler_or_skip()
    if has_gpu():
        pytest.skip("there is a GPU, and the tests run on that")
    left_out = " or ".join(f"({tests})" for tests in LEFT_OUT)
    done = on_stand_in(*(f"tests/{file}" for file in FILES), "-k", f"not ({left_out})")
    end = (done.stdout + done.stderr)[-6000:]
    assert done.returncode == 0, end
    assert "needs CuPy" not in done.stdout, end
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= LEAST, end
