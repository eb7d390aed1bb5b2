"""Constraints and indexes of models change between migrations without their classes being built again."""

from django.db.migrations.state import ModelState, ProjectState
from django.db.models import AutoField, CheckConstraint, Index, Q

from artisans.core.migration_states import options_changed_in_place

VASE = "shop", "vase"


def check(name: str) -> CheckConstraint:
    return CheckConstraint(condition=Q(pk__gt=0), name=name)


def state_with_a_vase() -> ProjectState:
    state = ProjectState()
    options = {"constraints": [check("kept"), check("dropped")], "indexes": []}
    state.add_model(ModelState("shop", "Vase", [("id", AutoField(primary_key=True))], options=options))
    return state


def test_options_are_replaced_in_the_class_and_are_those_of_a_new_one():
    state = state_with_a_vase()
    before = state.apps.get_model(*VASE)

    with options_changed_in_place():
        state.add_index(*VASE, Index(fields=["id"], name="vases_by_number"))
        state.add_constraint(*VASE, check("added"))
        state.remove_constraint(*VASE, "dropped")
        state.alter_constraint(*VASE, "kept", check("kept"))

    [changed, new] = state.apps.get_model(*VASE), ProjectState(state.models).apps.get_model(*VASE)
    assert changed is before
    assert [constraint.name for constraint in changed._meta.constraints] == ["kept", "added"]
    assert changed._meta.constraints == new._meta.constraints
    assert changed._meta.indexes == new._meta.indexes != []


def test_classes_are_built_again_afterwards():
    state = state_with_a_vase()
    with options_changed_in_place():
        before = state.apps.get_model(*VASE)
    state.add_constraint(*VASE, check("added"))
    assert state.apps.get_model(*VASE) is not before
    assert len(before._meta.constraints) == 2
