from artisans.audit.admin import ACTION_LABELS
from artisans.audit.services import Action


def test_every_action_has_a_readable_label():
    assert set(ACTION_LABELS) == {action.value for action in Action}
