"""Encryption of text that must stay secret if the database is stolen, with the keys of ENCRYPTION_KEYS (ADR 8).

The first key encrypts, all of them decrypt, and `manage.py reencrypt` re-encrypts stored values with the first.
Encrypted columns cannot be searched; a keyed hash in a separate column can.
"""

import hashlib
import hmac
import logging
import re
from base64 import urlsafe_b64encode
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import models
from django.db.models.query_utils import DeferredAttribute

logger = logging.getLogger(__name__)
TOKEN = re.compile(r"gAAAA[\w-]{90,}={0,2}")  # a Fernet token: version 0x80, then the time


class CannotDecrypt(Exception):
    """No key decrypts the value: its key is missing, or the value was damaged."""

    def __init__(self) -> None:
        super().__init__(
            "No key of ENCRYPTION_KEYS opens a stored value. "  # not for translation
            "Add the key that encrypted it at the end of ENCRYPTION_KEYS; "
            "`manage.py reencrypt` lists the rows that no key decrypts."
        )


def encrypt(text: str) -> str:
    return ciphers(keys()).encrypt(text.encode()).decode()


def encrypt_with_each_key(text: str) -> list[str]:
    return [ciphers((key,)).encrypt(text.encode()).decode() for key in keys()]


def decrypt(text: str) -> str:
    try:
        return ciphers(keys()).decrypt(text.encode()).decode()
    except InvalidToken:
        raise CannotDecrypt from None


def decrypt_if_set(text: str) -> str:
    """Decrypt a stored value; values from before encryption are returned as they are. Errors: CannotDecrypt."""
    return decrypt(text) if TOKEN.fullmatch(text) else text


def is_current(text: str) -> bool:
    """Whether the value is encrypted with the first key."""
    try:
        ciphers(keys()[:1]).decrypt(text.encode())
    except InvalidToken:
        return False
    return True


def keyed_hash(text: str) -> str:
    """A hash to find or compare a value without storing it, under the first key; look it up by `keyed_hashes`."""
    return keyed_hashes(text)[0]


def keyed_hashes(text: str) -> list[str]:
    """The hash under each key, so that rows from before a key rotation are found too."""
    return [
        hmac.new(derive_key(key, b"keyed hash"), text.encode(), hashlib.sha256).hexdigest() for key in keys()
    ]


def keys() -> tuple[str, ...]:
    """Without ENCRYPTION_KEYS (development and demo) the session signing keys are used."""
    return tuple(settings.ENCRYPTION_KEYS or (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


@lru_cache(maxsize=8)
def ciphers(of: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(urlsafe_b64encode(derive_key(key, b"encryption"))) for key in of])


@lru_cache(maxsize=32)
def derive_key(key: str, purpose: bytes) -> bytes:
    return HKDF(SHA256(), length=32, salt=None, info=b"artisans-alley " + purpose).derive(key.encode())


def read_decrypted(row: models.Model, name: str) -> str:
    """A value for display; "" if no key decrypts it, which is logged. The attribute raises instead."""
    try:
        return getattr(row, name) or ""
    except CannotDecrypt:
        logger.exception("cannot_decrypt", extra={"field": f"{row._meta.label}.{name}"})
        return ""


class Ciphertext(str):
    """An encrypted value as stored."""

    __slots__ = ()


class EncryptedAttribute(DeferredAttribute):
    """Decrypts on access, so that a row can be loaded without any key if its value is not used."""

    def __get__(self, instance: models.Model | None, cls: Any = None) -> Any:
        if instance is None or vars(instance).get(self.field.attname) is None:
            return super().__get__(instance, cls)
        value = vars(instance)[self.field.attname]
        if isinstance(value, Ciphertext):
            value = decrypt(value)
            self.__set__(instance, value)
        return value

    def __set__(self, instance: models.Model, value: Any) -> None:
        vars(instance)[self.field.attname] = value


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]  # not generic at run time
    """Text that is stored encrypted. `max_length` applies to the plain text. Empty text is stored as it is.

    Supports only the look-up `isnull`; use a `KeyedHashField` to search. Serializers (`dumpdata`) and `values()`
    return the stored value.
    """

    descriptor_class = EncryptedAttribute

    def get_lookup(self, lookup_name: str) -> Any:
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        """Values from before the column was encrypted are read as they are, until `reencrypt` has run."""
        return Ciphertext(value) if value and TOKEN.fullmatch(value) else value

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and TOKEN.fullmatch(value):
            return Ciphertext(value)
        return super().to_python(value)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:  # noqa: FBT001  # Django's signature
        stored = vars(model_instance).get(self.attname)  # not read, so not decrypted
        return super().pre_save(model_instance, add) if stored is None else stored

    def get_prep_value(self, value: Any) -> Any:
        text = super().get_prep_value(value)
        return text if not text or isinstance(value, Ciphertext) else encrypt(text)

    def value_to_string(self, obj: models.Model) -> str:
        return str(self.get_prep_value(vars(obj).get(self.attname)) or "")


class KeyedHashField(models.CharField):  # type: ignore[type-arg]
    """The keyed hash of the encrypted field `of`, updated on every save; supports uniqueness and look-ups:

    `filter(token_hash__in=keyed_hashes(token))`
    """

    def __init__(self, *args: Any, of: str, **kwargs: Any) -> None:
        self.of = of
        super().__init__(*args, **{"max_length": 64, "editable": False} | kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, kwargs | {"of": self.of}

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:  # noqa: FBT001  # Django's signature
        text = getattr(model_instance, self.of)
        setattr(model_instance, self.attname, keyed_hash(text) if text else self.get_default())
        return getattr(model_instance, self.attname)
