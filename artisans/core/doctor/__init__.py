"""Checks of a running shop, for `manage.py doctor` and the admin's page *System*."""
