"""Settings of the web server; options of the command line take precedence.

gunicorn artisans.wsgi --config deploy/gunicorn.conf.py
"""

import os

bind = f"{os.environ.get('HOST') or '127.0.0.1'}:{os.environ.get('PORT') or '8000'}"
workers = int(os.environ.get("WEB_CONCURRENCY") or 2)
threads = 8  # above PROVIDER_CALLS_AT_ONCE, so that a slow provider leaves threads for everybody else
preload_app = True  # artisans/wsgi.py
control_socket_disable = True

# Lines as the application's; requests are logged by artisans.core.web.request_log.
logconfig_dict = {
    "formatters": {"json": {"()": "artisans.core.logs.JsonFormatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["console"]},
    "loggers": {"gunicorn.error": {"handlers": ["console"], "propagate": False}},
}
