"""Cells are counts: nothing in them is about a person."""

from django.apps import apps

from artisans.core.personal_data import register
from artisans.figures.models import Cell, CountedDay

register(
    impersonal={
        CountedDay._meta.label: {"family", "version"},
        **{
            model._meta.label: {*model.dimensions, *model.times}
            for model in apps.get_app_config("figures").get_models()
            if issubclass(model, Cell)
        },
    }
)
