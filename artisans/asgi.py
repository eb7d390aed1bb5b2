"""The ASGI entry point, for servers such as uvicorn."""

import os

from django.core.asgi import get_asgi_application

from artisans.core.startup import exit_unless_usable

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "artisans.settings")

application = get_asgi_application()
exit_unless_usable(has_pages=True)
