"""Adding commission rates: checked, previewed, approved by a second person where the store asks, mailed to artisans."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any, NoReturn, Self
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from artisans.accounts.models import User
from artisans.accounts.setting_changes import FieldChange, record_changes
from artisans.accounts.setting_fields import Setting
from artisans.approvals.services import EXPIRES_AFTER, approval_request
from artisans.catalog.access import workshops_of
from artisans.catalog.models import Artisan, Category, CommissionRate, Product
from artisans.core.errors import Conflict, Forbidden, InvalidInput, NotFound
from artisans.core.models import get_or_none
from artisans.core.money import Money
from artisans.core.personal_data import ERASED_DOMAIN
from artisans.notifications.services import notifications_enqueue
from orders.commission import Terms, applying_rate, most_commission, parcel_fees, terms_of
from orders.errors import OwnMoney
from orders.mails import commission_raised_mail, terms_text
from orders.models import StoreRules
from orders.quoting import quote_products
from orders.selectors import rates_of, store_rules
from orders.services.placing import commission_tax_of

KIND = "commission_rate"  # of approvals
PERMISSION = "catalog.change_commission"
A_MOMENT = timedelta(minutes=1)  # between typing a start and confirming it
MOST_NAMES = 20


@dataclass(frozen=True, slots=True)
class NewRate:
    """A rate to be added; see CommissionRate. Plain JSON, so that it can be stored until a second person approves it.

    `valid_from`: ISO 8601, or "" for at once. `is_agreed`: the artisans concerned accept an increase without notice.
    """

    currency: str
    artisan_id: str = ""
    category_id: int | None = None
    is_end: bool = False
    rate_ppm: int = 0
    minimum_minor: int = 0
    cap_minor: int | None = None
    fixed_minor: int = 0
    on_shipping: bool = False
    valid_from: str = ""
    is_agreed: bool = False

    @classmethod
    def parse(cls, payload: dict[str, Any]) -> Self:
        """From what an approval stores, which has more beside it."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in payload.items() if name in known})

    @property
    def starts(self) -> datetime:
        """When it starts; now if that has passed."""
        now = timezone.now()
        return max(now, datetime.fromisoformat(self.valid_from)) if self.valid_from else now

    def row(self, **columns: Any) -> CommissionRate:
        values = asdict(self) | {"valid_from": self.starts, "artisan_id": self.artisan_uuid}
        del values["is_agreed"]
        return CommissionRate(**values | columns)

    @property
    def artisan_uuid(self) -> UUID | None:
        return UUID(self.artisan_id) if self.artisan_id else None


def takes_more(before: Terms, after: Terms) -> bool:
    """Whether the shop can take more of some parcel than before."""
    is_cap_raised = before.cap is not None and (after.cap is None or after.cap > before.cap)
    return (
        after.rate_ppm > before.rate_ppm
        or after.minimum > before.minimum
        or after.fixed > before.fixed
        or after.on_shipping > before.on_shipping
        or (is_cap_raised and bool(after.rate_ppm or after.fixed))
    )


@dataclass(frozen=True, slots=True)
class RateChange:
    """What a new rate changes for an artisan: `categories` has names, none if it is everything they sell.

    `before`: what would apply without it. `later`: from when on, if not from its start, because another rate starts or
    ends then.
    """

    artisan: Artisan
    categories: tuple[str, ...]
    before: Terms
    after: Terms
    later: datetime | None = None

    @property
    def is_rise(self) -> bool:
        return takes_more(self.before, self.after)


@dataclass(frozen=True, slots=True)
class Example:
    """A parcel with one unit of a product: what the shop takes of it now and with the new rate, with tax."""

    name: str
    price: Money
    before: Money
    after: Money
    takes_all: bool


# ---- what a rate means ---------------------------------------------------------------------------------------


def rate_changes(new: NewRate) -> list[RateChange]:
    """For each active artisan whose commission the new rate changes, when it starts or later, by name.

    A category's rate concerns those who sell in it.
    """
    return changes_of(new, Artisan.objects.filter(is_active=True))


def changes_of(new: NewRate, artisans: QuerySet[Artisan]) -> list[RateChange]:
    artisans, sold = artisans.order_by("name"), categories_sold(new)
    if new.artisan_id:
        artisans = artisans.filter(pk=new.artisan_id)
    elif new.category_id:
        artisans = artisans.filter(pk__in=list(sold))
    names: dict[int | None, str] = dict(Category.objects.values_list("pk", "name"))
    rates = rates_by_artisan(artisans, currency=new.currency)
    row = new.row()
    found = []
    for artisan in artisans:
        general = rates[None] + rates[artisan.pk]
        by_terms = defaultdict[tuple[datetime | None, Terms, Terms], list[int | None]](list)
        categories: set[int | None] = sold[artisan.pk] or {new.category_id}
        for category_id in categories:
            for change in changes_over_time(general, row, artisan.pk, category_id):
                by_terms[change].append(category_id)
        for (later, before, after), ids in by_terms.items():
            is_everything = len(ids) == len(categories) and not new.category_id
            shown = () if is_everything else tuple(sorted(names.get(pk, "") for pk in ids))
            found.append(RateChange(artisan, shown, before, after, later))
    return found


def categories_sold(new: NewRate) -> defaultdict[UUID, set[int | None]]:
    """The categories that the rate is about and in which artisans sell something, by artisan."""
    products = Product.objects.filter(is_active=True)
    if new.artisan_id:
        products = products.filter(artisan=new.artisan_uuid)
    if new.category_id:
        products = products.filter(category=new.category_id)
    sold = defaultdict[UUID, set[int | None]](set)
    for artisan_id, category in products.order_by().values_list("artisan_id", "category_id").distinct():
        sold[artisan_id].add(category)
    return sold


def rates_by_artisan(
    artisans: Iterable[Artisan], *, currency: str
) -> dict[UUID | None, list[CommissionRate]]:
    rates = defaultdict[UUID | None, list[CommissionRate]](list)
    for rate in rates_of(artisans, currency=currency):
        rates[rate.artisan_id].append(rate)
    return rates


def changes_over_time(
    rates: list[CommissionRate], new: CommissionRate, artisan_id: UUID, category_id: int | None
) -> Iterator[tuple[datetime | None, Terms, Terms]]:
    """The terms without the new rate and with it, where they differ: from its start on (None), and from each
    later start of another rate that changes this."""
    known = None
    for later in (None, *sorted({rate.valid_from for rate in rates if rate.valid_from > new.valid_from})):
        before, after = terms_of_both(rates, new, artisan_id, category_id, at=later or new.valid_from)
        meaning = (takes_more(before, after), after) if before != after else None
        if meaning and meaning != known:
            yield later, before, after
        known = meaning


def terms_of_both(
    rates: list[CommissionRate],
    new: CommissionRate,
    artisan_id: UUID,
    category_id: int | None,
    *,
    at: datetime,
) -> tuple[Terms, Terms]:
    """What applies at that time, without the new rate and with it."""
    without, including = (
        terms_of(applying_rate(known, artisan_id=artisan_id, category_id=category_id, at=at))
        for known in (rates, [*rates, new])
    )
    return without, including


def rate_examples(new: NewRate, store: StoreRules) -> list[Example]:
    """The cheapest, the middle and the dearest product that it is about, each alone in a parcel."""
    products = Product.objects.filter(is_active=True, artisan__is_active=True, currency=new.currency)
    if new.artisan_id:
        products = products.filter(artisan=new.artisan_uuid)
    if new.category_id:
        products = products.filter(category=new.category_id)
    products = products.select_related("artisan").order_by("price_minor", "pk")
    count = products.count()
    places = sorted({0, count // 2, count - 1}) if count else []
    return [example_of(products[place], new, store) for place in places]


def example_of(product: Product, new: NewRate, store: StoreRules) -> Example:
    artisan = product.artisan
    rates = rates_of([artisan], currency=new.currency)
    row = new.row()
    pair = terms_of_both(rates, row, artisan.pk, product.category_id, at=row.valid_from)
    tax_ppm = commission_tax_of(artisan, store)
    sold = quote_products([(product, 1)], store=store)
    price, shipping = sold.lines[0].net.minor, sold.parcels[0].shipping_net.minor
    before, after = (
        parcel_fees([price], [terms], shipping=shipping, tax_ppm=tax_ppm).total for terms in pair
    )
    return Example(
        product.name,
        product.price,
        before=Money.stored(sum(before), new.currency),
        after=Money.stored(sum(after), new.currency),
        takes_all=after.commission >= most_commission(price, tax_ppm),
    )


# ---- adding one ----------------------------------------------------------------------------------------------


def needs_approval() -> bool:
    return store_rules().second_person_for_settings


def earliest_rise(*, is_approved: bool = False) -> datetime:
    """When an increase may start at the earliest, unless the artisans have agreed to less notice.

    Notice counts from the email to them, which waits for the approval if one is needed.
    """
    wait = EXPIRES_AFTER if needs_approval() and not is_approved else timedelta(0)
    return timezone.now() + timedelta(days=settings.COMMISSION_NOTICE_DAYS) + wait


def check_actor(new: NewRate, *, changes: Iterable[RateChange], actor: User) -> None:
    """Nobody decides about a rate that concerns their own workshop alone. Errors: Forbidden, OwnMoney, NotFound."""
    if not actor.has_perm(PERMISSION):
        raise Forbidden(_("You do not have permission to change commission rates."))
    about = target_of(new)
    artisans = {about} if isinstance(about, Artisan) else {change.artisan for change in changes}
    if artisans and {artisan.pk for artisan in artisans} <= workshops_of(actor):
        raise OwnMoney


def rate_check(
    new: NewRate, *, changes: Collection[RateChange], actor: User, is_approved: bool = False
) -> None:
    """Errors: InvalidInput, Conflict, and those of `check_actor`."""
    check_actor(new, changes=changes, actor=actor)
    if new.is_end and not (new.artisan_id or new.category_id):
        raise InvalidInput(_("The store’s own rate cannot end. Enter 0 % to take nothing."))
    now = timezone.now()
    if not is_approved and new.valid_from and datetime.fromisoformat(new.valid_from) < now - A_MOMENT:
        raise InvalidInput(
            _("A rate cannot start in the past. Leave the start empty to apply it immediately.")
        )
    earliest = earliest_rise(is_approved=is_approved)
    rises = {
        change.artisan
        for change in changes
        if change.is_rise and (change.later or new.starts) < earliest - A_MOMENT
    }
    if rises and not new.is_agreed:
        raise InvalidInput(
            _(
                "This is an increase for %(artisan)s, so it cannot start before %(day)s. If all artisans concerned "
                "have agreed to an earlier start, say so below."
            )
            % {
                "artisan": rises.pop().name if len(rises) == 1 else _("several artisans"),
                "day": date_format(timezone.localtime(earliest), "DATETIME_FORMAT"),
            }
        )
    same = CommissionRate.objects.filter(
        artisan=new.artisan_uuid, category=new.category_id, currency=new.currency, valid_from=new.starts
    )
    if same.exists():
        raise_taken()


def raise_taken() -> NoReturn:
    raise Conflict(
        _(
            "Another rate of this kind starts at the same time. Rates are not changed: let this one start a minute "
            "later, and it replaces the other."
        )
    )


@transaction.atomic
def rate_add(
    new: NewRate, *, actor: User, is_approved: bool = False, seen: dict[str, list[list[Any]]] | None = None
) -> CommissionRate | None:
    """Add a rate, or request a second person's approval if the store rules require it; then None.

    `seen`: the terms before, as the approver read them. Artisans whose commission rises get an email, those who are not
    active too: it applies when they sell again. Errors: those of `rate_check` and approval_request; Conflict if the
    terms before are not as `seen`.
    """
    changes = rate_changes(new)
    rate_check(new, changes=changes, actor=actor, is_approved=is_approved)
    if seen is not None:
        check_terms_before(changes, seen)
    if needs_approval() and not is_approved:
        approval_request(
            KIND,
            target=target_of(new),
            title=_("Commission rate: %(scope)s") % {"scope": scope_text(new)},
            details=details_of(new, changes),
            payload=asdict(new) | {"seen": terms_before(changes)},
            actor=actor,
        )
        return None
    mailed = changes_of(new, Artisan.objects.exclude(email__endswith=f"@{ERASED_DOMAIN}"))
    row = new.row(made_by=actor)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:  # someone else was faster
        raise_taken()
    text = f"{scope_text(new)}: {terms_of_new(new)} ({start_text(new)})"
    setting = Setting("Commission", affects_money=True)
    record_changes(
        row, [FieldChange("rate_ppm", setting, "", text)], actor=actor, actor_name="system", addresses=()
    )
    rises = defaultdict[tuple[UUID, datetime | None], list[RateChange]](list)
    for change in mailed:
        if change.is_rise:
            rises[change.artisan.pk, change.later].append(change)
    notifications_enqueue(
        *[
            commission_raised_mail(
                found[0].artisan,
                rate=row,
                changes=[(one.categories, one.before, one.after) for one in found],
                store=store_rules(),
                later=later,
            )
            for (_artisan, later), found in rises.items()
        ]
    )
    return row


def target_of(new: NewRate) -> Model:
    """What the approval is about. Errors: NotFound."""
    rows = (
        Artisan.objects.filter(pk=new.artisan_id)
        if new.artisan_id
        else Category.objects.filter(pk=new.category_id)
        if new.category_id
        else StoreRules.objects.all()
    )
    found: Model | None = get_or_none(rows)
    if found is None:
        raise NotFound(_("The artisan or category of this rate does not exist."))
    return found


def terms_before(changes: Iterable[RateChange]) -> dict[str, list[list[Any]]]:
    """What applies to each artisan concerned without the new rate, and from when it differs, as JSON."""
    found = defaultdict[str, list[list[Any]]](list)
    for change in changes:
        terms = [change.later.isoformat() if change.later else None, *change.before]
        if terms not in found[str(change.artisan.pk)]:
            found[str(change.artisan.pk)].append(terms)
    return {key: sorted(terms, key=str) for key, terms in found.items()}


def check_terms_before(changes: Iterable[RateChange], seen: dict[str, list[list[Any]]]) -> None:
    """Whether the approver read what still applies. Artisans who came since do not count. Errors: Conflict."""
    now = terms_before(changes)
    keys = [key for key in seen if now.get(key) != seen[key]]
    artisans = Artisan.objects.filter(pk__in=keys, is_active=True)
    if names := list(artisans.order_by("name").values_list("name", flat=True)):
        raise Conflict(
            _(
                "What applies to %(artisans)s without this rate has changed since it was requested. Nothing was added. "
                "Request it again, so that its effect can be checked."
            )
            % {"artisans": names_text(names)}
        )


def rate_execute(payload: dict[str, Any], requested_by: User, approved_by: User) -> None:
    """Requests from before an upgrade have no `seen`."""
    rate_add(NewRate.parse(payload), actor=requested_by, is_approved=True, seen=payload.get("seen"))


def rate_decidable(payload: dict[str, Any], actor: User) -> None:
    """Errors: Forbidden, OwnMoney, NotFound."""
    new = NewRate.parse(payload)
    check_actor(new, changes=rate_changes(new), actor=actor)


# ---- in words ------------------------------------------------------------------------------------------------


def scope_text(new: NewRate | CommissionRate) -> str:
    """Whose commission it is: "Ana, Bowls"."""
    row = new if isinstance(new, CommissionRate) else new.row()
    names = [str(one.name) for one in (row.artisan, row.category) if one is not None]
    return ", ".join(names) if row.artisan else ", ".join([_("All artisans"), *names])


def terms_of_new(new: NewRate) -> str:
    row = new.row()
    return _("no rate of its own") if row.is_end else terms_text(list(terms_of(row)), new.currency)


def changes_by_terms(changes: Iterable[RateChange]) -> dict[RateChange, list[str]]:
    """The changes that are the same for several artisans, one of each with the artisans' names."""
    firsts: dict[tuple[Any, ...], RateChange] = {}
    names = defaultdict[RateChange, list[str]](list)
    for change in changes:
        key = (change.before, change.after, change.categories, change.later)
        first = firsts.setdefault(key, change)
        names[first].append(change.artisan.name)
    return names


def names_text(names: Sequence[str]) -> str:
    """The first of them, so that the text stays readable in a large shop."""
    more = len(names) - MOST_NAMES
    if more <= 0:
        return ", ".join(names)
    text = ngettext("%(names)s and %(count)d more", "%(names)s and %(count)d more", more)
    return text % {"names": ", ".join(names[:MOST_NAMES]), "count": more}


def details_of(new: NewRate, changes: Collection[RateChange]) -> list[tuple[str, str]]:
    """What the approver reads: the rate, and the terms before and after of everyone concerned."""
    details = [
        (_("Commission"), terms_of_new(new)),
        (_("Currency"), new.currency),
        (_("Starts"), start_text(new)),
        (_("Artisans whose commission changes"), str(len({change.artisan for change in changes}))),
    ]
    for change, names in changes_by_terms(changes).items():
        before, after = (terms_text(list(one), new.currency) for one in (change.before, change.after))
        text = _("%(before)s → %(after)s (an increase)") if change.is_rise else _("%(before)s → %(after)s")
        concerned = (names_text(names), ", ".join(change.categories), later_text(change))
        label = ": ".join(part for part in concerned if part)
        details.append((label, text % {"before": before, "after": after}))
    if new.is_agreed:
        details.append((_("Notice"), _("The artisans concerned have agreed to this start")))
    return details


def start_text(new: NewRate) -> str:
    return time_text(datetime.fromisoformat(new.valid_from)) if new.valid_from else _("at once")


def later_text(change: RateChange) -> str:
    return _("from %(time)s on") % {"time": time_text(change.later)} if change.later else ""


def time_text(at: datetime) -> str:
    return date_format(timezone.localtime(at), "DATETIME_FORMAT")
