"""For all tests: what libraries read when they are first imported.

SciPy's setting is asked for by scikit-learn's array API dispatch; and there are as many workers as cores.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("SCIPY_ARRAY_API", "1")
