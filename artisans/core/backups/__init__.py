"""Backups of the database and the uploaded files: `manage.py backup` and `manage.py restore` (docs/backup.md)."""
