from artisans.audit.admin import WORDS
from artisans.audit.services import Action


def test_every_action_has_words_for_people():
    assert set(WORDS) == {action.value for action in Action}
