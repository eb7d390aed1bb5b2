"""The ASGI entry point, for servers such as uvicorn."""

import os

from django.core.asgi import get_asgi_application

from artisans.core.checks import refuse_to_start

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "artisans.settings")

application = get_asgi_application()
refuse_to_start()
