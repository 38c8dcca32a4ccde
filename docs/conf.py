"""Sphinx configuration: ``sphinx-build -b html -W docs docs/_build/html``, without a network."""

import os
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
os.environ.setdefault("MPLBACKEND", "Agg")

project = "mtlreg"
author = "the mtlreg developers"
copyright = author  # noqa: A001
version = release = installed_version("mtlreg")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "matplotlib.sphinxext.plot_directive",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_templates"]
default_role = "py:obj"  # `Name` in a docstring is a link where there is such an object
add_module_names = False
toc_object_entries_show_parents = "hide"

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

plot_formats = [("png", 110)]
plot_html_show_formats = False
plot_html_show_source_link = False
plot_include_source = False

highlight_language = "none"  # of the blocks after ``::``, which are formulas

html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_title = "mtlreg"
html_show_sourcelink = False
html_theme_options = {
    "navbar_align": "left",
    "navigation_with_keys": False,
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
}
