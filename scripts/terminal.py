"""Handling Ctrl-C when started by make, which treats it specially."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def own_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C reach only this process: make would report an error and exit with 130."""
    group = os.getpgrp()
    if group == os.getpid() or not sys.stdin.isatty() or os.tcgetpgrp(0) != group:
        yield
        return
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # sent to background processes that access the terminal
    signal.signal(
        signal.SIGTSTP, signal.SIG_IGN
    )  # otherwise the shell would not notice that this process stopped
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    try:
        yield
    finally:
        os.tcsetpgrp(0, group)


def abandoned_by(parent: int) -> bool:
    """Whether `parent` is gone, or is a make that received SIGINT alone: it waits without forwarding the signal."""
    if os.getppid() != parent:
        return True
    try:
        status = dict(
            line.split(":\t", 1)
            for line in Path(f"/proc/{parent}/status").read_text().splitlines()
            if ":\t" in line
        )
    except OSError:  # not on Linux
        return False
    return status["Name"] == "make" and bool(int(status["SigBlk"], 16) >> (signal.SIGINT - 1) & 1)
