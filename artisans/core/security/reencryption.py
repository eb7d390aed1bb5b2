"""Re-encrypts all stored values with the first key of ENCRYPTION_KEYS while the shop runs.

Encrypted fields are found by their class; JSON columns that contain encrypted values are listed in ENCRYPTED_JSON.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.db import IntegrityError, models, transaction
from django.db.models import F
from django.db.models.functions import Cast

from artisans.core.security.encryption import (
    TOKEN,
    CannotDecrypt,
    EncryptedTextField,
    KeyedHashField,
    decrypt,
    decrypt_if_set,
    encrypt,
    is_current,
    keyed_hash,
)

BATCH = 500
NEWEST = 20
# Model and column. Every encrypted text in it is replaced, along with its hash in "<name>_hash".
ENCRYPTED_JSON: set[tuple[str, str]] = {("mfa.Authenticator", "data")}


@dataclass
class Tally:
    """Counts for one column. `unopened` and `duplicates` are primary keys of rows that need attention."""

    column: str
    seen: int = 0
    changed: int = 0
    unopened: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.unopened or self.duplicates)


def reencrypt() -> Iterator[Tally]:
    """Re-encrypt column by column and yield the counts. Can be repeated and interrupted; current rows are skipped."""
    for model in apps.get_models():
        for column in model._meta.concrete_fields:
            if isinstance(column, EncryptedTextField):
                yield reencrypt_column(model, column)
    for label, name in sorted(ENCRYPTED_JSON):
        if label.partition(".")[0] in apps.app_configs:
            yield reencrypt_json(apps.get_model(label), name)


def unreadable_columns() -> Iterator[str]:
    """Columns with a value, among those of their newest rows, that no key decrypts."""
    for model in apps.get_models():
        for column in model._meta.concrete_fields:
            is_json = (model._meta.label, column.name) in ENCRYPTED_JSON
            if is_json or isinstance(column, EncryptedTextField):
                newest = model._base_manager.order_by("-pk").values_list(column.attname, flat=True)[:NEWEST]
                if any(map(is_unreadable, newest)):
                    yield f"{model._meta.label}.{column.name}"


def is_unreadable(value: Any) -> bool:
    try:
        renewed(value)
    except CannotDecrypt:
        return True
    return False


def reencrypt_column(model: type[models.Model], column: EncryptedTextField) -> Tally:
    tally = Tally(f"{model._meta.label}.{column.name}")
    hashes = [
        f.attname
        for f in model._meta.concrete_fields
        if isinstance(f, KeyedHashField) and f.of == column.name
    ]
    rows = model._base_manager.order_by("pk").values_list("pk", column.attname)
    for pk, stored in rows.iterator(chunk_size=BATCH):
        if not stored:
            continue
        tally.seen += 1
        if is_current(stored):
            continue
        try:
            text = decrypt_if_set(str(stored))
        except CannotDecrypt:
            tally.unopened.append(str(pk))
            continue
        unchanged = model._base_manager.alias(stored=Cast(F(column.attname), models.TextField())).filter(
            pk=pk, stored=str(stored)
        )
        try:
            with transaction.atomic():
                tally.changed += unchanged.update(
                    **{column.attname: text}, **dict.fromkeys(hashes, keyed_hash(text))
                )
        except IntegrityError:
            tally.duplicates.append(str(pk))
    return tally


def reencrypt_json(model: type[models.Model], name: str) -> Tally:
    tally = Tally(f"{model._meta.label}.{name}")
    for pk in model._base_manager.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=BATCH):
        with transaction.atomic():
            row = model._base_manager.select_for_update(of=("self",)).filter(pk=pk).first()
            if row is None:
                continue
            tally.seen += 1
            try:
                new = renewed(getattr(row, name))
            except CannotDecrypt:
                tally.unopened.append(str(pk))
                continue
            if new != getattr(row, name):
                tally.changed += model._base_manager.filter(pk=pk).update(**{name: new})
    return tally


def renewed(value: Any) -> Any:
    """The same JSON with every encrypted text re-encrypted. Errors: CannotDecrypt."""
    if isinstance(value, list):
        return [renewed(one) for one in value]
    if isinstance(value, dict):
        hashes = {
            f"{name}_hash": keyed_hash(decrypt(text))
            for name, text in value.items()
            if f"{name}_hash" in value and isinstance(text, str) and TOKEN.fullmatch(text)
        }
        return {name: renewed(one) for name, one in value.items()} | hashes
    if isinstance(value, str) and TOKEN.fullmatch(value) and not is_current(value):
        return encrypt(decrypt(value))
    return value
