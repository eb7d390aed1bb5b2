from artisans.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.live.interrupted"]  # noqa: F405
