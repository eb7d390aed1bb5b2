import pytest
from django.contrib.auth.models import Group

from artisans.accounts.models import Role
from artisans.accounts.tests.factories import UserFactory


@pytest.fixture
def catalog_client(browser):
    user = UserFactory.create(email="keeper@example.test", role=Role.STAFF)
    user.groups.set(Group.objects.filter(name="Catalog team"))
    return browser(user)
