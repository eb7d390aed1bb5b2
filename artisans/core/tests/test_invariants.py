"""How little a check of an empty shop costs; tests/test_invariants.py has all else."""

import pytest

from artisans.core.invariants import find_violations
from tests.invariants import check_invariants


@pytest.mark.django_db
def test_shop_without_rows_is_checked_with_one_statement(django_assert_num_queries):
    with django_assert_num_queries(1):
        check_invariants()
    assert list(find_violations()) == []
