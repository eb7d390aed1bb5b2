"""Settings of the documentation site, which Sphinx builds of the repository's Markdown (`make docs`)."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

project = "Artisans Alley"
version = release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
extensions = ["myst_parser"]
root_doc = "docs/index"
# Links between files stay as they are in the repository, so its root is the source folder.
include_patterns = ["*.md", "docs/**.md", "sandbox/**.md"]
exclude_patterns = [".*", "var", "static", "templates", "bench", "**/node_modules"]
myst_heading_anchors = 4
myst_enable_extensions = ["deflist"]
html_theme = "furo"
html_title = f"Artisans Alley {version}"
html_use_index = html_copy_source = html_show_sphinx = html_show_copyright = False
