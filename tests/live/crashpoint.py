"""Run a program that is killed at the n-th call of a named function: SIGKILL to the whole process group.

    python -m tests.live.crashpoint carts.checkout:payment_start 1 after -- gunicorn artisans.wsgi …

The function is wrapped when its module is imported, in the real process, so that the product needs no hook. Calls
are counted per process. A method is named `module:Class.method`.
"""

import os
import runpy
import shutil
import signal
import sys
from collections.abc import Sequence
from functools import wraps
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any


def kill_process_group() -> None:
    os.killpg(os.getpgrp(), signal.SIGKILL)


class CrashAt(MetaPathFinder):
    def __init__(self, where: str, call: int, when: str) -> None:
        self.module, _, self.name = where.partition(":")
        self.calls_left, self.when = call, when

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
            self.calls_left -= 1
            if self.calls_left == 0 and self.when == "before":
                kill_process_group()
            result = function(*args, **kwargs)
            if self.calls_left == 0:
                kill_process_group()
            return result

        return crashing


def main() -> None:
    where, call, when, dashes, *argv = sys.argv[1:]
    if when not in {"before", "after"} or dashes != "--":
        sys.exit(__doc__)
    program = shutil.which(argv[0])
    if program is None:
        sys.exit(f"There is no program {argv[0]}.")
    sys.meta_path.insert(0, CrashAt(where, int(call), when))
    sys.argv = argv
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
