#!/usr/bin/env python
"""Django's command line for the shop."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "artisans.settings")
    os.environ.setdefault("DATABASE_STATEMENT_TIMEOUT", "0")  # migrations may take long, and somebody watches
    execute_from_command_line(sys.argv)
