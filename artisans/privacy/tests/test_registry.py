"""Every column of every table that can hold text is registered, or listed as impersonal."""

from django.apps import apps
from django.db import models

from artisans.core.append_only import AppendOnlyModel
from artisans.core.personal_data import COLLECTORS, HOLDINGS, IMPERSONAL, Person, scrub_texts

TEXT = (
    *(models.CharField, models.TextField, models.JSONField, models.FileField, models.GenericIPAddressField),
    models.BinaryField,
)


def text_columns(model: type[models.Model]) -> set[str]:
    return {field.name for field in model._meta.concrete_fields if isinstance(field, TEXT)}


def registered() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {label: set(columns) for label, columns in IMPERSONAL.items()}
    for holding in HOLDINGS:
        columns = found.setdefault(holding.model, set())
        columns.update(holding.clear, holding.scrub)
        if holding.is_deleted:
            columns.update(text_columns(apps.get_model(holding.model)))
    return found


def test_every_text_column_is_registered():
    known = registered()
    unknown = {
        f"{model._meta.label}.{name}"
        for model in apps.get_models(include_auto_created=True)
        for name in text_columns(model) - known.get(model._meta.label, set())
    }
    assert unknown == set(), "say in the app's personal_data.py what happens to these at an erasure"


def test_registered_columns_exist():
    for holding in HOLDINGS:
        model = apps.get_model(holding.model)
        for name in {*holding.clear, *holding.scrub, *holding.identify}:
            assert model._meta.get_field(name)
        model._base_manager.values(*holding.export)
        if issubclass(model, AppendOnlyModel) and (holding.clear or holding.scrub):
            assert set(model.personal) == {*holding.clear, *holding.scrub}, holding.model
    for label, columns in IMPERSONAL.items():
        assert columns <= {field.name for field in apps.get_model(label)._meta.concrete_fields}, label
    assert set(COLLECTORS) - {holding.section for holding in HOLDINGS} == {
        *("order_numbers", "order_emails", "provider_ids")
    }


def test_texts_are_removed_as_whole_words_in_any_case():
    person = Person(texts=("Ada Lovelace", "Al", "+1 503 555 0123"), addresses=("ada@example.test",))
    value = {"a": ["ADA LOVELACE called from +1 503 555 0123", 7], "b": "al", "c": "Ada Lovelaces"}

    assert scrub_texts(person, value) == {
        "a": ["[erased] called from [erased]", 7],
        "b": "al",
        "c": "Ada Lovelaces",
    }
    assert scrub_texts(person, "to Ada@Example.test.") == "to [erased]."
    assert scrub_texts(Person(), "as it is") == "as it is"
