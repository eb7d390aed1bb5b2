"""Settings by which the shop would believe anyone about VAT IDs."""

import pytest

from artisans.tax_ids.checks import check_vies

BAD = {
    "alley.E026": {"VIES_API_BASE": "http://127.0.0.1:12111/vies"},
    "alley.E027": {"VIES_REQUESTER": "AT U13585627"},
}


@pytest.mark.parametrize("check_id", BAD)
def test_unsafe_setting_is_found(settings, check_id):
    for name, value in BAD[check_id].items():
        setattr(settings, name, value)

    assert [message.id for message in check_vies(None)] == [check_id]


def test_vies_itself_is_safe(settings):
    settings.VIES_API_BASE = "https://ec.europa.eu/taxation_customs/vies/rest-api"
    settings.VIES_REQUESTER = "ATU13585627"

    assert check_vies(None) == []
