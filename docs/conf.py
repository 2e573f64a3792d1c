import sys
import warnings
from importlib.metadata import version as installed_version
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util.inspect import TypeAliasForwardRef

# sphinx-autodoc-typehints calls what Sphinx 10 removes; nothing here can change that.
warnings.filterwarnings("ignore", message=".*set_application.*", category=DeprecationWarning)
warnings.filterwarnings("ignore", message=".*set_application.*", category=PendingDeprecationWarning)

project = "llm-tco"
author = "The llm-tco maintainers"
copyright = "2026, The llm-tco maintainers"
release = installed_version("llm-tco")
version = release

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_autodoc_typehints",
]
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}

html_theme = "furo"
html_title = f"llm-tco {release}"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
pygments_style = "friendly"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# The docstrings are in plain text with single backquotes for names, so these are code, not links.
default_role = "code"

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
# What these stand for is said on the page "Money, units and helpers of components".
TypeAliasForwardRef.__repr__ = lambda self: self.name  # Sphinx writes the class around it
autodoc_type_aliases = {"Number": "Number", "FloatArray": "FloatArray"}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
typehints_defaults = "comma"
typehints_use_signature = True
always_use_bars_union = True
# A class of attrs cannot resolve a name that its module defines further below; it is shown as text.
suppress_warnings = ["sphinx_autodoc_typehints.forward_reference"]


def _no_type_before_colon(
    _app: Sphinx, what: str, _name: str, _obj: object, _options: object, lines: list[str]
) -> None:
    """Keep napoleon from reading "The size: T + 1." of a property as its type."""
    if what in ("property", "attribute"):
        lines.insert(0, "")


def _write_audit(_app: Sphinx) -> None:
    """Compute the page of the audit before the pages are read."""
    sys.path.insert(0, str(Path(__file__).parent))
    from audit.page import main

    main()


def setup(app: Sphinx) -> None:
    app.connect("builder-inited", _write_audit)
    app.connect("autodoc-process-docstring", _no_type_before_colon, priority=100)
