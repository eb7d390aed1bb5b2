"""Run a program that is killed where a named function is called, before or after it.

    python -m tests.live.crashpoint "carts.checkout:payment_start after" -- gunicorn artisans.wsgi …
    python -m tests.live.crashpoint FILE "carts.api:order_body carts.checkout:payment_start" -- gunicorn …

The first sends SIGKILL to the whole process group at the first call. With FILE the process that calls is killed once
its content is such a text, such as "carts.api:order_body before", and FILE is deleted: gunicorn starts another worker,
so that one program serves many tests.

Functions are wrapped when their module is imported, in the real process, so that the product needs no hook. A method
is named `module:Class.method`.
"""

import os
import runpy
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import wraps
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any


def kill_group_at_first(when: str) -> Callable[[str], None]:
    def check(now: str) -> None:
        if now == when:
            os.killpg(os.getpgrp(), signal.SIGKILL)

    return check


def kill_when_told(file: Path, where: str) -> Callable[[str], None]:
    def check(now: str) -> None:
        with suppress(FileNotFoundError):
            if file.read_text() == f"{where} {now}":
                file.unlink()
                os.kill(os.getpid(), signal.SIGKILL)

    return check


class CrashAt(MetaPathFinder):
    """`check` is called with "before" and "after" around each call of the function."""

    def __init__(self, where: str, check: Callable[[str], None]) -> None:
        self.module, _, self.name = where.partition(":")
        self.check = check

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.module:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is None or spec.loader is None:
            return None
        self.wrap_after_import(spec.loader)
        return spec

    def wrap_after_import(self, loader: Loader) -> None:
        plain = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            plain(module)
            *parents, name = self.name.split(".")
            owner: Any = module
            for parent in parents:
                owner = getattr(owner, parent)
            setattr(owner, name, self.wrapped(getattr(owner, name)))

        loader.exec_module = exec_module  # type: ignore[method-assign]

    def wrapped(self, function: Any) -> Any:
        @wraps(function)
        def crashing(*args: Any, **kwargs: Any) -> Any:
            self.check("before")
            result = function(*args, **kwargs)
            self.check("after")
            return result

        return crashing


def main() -> None:
    match sys.argv[1:]:
        case [point, "--", *argv]:
            where, _, when = point.partition(" ")
            sys.meta_path.insert(0, CrashAt(where, kill_group_at_first(when)))
        case [file, points, "--", *argv]:
            for where in points.split():
                sys.meta_path.insert(0, CrashAt(where, kill_when_told(Path(file), where)))
        case _:
            sys.exit(__doc__)
    program = shutil.which(argv[0])
    if program is None:
        sys.exit(f"There is no program {argv[0]}.")
    sys.argv = argv
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
