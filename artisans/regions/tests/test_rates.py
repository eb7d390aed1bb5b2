"""Exchange rates from files of the European Central Bank, typed by staff, and by command."""

from datetime import date
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from django.core.management import CommandError, call_command

from artisans.audit.models import AuditEntry
from artisans.regions.currencies import latest_sheet, rates_of_sheet
from artisans.regions.errors import RatesJump, RatesKnown
from artisans.regions.models import RateSheet, RateSource
from artisans.regions.rate_files import MAX_BYTES, DayRates, RatesRefused, rate_text, read_rates
from artisans.regions.services import digest_of_file, rates_import

XML = b"""<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01"
  xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
<gesmes:subject>Reference rates</gesmes:subject>
<gesmes:Sender><gesmes:name>European Central Bank</gesmes:name></gesmes:Sender>
<Cube><Cube time='2026-11-30'><Cube currency='USD' rate='1.0705'/><Cube currency='JPY' rate='171.94'/>
<Cube currency='IDR' rate='17487.21'/><Cube currency='QQQ' rate='2'/></Cube>
<Cube time='2026-11-27'><Cube currency='USD' rate='1.0601'/></Cube></Cube></gesmes:Envelope>"""
DAILY = b"Date, USD, JPY, \n30 November 2026, 1.0705, 171.94, \n"
HISTORICAL = b"Date,USD,JPY,CYP,\n2026-11-27,1.0601,170,N/A,\n2026-11-30,1.0705,171.94,N/A,\n"
RATES = {"USD": 10_705_000_000, "JPY": 1_719_400_000_000}
BOMB = b'<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]><a>&c;</a>'


def zipped(*files: bytes) -> bytes:
    target = BytesIO()
    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        for number, content in enumerate(files):
            archive.writestr(f"eurofxref-{number}.csv", content)
    return target.getvalue()


@pytest.mark.parametrize("raw", [DAILY, HISTORICAL, zipped(DAILY), zipped(HISTORICAL)])
def test_csv_files(raw):
    day = read_rates(raw)
    assert day == DayRates("EUR", date(2026, 11, 30), RATES | {"EUR": 10**10})


def test_xml_file_names_unknown_codes():
    day = read_rates(XML)
    assert (day.valid_on, day.unknown) == (date(2026, 11, 30), ("QQQ",))
    assert day.rates["IDR"] == 174_872_100_000_000
    assert rate_text(day.rates["USD"]) == "1.0705"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (XML[:-120], "damaged or incomplete"),
        (XML.replace(b"171.94", b"171,94"), "decimal comma"),
        (DAILY.replace(b"171.94", b"171,94"), "decimal commas"),
        (XML.replace(b"171.94", b"1e9"), "not a positive number"),
        (XML.replace(b"171.94", b"-1"), "not a positive number"),
        (XML.replace(b"171.94", b"0"), "not a positive number"),
        (XML.replace(b"2026-11-30", b"2026-11-31"), "not a day"),
        (XML.replace(b"'JPY'", b"'USD'"), "two rates of USD"),
        (HISTORICAL[:-12], "incomplete"),
        (zipped(HISTORICAL)[:-40], "damaged"),
        (zipped(DAILY, DAILY), "exactly one file"),
        (zipped(b"Date,USD\n" + b" " * MAX_BYTES), "larger than 5 MB"),
        (b"x" * (MAX_BYTES + 1), "larger than 5 MB"),
        (BOMB, "document type"),
        (BOMB.decode().encode("utf-16"), "not one of the European|document type|damaged"),
        (b"<a/>", "no exchange rates"),
        (b"<Cube currency='USD' rate='1'/>", "not one of the European"),
        (b"", "not one of the European"),
        (b"\xff\xfe\x00", "damaged"),
    ],
)
def test_other_files_are_refused_whole(raw, reason):
    with pytest.raises(RatesRefused, match=reason):
        read_rates(raw)


def keep(raw: bytes, **options) -> RateSheet:
    return rates_import(
        day=read_rates(raw), source=RateSource.ECB, sha256=digest_of_file(raw), actor=None, **options
    )


@pytest.mark.django_db
def test_the_same_rates_are_imported_once():
    sheet = keep(DAILY)
    with pytest.raises(RatesKnown, match="imported before"):
        keep(DAILY)
    with pytest.raises(RatesKnown, match="Nov 30, 2026"):  # the same day in another file
        keep(XML)
    assert latest_sheet() == sheet
    assert rates_of_sheet(sheet) == RATES | {"EUR": 10**10}
    assert AuditEntry.objects.filter(action="rates.import").count() == 1


@pytest.mark.django_db
def test_rates_that_jump_want_a_second_press():
    keep(DAILY)
    later = DAILY.replace(b"30 November", b"1 December").replace(b"171.94", b"17.194")
    with pytest.raises(RatesJump, match="JPY") as caught:
        keep(later)
    assert caught.value.extra == {"currencies": ["JPY"]}
    keep(later, is_confirmed=True)
    assert AuditEntry.objects.filter(action="rates.import").first().data["confirmed"] == ["JPY"]


@pytest.mark.django_db
def test_command(tmp_path, capsys):
    file = tmp_path / "eurofxref-daily.xml"
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("rates_import", file)
    file.write_bytes(XML)
    call_command("rates_import", file)
    assert "QQQ" in capsys.readouterr().out
    with pytest.raises(CommandError, match="imported before"):
        call_command("rates_import", file)
