"""Every list of the admin as a file: the rows of the page, in its order, for those who may export it."""

import ast
import csv
import inspect
from collections.abc import Iterator
from io import BytesIO, StringIO
from textwrap import dedent
from zipfile import ZipFile

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.utils import timezone

from artisans.accounts.models import User
from artisans.approvals.kinds import KINDS, ApprovalKind
from artisans.audit.models import AuditEntry
from artisans.catalog.models import Product
from artisans.core.admin.pages import PagesAdmin, admin_list_url
from artisans.core.models import SystemCheck
from artisans.exports.models import Export
from artisans.figures.models import CountedDay
from orders.models import Order
from tests.html import page
from tests.two_of_each import make_two_of_each

pytestmark = pytest.mark.once
PAGES = {SystemCheck, CountedDay}  # without a list
LISTS = {model._meta.label: one for model, one in admin.site._registry.items() if model not in PAGES}
FORMATTED = {"show", "when", "age", "button_to", "date_format", "thumbnail"}


@pytest.fixture(scope="module")
def two_of_each(module_db) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for kind in ("one", "two"):
            patch.setitem(KINDS, kind, ApprovalKind(kind, kind, "payments.refund", lambda *_: None))
        make_two_of_each()
        yield


@pytest.fixture
def client(two_of_each, browser, admin_user):
    return browser(admin_user)


def export_url(model, query: str = "") -> str:
    return f"{admin_list_url(model)}export/{'?' * bool(query)}{query}"


def exported(client, model, query: str = "", **data) -> list[dict[str, str]]:
    """The rows of the CSV file with all columns."""
    address = export_url(model, query)
    form = page(client.get(address))
    columns = [box.attrs["value"] for box in form.all("input", name="columns")]
    answer = client.post(address, {"file_format": "csv", "columns": columns} | data)
    assert answer.status_code == 200, answer.content
    content = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(StringIO(content, newline="")))


@pytest.mark.django_db
@pytest.mark.parametrize("label", LISTS)
def test_every_list_exports_the_rows_of_its_page(client, label):
    model_admin = LISTS[label]
    assert isinstance(model_admin, PagesAdmin)
    listed = client.get(admin_list_url(model_admin.model))
    link = page(listed).one("a", href=export_url(model_admin.model))
    assert link.text == "Export"

    found = exported(client, model_admin.model)

    shown = [str(row.pk) for row in listed.context_data["cl"].result_list]
    assert [row["ID"] for row in found] == shown


@pytest.mark.parametrize("label", LISTS)
def test_columns_that_the_page_formats_say_what_a_file_has(label):
    """Amounts and times as numbers and dates, no buttons: the text of the page would be none."""
    model_admin = LISTS[label]
    names = {*model_admin.list_display, *getattr(model_admin, "queue_display", ())}
    names |= {*getattr(model_admin, "return_display", ())}
    for name in names:
        method = getattr(type(model_admin), name, None)
        if not inspect.isfunction(method) or getattr(method, "file_values", None) is not None:
            continue
        tree = ast.parse(dedent(inspect.getsource(inspect.unwrap(method))))
        called = {
            node.func.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        allowed = ALLOWED.get((label, name), set())
        assert called & FORMATTED <= allowed, f"{label}.{name}: say `file=` in its @column"


# Sentences in which a time is a part.
ALLOWED = {
    ("payments.Receipt", "state"): {"when"},
    ("earnings.Hold", "state"): {"when"},
}


@pytest.mark.django_db
def test_filters_search_order_and_selection_are_those_of_the_page(client, shopper):
    bowls = [Product.objects.filter(name__icontains="bowl").first()]
    assert bowls[0]
    listed = client.get(admin_list_url(Product, "q=bowl&o=2"))
    found = exported(client, Product, "q=bowl&o=2")
    assert [row["ID"] for row in found] == [str(row.pk) for row in listed.context_data["cl"].result_list]

    one = Product.objects.order_by("pk").last()
    chosen = client.post(
        admin_list_url(Product), {"action": "export_selected", "_selected_action": [str(one.pk)]}
    )
    form = page(chosen)
    assert "1 row will be exported." in form.text
    kept = form.one("input", name="rows").attrs["value"]
    assert [row["ID"] for row in exported(client, Product, rows=kept)] == [str(one.pk)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("model", "query", "shown"),
    [
        (Order, "method=bank_transfer", "Bank transfer"),
        (Order, "status__exact=PENDING", "Awaiting payment"),
        (Product, "is_active__exact=1", "Yes"),
        (Product, "artisan__id__exact={artisan.pk}", "{artisan}"),
        (Product, "category__id__exact={category.pk}", "{category}"),
        (Order, "artisan={artisan.pk}", "{artisan}"),
        (Order, "created_at_from=2026-01-01", "2026-01-01"),
    ],
)
def test_form_shows_the_labels_of_chosen_filters(client, model, query, shown):
    product = Product.objects.first()
    row = {"artisan": product.artisan, "category": product.category}
    form = page(client.get(export_url(model, query.format(**row))))
    assert form.one("dl", class_="aa-facts").one("dd").text == shown.format(**row)


@pytest.mark.django_db
@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "2026-02-30", "x" * 3000, "%00"])
def test_days_that_no_calendar_has_do_not_filter(client, day):
    for end in ("from", "to"):
        answer = client.get(f"{export_url(Order)}?created_at_{end}={day}")
        assert answer.status_code in {200, 302}
        answer = client.get(f"{admin_list_url(Order)}?created_at_{end}={day}")
        assert answer.status_code == 200


@pytest.mark.django_db
def test_invalid_filters_and_rows_lead_back_with_a_message(client):
    before = Export.objects.count()
    for query, data in (("nonsense__exact=1", {}), ("", {"rows": "x"})):
        address = export_url(Product, query)
        answer = client.post(address, data, follow=True)
        assert "The list does not know these filters" in answer.content.decode()
    assert client.put(export_url(Product)).status_code == 405
    none = page(client.post(export_url(Product), {"file_format": "csv"}))
    assert "Choose at least one column." in none.text
    bad = page(client.post(export_url(Product), {"file_format": "pdf", "columns": ["id"]}))
    assert "Select a valid choice" in bad.text
    assert Export.objects.count() == before


@pytest.mark.django_db
@pytest.mark.usefixtures("two_of_each")
@pytest.mark.parametrize(
    ("permissions", "status"),
    [([], 403), (["view_product"], 403), (["export_lists"], 403), (["view_product", "export_lists"], 200)],
)
def test_exporting_needs_both_permissions(browser, powerless_staff, permissions, status):
    powerless_staff.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = browser(powerless_staff)
    assert client.get(export_url(Product)).status_code == status
    answer = client.post(export_url(Product), {"file_format": "csv", "columns": ["id"]})
    assert answer.status_code == status
    if "view_product" in permissions:
        has_button = 'export/">Export</a>' in client.get(admin_list_url(Product)).content.decode()
        assert has_button == (status == 200)


@pytest.mark.django_db
def test_an_export_is_audited_and_says_what_it_has(client, admin_user):
    exported(client, Product, "q=bowl")
    export = Export.objects.get(query="q=bowl")
    entry = AuditEntry.objects.get(action="list.export")
    assert entry.actor == admin_user
    assert entry.target_id == export.pk
    assert entry.data["list"] == "admin:catalog.product"
    assert entry.data["filters"] == "q=bowl"
    assert entry.data["rows"] == export.rows > 0
    assert export.sha256 == entry.data["sha256"]
    assert not export.is_stored


@pytest.mark.django_db
def test_xlsx_has_texts_as_texts_and_amounts_as_numbers(client, shopper):
    User.objects.filter(pk=shopper.pk).update(name='=HYPERLINK("http://x.test")')
    answer = client.post(export_url(User), {"file_format": "xlsx", "columns": ["id", "name"]})
    first = sheets_of(answer)["xl/worksheets/sheet1.xml"]
    assert "<f>" not in first
    assert "<hyperlink" not in first
    assert 't="inlineStr"><is><t>=HYPERLINK(' in first

    answer = client.post(export_url(Product), {"file_format": "xlsx", "columns": ["price_shown"]})
    sheets = sheets_of(answer)
    product = Product.objects.order_by("-created_at", "slug").first()
    assert f"<v>{product.price.as_decimal().normalize():f}</v>" in sheets["xl/worksheets/sheet1.xml"]
    assert f"<t>{product.currency}</t>" in sheets["xl/worksheets/sheet1.xml"]
    assert "Rows as of" in sheets["xl/worksheets/sheet2.xml"]


def sheets_of(answer) -> dict[str, str]:
    with ZipFile(BytesIO(b"".join(answer.streaming_content))) as book:
        return {name: book.read(name).decode() for name in book.namelist()}


@pytest.mark.django_db
def test_csv_texts_are_no_formulas_and_keep_every_script(client, shopper):
    names = ("=1+1", "+49", "-1", "@SUM(A1)", "\tx", "\rx", "كتاب 🎁", 'a"b;c,d')
    for name in names:
        User.objects.filter(pk=shopper.pk).update(name=name)
        row = next(row for row in exported(client, User) if row["ID"] == str(shopper.pk))
        assert row["Name"] == (f"'{name}" if name[0] in "=+-@\t\r" else name)


@pytest.mark.django_db
def test_amounts_and_times_of_a_csv_file_are_exact(client):
    order = Order.objects.order_by("-created_at").first()
    row = next(row for row in exported(client, Order) if row["ID"] == str(order.pk))
    assert (row["Total"], row["Total: currency"]) == (order.total.amount, order.currency)
    created = timezone.localtime(order.created_at).replace(microsecond=0)
    assert row["Created"] == created.isoformat(sep=" ")


@pytest.mark.django_db
def test_who_may_export_finds_the_exports_in_the_menu(browser, powerless_staff):
    def links() -> list[object]:
        return page(browser(powerless_staff).get("/admin/")).all("a", href=admin_list_url(Export))

    assert not links()
    powerless_staff.user_permissions.set(Permission.objects.filter(codename="export_lists"))
    assert links()
