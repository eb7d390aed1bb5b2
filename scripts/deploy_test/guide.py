"""The commands of a guide: its code blocks by heading, run as they are, except for a few named replacements."""

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

HEADING_OR_BLOCK = re.compile(r"^(#+) ([^\n]+)$|^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """Commands of one code block; `section` and `heading` are those of the second and of the last heading above it."""

    section: str
    heading: str
    text: str


def read_blocks(guide: str) -> Iterator[Block]:
    section = heading = ""
    for level, title, text in HEADING_OR_BLOCK.findall(guide):
        if title:
            section = title if level == "##" else section
            heading = title
        else:
            yield Block(section, heading, text)


class CommandFailed(Exception):
    pass


@dataclass
class Shell:
    """A person's shell: folder and variables are kept from block to block, and a failing command ends it.

    `replacements`: what this machine cannot have, such as a real mail server, and what takes its place.
    """

    folder: Path
    env: dict[str, str]
    replacements: dict[str, str] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)

    def run(self, text: str, *, typed: str = "") -> str:
        """The output of a block's commands. `typed`: what the person enters. Errors: CommandFailed."""
        for old, new in self.replacements.items():
            if old in text:
                text, self.replaced = text.replace(old, new), self.replaced | {old}
        names = set(re.findall(r"^([a-z]+)=", text, re.MULTILINE)) | self.known()
        state, place = self.folder / "variables", self.folder / "place"
        script = (
            f'touch {state} {place}; . {state}; cd "$(cat {place})"\nset -euo pipefail\n{text}\n'
            f"{f'declare -p {chr(32).join(sorted(names))} > {state}' if names else ''}\npwd > {place}\n"
        )
        done = subprocess.run(
            ["bash", "-c", script], env=self.env, input=typed, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise CommandFailed(f"{text}\n{done.stdout[-3000:]}{done.stderr[-5000:]}")
        return done.stdout + done.stderr

    def known(self) -> set[str]:
        state = self.folder / "variables"
        return set(
            re.findall(r"^declare -\S+ (\w+)=", state.read_text() if state.exists() else "", re.MULTILINE)
        )


def environment() -> dict[str, str]:
    """That of root on a fresh server: none of the shop's variables, and no Python environment of ours."""
    kept = ("PIP_", "SSL_CERT", "REQUESTS_CA", "CURL_CA", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
    ours = {name: value for name, value in os.environ.items() if name.upper().startswith(kept)}
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {"PATH": path, "HOME": "/root", "LANG": "C.UTF-8", **ours}
