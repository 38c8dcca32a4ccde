"""Benchmarks of mtlreg against other packages: `python -m benchmarks.run` and `python -m benchmarks.startup`.

Importing this package sets everything to one thread, before any numerical library reads its environment.
"""

import os

for _name in ("OMP", "OPENBLAS", "MKL", "BLIS", "VECLIB_MAXIMUM", "NUMBA"):
    os.environ[f"{_name}_NUM_THREADS"] = "1"
