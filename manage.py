#!/usr/bin/env python
"""Django's command line for the shop."""

import os
import sys

from django.core.management import execute_from_command_line

from artisans.environment import exit_unless_configured

if __name__ == "__main__":
    os.environ.setdefault("DATABASE_STATEMENT_TIMEOUT", "0")  # migrations may take long, and somebody watches
    exit_unless_configured()
    execute_from_command_line(sys.argv)
