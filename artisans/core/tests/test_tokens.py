"""Order links are valid only for the order and version they were signed for."""

from uuid import uuid4

import pytest
from django.core.signing import Signer

from artisans.core.security import tokens
from artisans.core.security.tokens import (
    hash_secret,
    is_mailbox_token,
    mailbox_token,
    new_secret,
    order_token,
    read_order_token,
)
from payments.links import order_url


def test_link_names_its_order_and_version():
    order_id = uuid4()

    assert read_order_token(order_token(order_id, 3)) == (order_id, 3)
    assert order_token(order_id, 3) in order_url(order_id, 3)


@pytest.mark.parametrize(
    "token", ["", ".", "x", "a.b", "-.", "0" * 32 + "-1.forged", "\x00", "é.ü", "x" * 100_000]
)
def test_link_with_an_invalid_signature_is_refused(token):
    assert read_order_token(token) is None


def test_link_with_any_changed_character_is_refused():
    token = order_token(uuid4(), 1)

    for place, sign in enumerate(token):
        forged = token[:place] + ("0" if sign != "0" else "1") + token[place + 1 :]
        assert read_order_token(forged) is None, forged


def test_signature_of_one_order_is_refused_for_another():
    mine, other = uuid4(), uuid4()
    signature = order_token(mine, 1).partition(".")[2]

    assert read_order_token(f"{other.hex}-1.{signature}") is None
    assert read_order_token(f"{mine.hex}-2.{signature}") is None


def test_old_links_work_during_key_rotation(settings, monkeypatch):
    order_id = uuid4()
    token = order_token(order_id, 1)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "n" * 50
    restart(monkeypatch)
    assert read_order_token(token) == (order_id, 1)

    settings.SECRET_KEY_FALLBACKS = []
    restart(monkeypatch)
    assert read_order_token(token) is None


def restart(monkeypatch):
    """A signer reads its keys when the process starts."""
    monkeypatch.setattr(tokens, "ORDER_LINK", Signer(salt=tokens.ORDER_LINK.salt, sep=tokens.ORDER_LINK.sep))


def test_mailbox_key_works_for_one_order_and_is_not_an_order_link():
    mine, other = uuid4(), uuid4()
    key = mailbox_token(mine)

    assert is_mailbox_token(mine, key)
    for order_id, token in ((other, key), (mine, ""), (mine, key[:-1]), (mine, order_token(mine, 1))):
        assert not is_mailbox_token(order_id, token)
    assert read_order_token(f"{mine.hex}-1.{key}") is None


def test_cart_secrets_are_long_and_stored_as_a_hash():
    secret = new_secret()

    assert len(secret) >= 22  # 128 bits in base64
    assert secret != new_secret()
    assert secret not in hash_secret(secret)
    assert len(hash_secret(secret)) == 64
