"""Settings for tests: fast hashing, email in memory, no static manifest; everything else as in production."""

import os

os.environ.setdefault("SECRET_KEY", "only-for-tests-" + "x" * 50)
os.environ.setdefault("CELERY_BROKER_URL", "memory://")

from artisans.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STAFF_NEED_SECOND_FACTOR = False  # as in the demo; tests of the second factor turn it on
WHITENOISE_AUTOREFRESH = True  # finds files on request; otherwise every test client would scan all of them
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
DATABASES["default"].pop("TIMEOUTS", None)  # noqa: F405  # a busy machine is not a failure
if "TEST_DATABASE" in os.environ:  # concurrent runs on one machine need separate databases
    DATABASES["default"]["TEST"] = {"NAME": os.environ["TEST_DATABASE"]}  # noqa: F405
if "TEST_TEMPLATE" in os.environ:  # a migrated database, of which conftest.py copies the SQLite file
    DATABASES["default"]["TEST"] |= {"TEMPLATE": os.environ["TEST_TEMPLATE"], "MIGRATE": False}  # noqa: F405
