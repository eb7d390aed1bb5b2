"""Tax rates from a CSV file: a preview, a sentence for each wrong line, and all rates or none."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from artisans.approvals.models import ApprovalRequest
from artisans.approvals.services import approval_approve
from artisans.audit.models import AuditEntry
from artisans.core.csv_files import FileRefused
from artisans.regions.models import TaxRate
from artisans.regions.tests.factories import tax_class, tax_zone
from orders.models import StoreRules
from orders.services.tax_import import MAX_ROWS, tax_rates_read
from tests.html import page

pytestmark = pytest.mark.django_db

IMPORT = reverse("admin:regions_taxrate_import")
HEAD = "zone,tax_class,rate,name,valid_from\n"


@pytest.fixture(autouse=True)
def germany(store):
    tax_class("books")
    return tax_zone("Germany", ("DE",))


def day(days: int) -> str:
    return (timezone.localdate() + timedelta(days=days)).isoformat()


def upload(client, text: str):
    return client.post(IMPORT, {"file": SimpleUploadedFile("rates.csv", text.encode())})


def press(client, shown):
    return client.post(IMPORT, page(shown).one("main").one("form").fields())


def test_rates_are_shown_and_then_added(browser, admin_user, germany):
    client = browser(admin_user)
    text = f"{HEAD}Germany,standard,19,VAT,\nGermany,books,7 %,VAT,{day(3)}\nGermany,books,,VAT,\n"

    shown = upload(client, text)

    assert not germany.rates.exists()
    assert "Add 2 tax rates" in page(shown).text
    assert "7 % VAT" in page(shown).text
    assert press(client, shown).status_code == 302
    rows = germany.rates.order_by("valid_from").values_list("tax_class__code", "rate_ppm", "name")
    assert list(rows) == [("standard", 190_000, "VAT"), ("books", 70_000, "VAT")]
    books = germany.rates.get(tax_class__code="books")
    assert timezone.localtime(books.valid_from).isoformat()[:19] == f"{day(3)}T00:00:00"
    assert AuditEntry.objects.filter(action="tax_rate.add").count() == 2

    again = page(press(client, shown)).text  # the same page sent twice
    assert "Another rate of this zone and class starts at the same time" in again
    assert germany.rates.count() == 2


def test_every_wrong_line_is_named_and_nothing_is_added(browser, admin_user, germany):
    TaxRate.objects.create(
        zone=germany,
        tax_class=tax_class("books"),
        rate_ppm=1,
        valid_from=timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
        + timedelta(days=9),
    )
    lines = [
        ("Germany,standard,19,VAT,", ""),
        ("Norway,standard,25,,", "There is no tax zone “Norway”."),
        ("Germany,food,7,,", "There is no tax class with the code “food”."),
        ('Germany,standard,"7,5",,', "“7,5” is not a rate"),
        ("Germany,standard,101,,", "“101” is not a rate"),
        (f"Germany,standard,7,{'x' * 31},", "more than 30 characters"),
        ("Germany,standard,7,,01.01.2030", "“01.01.2030” is not a date"),
        ("Germany,standard,7,,2030-02-30", "“2030-02-30” is not a date"),
        (f"Germany,standard,7,,{day(0)}", "cannot start in the past"),
        ("Germany,standard,7,,9999-12-31", "must start within the next ten years"),
        ("Germany,standard,7,VAT,", "same time as the rate of line 2"),
        (f"Germany,books,7,,{day(9)}", "Another rate of this zone and class"),
    ]

    shown = page(upload(browser(admin_user), HEAD + "\n".join(line for line, _problem in lines))).text

    for number, (_line, problem) in enumerate(lines, start=2):
        assert (f"Line {number}: " in shown) == bool(problem)
        assert problem in shown
    assert germany.rates.count() == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("zone,rate\nGermany,7\n", "once: tax_class"),
        (f"{HEAD}Germany,standard,,,\n", "nothing to import"),
        (HEAD + "Germany,standard,7,,\n" * (MAX_ROWS + 1), f"more than {MAX_ROWS} rates"),
    ],
)
def test_file_without_such_a_table_is_refused(text, words):
    with pytest.raises(FileRefused, match=words):
        tax_rates_read(text.encode())


def test_template_has_all_zones_and_classes(browser, admin_user):
    file = b"".join(browser(admin_user).get(reverse("admin:regions_taxrate_template")).streaming_content)

    lines = file.decode("utf-8-sig").splitlines()
    assert lines[0] + "\n" == HEAD
    assert "Germany,books,,," in lines


def test_second_person_approves_the_whole_file(browser, admin_user, germany, django_user_model):
    StoreRules.objects.update(second_person_for_settings=True)
    second = django_user_model.objects.create_superuser(email="second@example.test", password="x")
    client = browser(admin_user)

    press(client, upload(client, f"{HEAD}Germany,standard,19,VAT,\nGermany,books,7,VAT,{day(3)}\n"))

    assert not germany.rates.exists()
    approval_approve(approval_id=ApprovalRequest.objects.get().pk, actor=second)
    assert germany.rates.count() == 2


def test_forged_preview_is_refused(browser, admin_user, germany):
    answer = browser(admin_user).post(IMPORT, {"previewed": "W1sxLDFd:x"})

    assert "The preview is too old." in page(answer).text
    assert not germany.rates.exists()
