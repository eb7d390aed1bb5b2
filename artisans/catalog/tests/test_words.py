"""How texts become words, and which words are a few slips apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artisans.catalog.words import (
    LONGEST_WORD,
    SAME_WORDS,
    fold,
    index_terms,
    intact,
    slips,
    slips_allowed,
    stem,
)

LETTERS = "abcde"  # few, so that they repeat


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Ordóñez", "ordonez"),
        ("STRASSE Straße", "strasse strasse"),
        ("Ｂｏｗｌ", "bowl"),
        ("ﬁne", "fine"),
        ("İstanbul ısı", "istanbul isi"),
        ("Łódź Ærø", "lodz aero"),
        ("O’Brien O´Brien", "o'brien o'brien"),
        ("tea\u00adpot tea\u2011pot", "teapot tea-pot"),
        ("ガラス ｶﾞﾗｽ", "ガラス ガラス"),
    ],
)
def test_text_is_folded(text, folded):
    assert fold(text) == folded


@pytest.mark.parametrize(("plural", "singular"), SAME_WORDS.items())
def test_irregular_words_have_one_stem(plural, singular):
    assert stem(plural) == stem(singular)


@pytest.mark.parametrize(
    "different", ["glove glow", "olive olivet", "ring earring", "during ring", "pot potter"]
)
def test_different_words_have_different_stems(different):
    one, other = different.split()

    assert stem(one) != stem(other)


@given(st.text())
def test_any_text_has_words_that_both_databases_can_hold(text):
    for term in index_terms(text):
        assert term.isalnum()
        assert 0 < len(term) <= LONGEST_WORD
        assert "\0" not in term


def test_terms_of_a_huge_text_are_limited():
    assert len(index_terms(" ".join(f"word{n}" for n in range(100_000)))) < 3_010


@pytest.mark.parametrize(("word", "allowed"), [("cup", 0), ("bowl", 1), ("teapots", 1), ("scissors", 2)])
def test_slips_allowed_grow_with_the_word(word, allowed):
    assert slips_allowed(word) == allowed


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [
        ("bowl", "bowl", 0),
        ("bowl", "bwol", 1),
        ("bowl", "bowls", 1),
        ("bowl", "bow", 1),
        ("bowl", "vowl", 1),
        ("teapot", "taepto", 2),
        ("bowl", "ring", 3),
    ],
)
def test_slips_are_counted(one, other, count):
    assert min(slips(one, other, most=2), 3) == min(slips(other, one, most=2), 3) == count


@st.composite
def slipped(draw, most):
    """A word and the same with up to `most` slips."""
    word = draw(st.text(LETTERS, min_size=4 * most, max_size=14))
    typed = word
    for _ in range(most):
        at, letter = draw(st.integers(0, len(typed) - 1)), draw(st.sampled_from(LETTERS))
        changed = (letter + typed[at], "", letter, typed[at : at + 2][::-1])[draw(st.integers(0, 3))]
        typed = typed[:at] + changed + typed[at + (2 if changed == typed[at : at + 2][::-1] else 1) :]
    return word, typed


@pytest.mark.parametrize("most", [1, 2])
@given(data=st.data())
def test_part_of_the_word_typed_is_left_intact(most, data):
    word, typed = data.draw(slipped(most))
    if len(typed) < 4 * most or slips(typed, word, most=most) > most:
        return

    start, middle, end = intact(typed, most=most)

    assert word.startswith(start) or word.endswith(end) or (middle and middle in word)
