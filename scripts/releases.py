"""The code of released versions, for tests of upgrades. docs/releases.toml names the commits of the releases."""

import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RELEASES = ROOT / "docs/releases.toml"
FOLDER = ROOT / "var/releases"


@dataclass(frozen=True, slots=True)
class Release:
    version: str
    commit: str


class CommitMissing(Exception):
    """The clone does not have the commit of a release, and it could not be fetched; the message says what to do."""


def releases() -> list[Release]:
    """All releases, oldest first."""
    rows = tomllib.loads(RELEASES.read_text())["release"]
    return [Release(row["version"], row["commit"]) for row in rows]


def unpack(release: Release) -> Path:
    """The folder with the release's files; a release that was unpacked before is used again. Errors: CommitMissing."""
    folder = FOLDER / f"{release.version}-{release.commit[:12]}"
    if not folder.exists():
        fetch_if_missing(release)
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        with subprocess.Popen(
            ["git", "archive", release.commit], cwd=ROOT, stdout=subprocess.PIPE
        ) as archive:
            subprocess.run(["tar", "-x", "-C", str(partial)], stdin=archive.stdout, check=True)
        if archive.returncode:
            raise CommitMissing(f"git archive {release.commit} failed.")
        partial.rename(folder)
    return folder


def fetch_if_missing(release: Release) -> None:
    """A shallow clone, as some CI systems make, lacks older commits."""
    if has_commit(release.commit):
        return
    subprocess.run(
        ["git", "fetch", "--quiet", "--depth=1", "origin", release.commit],
        cwd=ROOT,
        stderr=sys.stderr,
        check=False,
    )
    if not has_commit(release.commit):
        raise CommitMissing(
            f"This clone lacks commit {release.commit} of release {release.version}, and it could not be fetched. "
            "Clone with the whole history (git fetch --unshallow)."
        )


def has_commit(commit: str) -> bool:
    argv = ["git", "cat-file", "-e", f"{commit}^{{commit}}"]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, check=False).returncode == 0
