"""Rows by table and key in memory, written to an SQLite file when the sandbox has a state folder."""

import json
import sqlite3
from pathlib import Path

from sandbox.http_messages import Json

FILE = "state.sqlite3"


class Store:
    """Not thread-safe: callers hold the simulator's lock. Rows are plain dicts; call `save` after a change."""

    def __init__(self, folder: Path | None = None) -> None:
        self._tables: dict[str, dict[str, Json]] = {}
        self._changed: dict[tuple[str, str], Json | None] = {}
        self._file = self._open(folder) if folder else None

    def table(self, name: str) -> dict[str, Json]:
        """Return all rows of a table by key, oldest first; read-only."""
        return self._tables.setdefault(name, {})

    def save(self, name: str, key: str, row: Json) -> None:
        self.table(name)[key] = row
        if self._file:
            self._changed[name, key] = row

    def remove(self, name: str, key: str) -> None:
        if self.table(name).pop(key, None) is not None and self._file:
            self._changed[name, key] = None

    def clear(self) -> None:
        self._tables.clear()
        self._changed.clear()
        if self._file:
            self._file.execute("DELETE FROM row")
            self._file.commit()

    def commit(self) -> None:
        """Write all changes since the last commit, in one transaction."""
        if not self._file or not self._changed:
            return
        for (name, key), row in self._changed.items():
            if row is None:
                self._file.execute("DELETE FROM row WHERE name = ? AND key = ?", (name, key))
            else:
                self._file.execute(
                    "INSERT INTO row (name, key, body) VALUES (?, ?, ?) "
                    "ON CONFLICT (name, key) DO UPDATE SET body = excluded.body",
                    (name, key, json.dumps(row)),
                )
        self._file.commit()
        self._changed.clear()

    def close(self) -> None:
        if self._file:
            self.commit()
            self._file.close()
            self._file = None

    def _open(self, folder: Path) -> sqlite3.Connection:
        folder.mkdir(parents=True, exist_ok=True)
        file = sqlite3.connect(folder / FILE, check_same_thread=False)
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = NORMAL")
        file.execute(
            "CREATE TABLE IF NOT EXISTS row (seq INTEGER PRIMARY KEY, name TEXT, key TEXT, body TEXT, "
            "UNIQUE (name, key))"
        )
        for name, key, body in file.execute("SELECT name, key, body FROM row ORDER BY seq"):
            self.table(name)[key] = json.loads(body)
        return file
