"""How the documentation is built: no fetches, no time stamps, the same pages from the same sources."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_extensions"))
sys.path.insert(0, str(HERE.parent / "src"))
# The pages show what a terminal of 100 columns shows, without colours.
os.environ |= {"COLUMNS": "100", "NO_COLOR": "1"}

import recurra  # noqa: E402

project = "Recurra"
author = "The Recurra developers"
project_copyright = author
version = release = recurra.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "mathml",
    "plain_docstrings",
    "option_tables",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "_extensions", "pictures/*.py"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
autodoc_typehints = "signature"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
add_module_names = False
highlight_language = "none"
smartquotes = False

html_theme = "furo"
html_title = f"Recurra {release}"
html_static_path = ["_static"]
html_css_files = ["recurra.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
html_last_updated_fmt = None
