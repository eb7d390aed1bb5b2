import pytest
from django.core.exceptions import ValidationError

from artisans.core.forms import LineField


@pytest.mark.parametrize("text", ["one\ntwo", "one\x00two", "one\u2028two", "\u200b\u2060"])
def test_text_that_is_not_one_visible_line_is_refused(text):
    with pytest.raises(ValidationError):
        LineField().clean(text)


def test_surrounding_space_and_line_breaks_are_removed():
    assert LineField().clean(" Pier 7, São Paulo \r\n") == "Pier 7, São Paulo"
