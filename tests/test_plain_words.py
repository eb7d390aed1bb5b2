"""Names that were replaced by the field's standard terms are not used again.

`old_identifiers.txt` beside this module has one per line and is compared with whole words. Old names that are also
ordinary words or correct elsewhere are left out of it (`JOBS`, `Placed`, `act`, `fresh`). CHANGELOG.md may name any.
"""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LIST = Path(__file__).with_name("old_identifiers.txt")


def test_old_identifiers_are_not_used():
    if not (ROOT / ".git").exists():
        pytest.skip("needs the list of files that git tracks")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout
    old = set(LIST.read_text().split())
    paths = [ROOT / name for name in listed.split("\0") if name and name != "CHANGELOG.md"]
    texts = {path: read_text(path) for path in paths if path.is_file() and path != LIST}

    found = {
        str(path.relative_to(ROOT)): words
        for path, text in texts.items()
        if (words := old & set(re.findall(r"\w+", text)))
    }

    assert not found
    assert len(texts) > 500


def read_text(path: Path) -> str:
    """The text of a file; "" for images and other binary files."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""
