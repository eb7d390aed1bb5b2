"""Maintain docs/openapi.yaml, the committed API contract.

    python -m scripts.openapi write     write the description generated from the code
    python -m scripts.openapi check     fail, with the difference, if the file is out of date
    python -m scripts.openapi compare   fail on breaking changes that CHANGELOG.md does not list

`compare` uses the last release (the newest tag that has the file), or before the first release the version
before this one. Breaking changes: an operation, a parameter, a field of a body or response, or a value of an
enumeration is removed; a response field becomes optional or changes its type; a parameter or a field of a body becomes
required. To allow one, name the operation in a line under "### Breaking" in the "## Unreleased" section of the
CHANGELOG.
"""

import difflib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
NAME = "docs/openapi.yaml"
THROW_AWAY = {"SECRET_KEY": "only-for-checks" * 4, "DATABASE_URL": "sqlite://:memory:"}
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    kind: str
    is_required: bool
    allowed: frozenset[str]


def main() -> int:
    os.chdir(ROOT)
    commands = {"write": write, "check": check, "compare": compare}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:  # noqa: PLR2004  # the program and one command
        print(__doc__)
        return 2
    return commands[sys.argv[1]]()


# ---- the file ----------------------------------------------------------------------------------------------


def current() -> str:
    """The document generated from the code; a generator warning is an error."""
    with tempfile.NamedTemporaryFile(suffix=".yaml") as file:
        argv = ["manage.py", "spectacular", "--validate", "--fail-on-warn", "--file", file.name]
        done = subprocess.run(
            [sys.executable, *argv], env=os.environ | THROW_AWAY, capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(done.stderr)
        return Path(file.name).read_text()


def write() -> int:
    Path(NAME).write_text(current())
    return 0


def check() -> int:
    kept, now = Path(NAME).read_text().splitlines(), current().splitlines()
    difference = list(difflib.unified_diff(kept, now, NAME, "generated from the code", lineterm="", n=2))
    if difference:
        print("\n".join(difference[:200]))
        print(f"{NAME} is out of date: run `python -m scripts.openapi write` and commit it.")
    return int(bool(difference))


# ---- compatibility----------------------------------------------------------------------------------------


def compare() -> int:
    base = base_text()
    if base is None:
        print("No earlier version to compare with.")
        return 0
    documented = documented_in(Path("CHANGELOG.md").read_text())
    undocumented = [
        line
        for name, line in breaks(yaml.safe_load(base), yaml.safe_load(current()))
        if name not in documented
    ]
    for line in undocumented:
        print(line)
    if undocumented:
        print(
            'These changes break clients. Revert them, or name the operations under "### Breaking" in the CHANGELOG.'
        )
    return int(bool(undocumented))


def base_text() -> str | None:
    for tag in git("tag", "--sort=-creatordate").split():
        if text := git("show", f"{tag}:{NAME}"):
            return text
    commits = git("log", "--format=%H", "-n", "2", "--", NAME).split()
    is_changed = bool(git("diff", "--name-only", "HEAD", "--", NAME))
    before = commits if is_changed else commits[1:]
    return git("show", f"{before[0]}:{NAME}") if before else None


def git(*argv: str) -> str:
    """The output of git, or "" if the command fails."""
    return subprocess.run(["git", *argv], capture_output=True, text=True, check=False).stdout


def documented_in(changelog: str) -> str:
    unreleased = changelog.partition("\n## Unreleased")[2].partition("\n## ")[0]
    return unreleased.partition("\n### Breaking")[2].partition("\n### ")[0]


def breaks(old: Document, new: Document) -> Iterator[tuple[str, str]]:
    """Pairs of an operation's name and a breaking change of it."""
    after = operations(new)
    for place, operation in operations(old).items():
        name = operation["operationId"]
        if place not in after:
            yield name, f"{place} ({name}) was removed."
            continue
        if after[place]["operationId"] != name:
            yield name, f"{place}: {name} was renamed to {after[place]['operationId']}."
        for line in (
            *breaks_going_in(inputs(operation, old), inputs(after[place], new)),
            *breaks_coming_out(outputs(operation, old), outputs(after[place], new)),
        ):
            yield name, f"{place} ({name}): {line}"


def breaks_going_in(old: Mapping[str, Field], new: Mapping[str, Field]) -> Iterator[str]:
    for name, field in old.items():
        if name not in new:
            yield f"{name} is no longer accepted."
        elif gone := field.allowed - new[name].allowed:
            yield f"{name} no longer accepts {', '.join(sorted(gone))}."
    for name, field in new.items():
        if field.is_required and not (name in old and old[name].is_required) and parent_known(name, old):
            yield f"{name} is now required."


def parent_known(name: str, old: Mapping[str, Field]) -> bool:
    """A required field inside something new and optional does not affect existing clients."""
    parent = name.rpartition(".")[0]
    return not parent.count(".") or parent in old


def breaks_coming_out(old: Mapping[str, Field], new: Mapping[str, Field]) -> Iterator[str]:
    for name, field in old.items():
        if name not in new:
            yield f"{name} was removed."
        elif new[name].kind != field.kind:
            yield f"{name} changed from {field.kind} to {new[name].kind}."
        elif field.is_required and not new[name].is_required:
            yield f"{name} may now be missing."
        elif gone := field.allowed - new[name].allowed:
            yield f"{name} no longer has the value {', '.join(sorted(gone))}."


def operations(document: Document) -> dict[str, Any]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def inputs(operation: Mapping[str, Any], document: Document) -> dict[str, Field]:
    """Parameters and fields of the body, by a name such as `query.limit` or `body.order_items[].quantity`."""
    found = {
        f"{entry['in']}.{entry['name']}": field_of(entry["schema"], document, entry.get("required", False))
        for entry in operation.get("parameters", [])
    }
    for media in operation.get("requestBody", {}).get("content", {}).values():
        found |= dict(flat(media["schema"], document, "body"))
    return found


def outputs(operation: Mapping[str, Any], document: Document) -> dict[str, Field]:
    """The successful responses with their fields."""
    found: dict[str, Field] = {}
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            found[status] = Field("answer", is_required=True, allowed=frozenset())
            for media in answer.get("content", {}).values():
                found |= dict(flat(media["schema"], document, status))
    return found


def flat(schema: Any, document: Document, name: str) -> Iterator[tuple[str, Field]]:
    schema = resolved(schema, document)
    for choice in schema.get("oneOf", []):
        yield from flat(choice, document, name)
    if schema.get("type") == "array":
        yield from flat(schema["items"], document, f"{name}[]")
    for key, field in schema.get("properties", {}).items():
        inner = f"{name}.{key}"
        yield inner, field_of(field, document, key in schema.get("required", []))
        yield from flat(field, document, inner)


def field_of(schema: Any, document: Document, is_required: bool) -> Field:  # noqa: FBT001  # as the schema says it
    schema = resolved(schema, document)
    choices = [resolved(choice, document) for choice in schema.get("oneOf", [])]
    kinds = sorted({str(part.get("type", "any")) for part in (choices or [schema])})
    allowed = {str(word) for part in [schema, *choices] for word in part.get("enum", ()) if word is not None}
    return Field(" or ".join(kinds), is_required, frozenset(allowed))


def resolved(schema: Any, document: Document) -> Any:
    while "$ref" in schema:
        found: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return schema


if __name__ == "__main__":
    sys.exit(main())
