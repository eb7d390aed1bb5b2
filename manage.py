#!/usr/bin/env python
"""Django's command line for the shop."""

import os
import sys

from django.core.management import execute_from_command_line
from django.db import OperationalError

from artisans.environment import exit_unless_configured

if __name__ == "__main__":
    os.environ.setdefault("DATABASE_STATEMENT_TIMEOUT", "0")  # migrations may take long, and somebody watches
    exit_unless_configured()
    try:
        execute_from_command_line(sys.argv)
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None):  # the server has answered
            raise
        sys.exit(
            f"The database cannot be used. See whether it runs, and compare DATABASE_URL with it. {error}"
        )
