"""For all tests: SciPy reads this when it is first imported, and scikit-learn's array API dispatch asks for it."""

import os

os.environ.setdefault("SCIPY_ARRAY_API", "1")
