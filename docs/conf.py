"""How Sphinx builds these pages: `make docs`. No page needs the network."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent))

import generated
from sphinx.domains.python import PyObject

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "voeflow"
author = "The voeflow developers"
copyright = author
release = metadata.version("voeflow")

extensions = ["diagram", "myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
default_role = "code"  # docstrings write `names` as Markdown does
smartquotes = False  # what is quoted on these pages is to be copied

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_use_ivar = True
add_module_names = False

html_theme = "furo"
html_title = f"voeflow {release}"
html_static_path = ["_static"]
html_css_files = ["voeflow.css"]
html_show_sphinx = False


def setup(app: Sphinx) -> None:
    """Fill the generated parts of pages in, and mend docstrings that are written as Markdown."""
    app.connect("source-read", generated.fill_in_source)
    app.connect("autodoc-process-docstring", generated.mend_docstring)
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"  # the word of the docstrings, and of Python
