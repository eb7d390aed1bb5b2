from pathlib import Path

import pytest
from django.contrib.auth.models import Group

from artisans.accounts.models import Role
from artisans.accounts.tests.factories import UserFactory


@pytest.fixture
def media(settings, tmp_path) -> Path:
    """An empty folder for uploaded files."""
    files = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    settings.MEDIA_ROOT, settings.STORAGES = str(tmp_path / "media"), settings.STORAGES | {"default": files}
    (tmp_path / "media").mkdir()
    return tmp_path / "media"


@pytest.fixture
def catalog_client(browser):
    user = UserFactory.create(email="keeper@example.test", role=Role.STAFF)
    user.groups.set(Group.objects.filter(name="Catalog team"))
    return browser(user)
