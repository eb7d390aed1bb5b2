"""Encrypted values are decrypted by every key of ENCRYPTION_KEYS and by no other."""

from collections.abc import Iterator

import pytest
from django.core.exceptions import FieldError
from django.db.models import Model
from django.test.utils import isolate_apps

from artisans.core.security.encryption import (
    CannotDecrypt,
    Ciphertext,
    EncryptedTextField,
    KeyedHashField,
    decrypt,
    encrypt,
    is_current,
    keyed_hash,
    keyed_hashes,
)

OLD, NEW = "old-key-" + "Zb3vQm9tLw2xRk7cHn5sYd8fGj4pUa6e", "new-key-" + "Gj4pUa6eTi1oVqXzWbMZb3vQm9tLw2xR"


@pytest.fixture
def card() -> Iterator[type[Model]]:
    """A model without a table: shows what the fields do to a row."""
    with isolate_apps("artisans.core"):

        class Card(Model):
            token = EncryptedTextField(max_length=40)
            token_hash = KeyedHashField(of="token")

            class Meta:
                app_label = "core"

            def __str__(self) -> str:
                return "card"

        yield Card


@pytest.mark.parametrize("text", ["pm_1", "", "Ölwerk – ünïcode", "x" * 5000])
def test_text_is_decrypted_and_is_encrypted_differently_each_time(text):
    assert decrypt(encrypt(text)) == text
    assert encrypt(text) != encrypt(text)


def test_old_key_still_decrypts_and_the_first_encrypts(settings):
    settings.ENCRYPTION_KEYS = [OLD]
    old, old_hash = encrypt("pm_1"), keyed_hash("pm_1")
    settings.ENCRYPTION_KEYS = [NEW, OLD]

    assert decrypt(old) == "pm_1"
    assert not is_current(old)
    assert is_current(encrypt("pm_1"))
    assert keyed_hashes("pm_1") == [keyed_hash("pm_1"), old_hash]


def test_missing_key_is_an_error_with_its_remedy_and_without_the_value(settings):
    settings.ENCRYPTION_KEYS = [OLD]
    old = encrypt("pm_1")
    settings.ENCRYPTION_KEYS = [NEW]

    with pytest.raises(CannotDecrypt, match="Add the key that encrypted it") as error:
        decrypt(old)

    assert old not in str(error.value)
    assert OLD not in str(error.value)


@pytest.mark.parametrize("damaged", ["", "pm_1", "gAAAAA", "é", "x" * 200])
def test_invalid_ciphertext_is_refused(damaged):
    with pytest.raises(CannotDecrypt):
        decrypt(damaged)


def test_secret_keys_are_used_when_no_encryption_keys_are_set(settings):
    settings.ENCRYPTION_KEYS, settings.SECRET_KEY_FALLBACKS = [], []
    old = encrypt("pm_1")
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another" * 9

    assert decrypt(old) == "pm_1"


def test_hash_depends_on_the_value_and_the_key(settings):
    settings.ENCRYPTION_KEYS = [OLD]
    one = keyed_hash("pm_1")
    settings.ENCRYPTION_KEYS = [NEW]

    assert len({one, keyed_hash("pm_1"), keyed_hash("pm_2")}) == 3
    assert len(one) == 64


def test_value_is_decrypted_only_when_read(settings, card):
    settings.ENCRYPTION_KEYS = [OLD]
    stored = card._meta.get_field("token").get_prep_value("pm_1")
    row = card.from_db("default", ["id", "token", "token_hash"], [1, Ciphertext(stored), ""])
    settings.ENCRYPTION_KEYS = [NEW]

    with pytest.raises(CannotDecrypt):
        row.token  # noqa: B018  # reading it is the point
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert row.token == "pm_1"


def test_unread_value_is_saved_unchanged(card):
    field = card._meta.get_field("token")
    stored = Ciphertext(encrypt("pm_1"))

    assert field.get_prep_value(stored) == stored
    assert field.get_prep_value("") == ""
    assert field.get_prep_value(None) is None


def test_serializers_write_the_stored_ciphertext(card):
    field = card._meta.get_field("token")
    shown = field.value_to_string(card(token="pm_1"))

    assert "pm_1" not in shown
    assert decrypt(field.to_python(shown)) == "pm_1"


@pytest.mark.parametrize("lookup", ["token", "token__contains", "token__in", "token__startswith"])
def test_lookup_on_an_encrypted_field_is_refused(card, lookup):
    with pytest.raises(FieldError):
        str(card._default_manager.filter(**{lookup: "pm_1"}).query)


def test_encrypted_field_supports_isnull(card):
    assert "IS NULL" in str(card._default_manager.filter(token__isnull=True).query)
