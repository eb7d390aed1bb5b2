"""The comparison of the API's answers with their description, which all tests with an API client rely on."""

import pytest

from artisans.accounts.api import TokenOut
from tests import rows
from tests.answer_keys import UndocumentedAnswer, differences


def test_missing_and_undocumented_keys_are_found():
    schema = {
        "required": ["id", "rows"],
        "properties": {
            "id": {"type": "string"},
            "rows": {"type": "array", "items": {"properties": {"name": {"type": "string"}}}},
            "free": {"type": "object", "additionalProperties": {"type": "string"}},
            "other": {"oneOf": [{"$ref": "#/components/schemas/FieldError"}, {"type": "null"}]},
        },
    }
    answer = {
        "rows": [{"name": "x"}, {"nom": "x"}],
        "free": {"any": "x"},
        "other": {"pointer": "/x"},
        "more": 1,
    }

    assert list(differences(schema, answer)) == [
        "/id is missing",
        "/rows/1/nom is not documented",
        "/other/code is missing",
        "/other/detail is missing",
        "/more is not documented",
    ]
    assert list(differences(schema, {"id": "x", "rows": [], "other": None})) == []


@pytest.mark.django_db
def test_answer_of_the_api_is_compared_with_its_description(api, monkeypatch):
    monkeypatch.setattr(TokenOut, "to_representation", lambda self, token: {"id": "1", "shoe_size": 42})

    with pytest.raises(UndocumentedAnswer, match="GET /auth/tokens: 200: .*shoe_size is not documented"):
        api(rows.shopper()).get("/auth/tokens")
