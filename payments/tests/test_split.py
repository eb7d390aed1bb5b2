"""The arithmetic of what refunds take back: exact, within what there is, and everything at the end."""

from random import Random
from uuid import uuid4

import pytest

from orders.shares import Shares
from payments.bookkeeping.split import Back, Item, ParcelMoney, give_back, split_order


def random_shares(random: Random) -> Shares:
    return Shares(
        *(random.choice([0, 0, 1, random.randrange(5), random.randrange(10_000)]) for _ in range(4))
    )


@pytest.mark.parametrize("seed", range(5))
def test_what_goes_back_is_exact_and_within_each_share(seed):
    random = Random(seed)  # noqa: S311  # the same amounts in every run
    for _ in range(2000):
        shares = random_shares(random)
        minor = random.randint(0, shares.total)
        kept = random.randint(0, minor)
        back = give_back(shares, Back(minor - kept, kept))
        assert back.total == minor
        assert all(0 <= taken <= share for taken, share in zip(back, shares, strict=True))


def test_everything_returned_is_exactly_everything():
    shares = Shares(net=9001, commission=999, commission_tax=190, remitted_tax=810)
    assert give_back(shares, Back(shares.total)) == shares
    assert give_back(shares, Back(0, shares.total)) == shares


def test_commission_that_the_shop_keeps_is_taken_last():
    shares = Shares(net=80, commission=15, commission_tax=3, remitted_tax=2)
    assert give_back(shares, Back(50, 0)) == Shares(40, 8, 1, 1)
    assert give_back(shares, Back(0, 41)) == Shares(net=40, remitted_tax=1)
    assert give_back(shares, Back(0, 88)) == Shares(net=80, commission=5, commission_tax=1, remitted_tax=2)


def parcel(*totals: int, goodwill: int = 0) -> ParcelMoney:
    items = tuple(Item(Shares(net=total - total // 10, commission=total // 10)) for total in totals)
    return ParcelMoney(uuid4(), uuid4(), items, Back(goodwill))


def test_what_names_nothing_is_spread_over_what_is_left():
    split = split_order(
        [parcel(6000), parcel(3000, goodwill=1000)], worth=9000, unassigned=800, goodwill_of_shop=0
    )
    assert [part.returned for part in split.parcels] == [Shares(540, 60), Shares(1080, 120)]


def test_goodwill_beyond_what_is_left_is_the_shops():
    named = Item(Shares(net=90, commission=10), refunded=Back(80))
    money = ParcelMoney(uuid4(), uuid4(), (named,), goodwill=Back(50))
    split = split_order([money, parcel(1000)], worth=1020, unassigned=0, goodwill_of_shop=7)
    assert split.parcels[0].returned == Shares(90, 10)
    assert split.goodwill == 37


def test_goodwill_beyond_what_is_left_counts_although_it_is_more_than_what_the_buyer_keeps():
    """An order of 136.65: 33.00 of goodwill, then the goods of the first parcel."""
    goods, shipping = Item(Shares(net=9400), refunded=Back(9400)), Item(Shares(net=431))
    first = ParcelMoney(uuid4(), uuid4(), (goods, shipping), goodwill=Back(2374))
    second = ParcelMoney(uuid4(), uuid4(), (Item(Shares(net=3834)),), goodwill=Back(926))
    split = split_order([first, second], worth=4265, unassigned=0, goodwill_of_shop=0)
    assert [part.remaining.total for part in split.parcels] == [0, 2908]
    assert split.goodwill == 1943


def test_goodwill_of_the_shop_is_limited_to_what_the_buyer_keeps():
    assert split_order([parcel(100)], worth=100, unassigned=0, goodwill_of_shop=300).goodwill == 100
    assert split_order([], worth=0, unassigned=0, goodwill_of_shop=300).goodwill == 0


def test_the_artisan_keeps_earnings_on_what_the_shop_bears():
    item = Item(Shares(net=90, commission=10), by_shop=40)
    money = ParcelMoney(uuid4(), uuid4(), (item,), goodwill=Back(80))
    [part] = split_order([money], worth=60, unassigned=0, goodwill_of_shop=0).parcels
    assert (part.by_shop, part.returned.total) == (40, 60)
