"""The overlay for tests: fast hashing, mail in memory, no manifest; everything else as it runs."""

import os

os.environ.setdefault("SECRET_KEY", "only-for-tests-" + "x" * 50)
os.environ.setdefault("CELERY_BROKER_URL", "memory://")

from artisans.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STAFF_NEED_SECOND_FACTOR = False  # as in the demo; the tests of it switch it on
WHITENOISE_AUTOREFRESH = True  # looks a file up when asked; else every client of a test reads all of them
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
if "TEST_DATABASE" in os.environ:  # two runs at once on one machine need two
    DATABASES["default"]["TEST"] = {"NAME": os.environ["TEST_DATABASE"]}  # noqa: F405
if "TEST_TEMPLATE" in os.environ:  # a PostgreSQL database that is migrated already
    DATABASES["default"]["TEST"] |= {"TEMPLATE": os.environ["TEST_TEMPLATE"], "MIGRATE": False}  # noqa: F405
