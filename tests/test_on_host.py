"""What asks for a GPU, run without one: in a process of its own, where CuPy is the stand-in of `on_host`."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cuda import compiler_or_skip, has_gpu

TESTS = Path(__file__).parent
RUNS = {  # the tests left out differ from others in nothing that is a GPU's, and take long; how many there are at least
    "test_devices.py": ("", 70),
    "test_devices_sparse.py": ("not test_paths", 60),
    "test_batch_folds.py": ("not one_fit_after_the_other or True", 10),
    "test_host_reads.py": ("", 50),
}


def on_stand_in(*options):
    """Run pytest where the stand-in comes first on the path, outside of the workers that may run this test."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    variables["PYTHONPATH"] = os.pathsep.join([str(TESTS / "on_host"), str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "pytest", "-n0", "-qrs", "-m", "gpu", "-p", "no:cacheprovider", *options]
    return subprocess.run(command, cwd=TESTS.parent, env=variables, capture_output=True, text=True)


@pytest.mark.parametrize("file", RUNS)
def test_passes_on_the_stand_in(file):
    compiler_or_skip()
    if has_gpu():
        pytest.skip("there is a GPU, and the tests run on that")
    selected, least = RUNS[file]
    done = on_stand_in(f"tests/{file}", "-k", selected)
    end = (done.stdout + done.stderr)[-6000:]
    assert done.returncode == 0, end
    assert "needs CuPy" not in done.stdout, end
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= least, end
