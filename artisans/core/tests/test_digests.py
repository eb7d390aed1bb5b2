from hashlib import sha256

from artisans.core.digests import short_digest


def test_digests_hold_letters_only_so_that_none_is_refused_as_a_card_number():
    """One in some thousand purchases was refused: 16 hex digits may hold 13 decimal ones with a valid check digit."""
    digests = {short_digest(str(number), 16) for number in range(2000)}
    assert len(digests) == 2000
    assert set("".join(digests)) == set("abcdefghijklmnop")


def test_digests_hold_four_bits_a_letter():
    letters = "abcdefghijklmnop"
    whole = short_digest("Moss bowl", 64)
    assert int(sha256(b"Moss bowl").hexdigest(), 16) == sum(
        letters.index(sign) * 16**place for place, sign in enumerate(reversed(whole))
    )
