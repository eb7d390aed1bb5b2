"""Figures read indexes of their facts, so that they stay fast as the shop grows (bench/figures.py has many rows)."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from artisans.figures.admin import page_address
from artisans.figures.counting import Pair, day_count, marks_drain
from artisans.figures.days import today
from artisans.figures.families import FAMILIES
from artisans.figures.pages import PAGES
from payments.tests.factories import start

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql, pytest.mark.usefixtures("store")]

FACTS = {facts.rows.model._meta.db_table for family in FAMILIES.values() for facts in family.facts}


def scanned(captured):
    """Facts that a statement reads as a whole, although PostgreSQL was told to avoid that."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for query in captured.captured_queries:
            if re.match(r"\(*SELECT", query["sql"]):
                cursor.execute(f"EXPLAIN (FORMAT JSON) {query['sql']}")
                yield from re.findall(r"'Seq Scan'.*?'Relation Name': '(\w+)'", str(cursor.fetchone()[0]))
        cursor.execute("SET LOCAL enable_seqscan = on")


@pytest.mark.parametrize("name", FAMILIES)
def test_a_day_is_counted_from_indexes(name, bowl):
    start(items={bowl: 1})
    with CaptureQueriesContext(connection) as captured:
        assert day_count(Pair(name, today()))

    assert FACTS.isdisjoint(scanned(captured))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_reads_no_facts_as_a_whole(name, browser, staff, bowl):
    start(items={bowl: 1})
    marks_drain()
    client = browser(staff)
    with CaptureQueriesContext(connection) as captured:
        client.get(f"{page_address(name)}?period=year")

    assert FACTS.isdisjoint(scanned(captured))
