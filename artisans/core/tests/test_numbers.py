"""Order numbers: a typing error never makes another valid number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artisans.core.numbers import ALPHABET, LENGTH, check_sign, is_number, new_number

numbers = st.text(ALPHABET, min_size=LENGTH, max_size=LENGTH).map(lambda body: body + check_sign(body))


def test_new_number_is_valid_and_has_no_ambiguous_characters():
    made = [new_number() for _ in range(200)]

    assert all(map(is_number, made))
    assert len(set(made)) == 200
    assert not set("".join(made)) & set("01IOU")


@given(numbers)
def test_every_wrong_character_is_detected(number):
    for place, right in enumerate(number):
        for wrong in ALPHABET:
            if wrong != right:
                assert not is_number(number[:place] + wrong + number[place + 1 :])


@given(numbers)
def test_every_swap_of_adjacent_characters_is_detected(number):
    for place in range(LENGTH):
        one, other = number[place], number[place + 1]
        if one != other:
            assert not is_number(number[:place] + other + one + number[place + 2 :])


@pytest.mark.parametrize(
    "text", ["", "2", "2" * 8, "2" * 10, "7kq2m9xbt", "OOOOOOOOO", "22222222\n", "２２２２２２２２２"]
)
def test_invalid_number_is_refused(text):
    assert not is_number(text)
