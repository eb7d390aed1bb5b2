"""All configuration, from the environment only (see .env.example for every variable)."""

from datetime import timedelta
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from celery.schedules import crontab
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _
from kombu import Queue

from artisans.environment import (
    database,
    env,
    flag,
    log_level,
    networks,
    number,
    site_url,
    time_zone,
    url,
    words,
)

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"


env.read_env(BASE_DIR / ".env")


def secret_key() -> str:
    generated = VAR_DIR / "secret_key"
    key: str = env.str("SECRET_KEY", default="")
    if key:
        return key
    if generated.exists():
        return generated.read_text().strip()
    raise ImproperlyConfigured("Set SECRET_KEY to 50 or more random characters, or start with `make run`.")


def s3_storage(bucket: str) -> tuple[dict[str, Any], str]:
    """The storage of uploaded files on S3 or a service that understands it, and the address of the bucket."""
    if find_spec("storages") is None:
        raise ImproperlyConfigured(
            "MEDIA_S3_BUCKET is set, but its packages are missing: "
            "pip install --require-hashes -r requirements-s3.lock"
        )
    endpoint = env.str("MEDIA_S3_ENDPOINT", default="").rstrip("/")
    region = env.str("MEDIA_S3_REGION", default="us-east-1")
    domain = env.str("MEDIA_S3_DOMAIN", default="")
    is_private = flag("MEDIA_S3_PRIVATE")
    if domain and is_private:
        raise ImproperlyConfigured(
            "MEDIA_S3_PRIVATE needs signed addresses of the bucket itself: unset MEDIA_S3_DOMAIN."
        )
    amazon = f"s3.{region}.amazonaws.com"
    address = f"{endpoint}/{bucket}/" if endpoint else f"https://{bucket}.{amazon}/"
    if domain:
        address = f"https://{domain}/"
    options = {
        "bucket_name": bucket,
        # Otherwise signed addresses of us-east-1 have no region, and the content security policy refuses the pictures.
        "endpoint_url": endpoint or f"https://{amazon}",
        "region_name": region,
        "access_key": env.str("MEDIA_S3_ACCESS_KEY", default="") or None,
        "secret_key": env.str("MEDIA_S3_SECRET_KEY", default="") or None,
        "path_style": bool(endpoint),
        "base_url": "" if is_private else address,
    }
    return {"BACKEND": "artisans.core.media.S3Media", "OPTIONS": options}, address


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


# ---- the shop ----------------------------------------------------------------------------------------------
DEBUG = flag("DEBUG")
DEMO = flag("DEMO")
SECRET_KEY = secret_key()
SECRET_KEY_FALLBACKS = words("SECRET_KEY_FALLBACKS")
ENCRYPTION_KEYS = words("ENCRYPTION_KEYS")
SITE_URL = site_url("SITE_URL", default=f"http://localhost:{env.str('PORT', default='8000')}")
HTTPS = SITE_URL.startswith("https://")
TRUSTED_PROXIES = number("TRUSTED_PROXIES", default=0)
ALLOWED_HOSTS = words("ALLOWED_HOSTS", default=("127.0.0.1", "localhost"))
MANUAL_PAYMENT_AUTO_APPROVE = flag("MANUAL_PAYMENT_AUTO_APPROVE")
RATE_LIMIT_FACTOR = number("RATE_LIMIT_FACTOR", default=1, least=1)
# Maximum count and window in seconds. The suffix says what is counted: a network, an account, an address or a
# principal. `@limited(scope)` counts both "<scope>_principal" and "<scope>_network".
RATE_LIMITS = {
    "login_network": (30, 300),
    "login_account": (10, 300),
    "login_everywhere": (50, 3600),  # of an account, from networks that it did not sign in from before
    "second_factor_account": (5, 300),
    "register_network": (10, 3600),
    "find_order_network": (20, 3600),
    "find_order_address": (5, 3600),
    "carts_principal": (60, 600),
    "carts_network": (300, 600),
    "checkout_principal": (30, 600),
    "checkout_network": (120, 600),
    "intents_principal": (30, 600),
    "intents_network": (120, 600),
    "confirms_principal": (10, 600),  # buyers try a few cards; card testers try many
    "confirms_network": (30, 600),
    "methods_principal": (10, 3600),
    "methods_network": (30, 3600),
    "refunds_principal": (60, 600),
    "refunds_network": (240, 600),
    "journey_problems_network": (30, 600),
    "tax_ids_principal": (10, 3600),
    "tax_ids_network": (30, 3600),
    "webhook_refused": (30, 300),
}
MAX_OPEN_ORDERS = number("MAX_OPEN_ORDERS", default=2)
# What orders of buyers without a confirmed mailbox may hold unpaid (orders/hold_policy.py).
MAX_HELD_OF_PRODUCT = number("MAX_HELD_OF_PRODUCT", default=5)
MAX_HELD_UNITS = number("MAX_HELD_UNITS", default=20)
MAX_HELD_VALUE_MINOR = number("MAX_HELD_VALUE_MINOR", default=100_000)
MAX_HELD_SHARE = number("MAX_HELD_SHARE", default=50)
# Artisans are told when so many units of a product are left, unless they set another number for it.
LOW_STOCK = number("LOW_STOCK", default=2)
SHORT_HOLD_FACTOR = number("SHORT_HOLD_FACTOR", default=4, least=1)
SHORT_HOLD_MINUTES = number("SHORT_HOLD_MINUTES", default=10, least=1)
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Artisans Alley <shop@localhost>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# ---- payment providers -------------------------------------------------------------------------------------
# Each provider declares its own variables in payments/providers/<name>/config.py.
READ_VARIABLE = partial(env.str, default="")
# Providers of a method, in order of preference: "credit_card=stripe,square;paypal=paypal". Unset: all, as registered.
PAYMENT_ROUTES = env.str("PAYMENT_ROUTES", default="")
# Per web process and provider. Keep it below the number of threads, or a slow provider blocks the shop.
# A payment is closed after so many declines; staff are alerted of so many from one network within an hour.
MAX_DECLINES_PER_PAYMENT = number("MAX_DECLINES_PER_PAYMENT", default=5, least=1)
DECLINES_PER_NETWORK_ALARM = number("DECLINES_PER_NETWORK_ALARM", default=10, least=1)
PROVIDER_CALLS_AT_ONCE = number("PROVIDER_CALLS_AT_ONCE", default=4, least=1)
ALLOW_TEST_CARDS = flag("ALLOW_TEST_CARDS")
COMMISSION_NOTICE_DAYS = number("COMMISSION_NOTICE_DAYS", default=30)
ERASURE_KEEP_YEARS = number("ERASURE_KEEP_YEARS", default=10)

# Where VIES is asked whether VAT IDs are valid; unset: staff decide (docs/vat-ids.md).
VIES_API_BASE = env.str("VIES_API_BASE", default="").rstrip("/")
if VIES_API_BASE:
    url("VIES_API_BASE", env.str, default="", example="https://ec.europa.eu/taxation_customs/vies/rest-api")
VIES_REQUESTER = env.str("VIES_REQUESTER", default="").strip()

# ---- error reports and traces: off unless set (docs/monitoring.md) ------------------------------------------
SENTRY_DSN = env.str("SENTRY_DSN", default="")
OTEL_EXPORTER_OTLP_ENDPOINT = env.str("OTEL_EXPORTER_OTLP_ENDPOINT", default="")

# ---- Django ------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "knox",
    "csp",
    "artisans.core",
    "artisans.audit",
    "artisans.journeys",
    "artisans.notifications",
    "artisans.accounts",
    "artisans.privacy",
    "artisans.approvals",
    "artisans.exports",
    "artisans.regions",
    "artisans.tax_ids",
    "artisans.catalog",
    "artisans.shipping",
    "artisans.ledger",
    "orders",
    "payments",
    "artisans.earnings",
    "artisans.workshop",
    "carts",
    "artisans.figures",
]
MIDDLEWARE = [
    "artisans.core.web.middleware.RequestIdMiddleware",
    *(["artisans.core.traces.TraceMiddleware"] if OTEL_EXPORTER_OTLP_ENDPOINT else []),
    "artisans.core.web.request_log.RequestLogMiddleware",
    "artisans.core.web.metrics.MetricsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "artisans.core.web.middleware.AdminContentPolicyMiddleware",
    "artisans.core.web.middleware.PrivatePagesMiddleware",
    "artisans.core.web.middleware.PublicPagesCompressionMiddleware",
    "artisans.core.web.page_middleware.SessionMiddleware",
    "artisans.core.web.page_middleware.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "artisans.core.web.page_middleware.AuthenticationMiddleware",
    "artisans.core.web.page_middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "artisans.accounts.middleware.FreshSignInMiddleware",
    "artisans.accounts.middleware.StaffSignInMiddleware",
    "artisans.core.web.middleware.BodySizeMiddleware",
    "artisans.core.web.error_pages.CardNumberMiddleware",
    "artisans.core.web.error_pages.RefusedPageMiddleware",
]
ROOT_URLCONF = "artisans.urls"
WSGI_APPLICATION = "artisans.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "carts.context_processors.shop",
            ]
        },
    }
]
FORM_RENDERER = "django.forms.renderers.DjangoTemplates"
APPEND_SLASH = False  # a redirect would lose the body of API requests; links to pages include the slash
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200
# Larger bodies are refused unread; Django would write files of any size to disk before it asks who sent them.
UPLOAD_PATHS = (
    *("/admin/catalog/", "/shop/artisan/products/", "/artisan/products/"),
    "/shop/artisan/stock/import/",
)
UPLOAD_MAX_SIZE = 32 * 1024 * 1024  # several pictures at once

# Paths that return JSON only; everything else is a page.
API_PREFIXES = (
    *("/auth", "/carts", "/orders", "/payments", "/parcels", "/earnings", "/products", "/artisans"),
    *("/ledger", "/artisan", "/currencies"),
)

# Pages about one person are never cached; URLs that contain a token are never sent as a referrer.
PRIVATE_PATHS = (
    "/shop/cart",
    "/shop/deliver-to",
    "/shop/checkout",
    "/shop/orders",
    "/shop/account",
    "/shop/artisan/",
    "/demo/",
)
SIGNED_LINK_PATHS = r"/shop/(orders/(?!find/$)|artisan/invitations/)"
COMPRESSED_PATHS = r"/(?:$|shop/products/|shop/artisans/|docs\b)"

# ---- database, cache, queue, email ----------------------------------------------------------------------------
DATABASES = {"default": database("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'db.sqlite3'}")}
DATABASE = DATABASES["default"]
if DATABASE["ENGINE"].endswith("sqlite3"):
    DATABASE["ENGINE"] = "artisans.core.sqlite3"
    DATABASE["CONN_MAX_AGE"] = 60  # opening one costs a fifth of the CPU time of an order
    DATABASE["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # recursive_triggers: otherwise INSERT OR REPLACE bypasses the triggers of append-only tables
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA recursive_triggers=ON;",
    }
    # a file, because threads cannot share an in-memory database
    DATABASE["TEST"] = {"NAME": str(VAR_DIR / "test.sqlite3")}
else:
    DATABASE["ENGINE"] = "artisans.core.postgresql"
    DATABASE["CONN_HEALTH_CHECKS"] = True
    DATABASE["OPTIONS"] = {
        "connect_timeout": 5,
        # a server that vanished without a word is noticed after a minute, while a statement waits after half of one
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
        **DATABASE.get("OPTIONS", {}),
    }
    # In seconds; set for each session by artisans.core.postgresql, not behind a pooler. Workers: artisans/celery.py.
    DATABASE["TIMEOUTS"] = {
        "statement_timeout": number("DATABASE_STATEMENT_TIMEOUT", default=30),
        "lock_timeout": 15,
        "idle_in_transaction_session_timeout": 60,
    }
    if pool := number("DATABASE_POOL", default=0):
        DATABASE["OPTIONS"]["pool"] = {"min_size": 1, "max_size": pool, "timeout": 5}
    else:
        DATABASE["CONN_MAX_AGE"] = 60
    if flag("DATABASE_PREPARE", default=True):
        DATABASE["OPTIONS"] |= {"server_side_binding": True, "prepare_threshold": 5}
        DATABASE["IS_PREPARE_FORCED"] = env.str("DATABASE_PREPARE", default="") != ""
# Release 0.1.0 replaced all migrations. A database that has one of these is older and cannot be upgraded.
REPLACED_MIGRATIONS = {
    ("accounts", "0002_token_scopes"),
    ("catalog", "0002_restock_by_refund"),
    ("orders", "0002_refunded_quantity"),
    ("payments", "0002_providers"),
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    "default": url("CACHE_URL", env.cache_url, default="locmemcache://", example="rediscache://host:6379/1")
}
if CACHES["default"]["BACKEND"].endswith("RedisCache"):
    CACHES["default"] |= {
        "BACKEND": "artisans.core.cache.FailSafeRedisCache",
        "OPTIONS": {
            "socket_timeout": 0.5,
            "socket_connect_timeout": 0.5,
            "socket_keepalive": True,
            "retry": None,
        },
    }

EMAIL_CONFIG = url(
    "EMAIL_URL",
    env.email_url,
    default=f"filemail:///{VAR_DIR / 'mail'}",
    example="smtp+tls://user:password@host:587",
)
vars().update(EMAIL_CONFIG)
EMAIL_TIMEOUT = 10

CELERY_BROKER_URL = url("CELERY_BROKER_URL", env.str, default="filesystem://", example="redis://host:6379/0")
if CELERY_BROKER_URL.startswith("filesystem://"):
    BROKER_DIR = Path(CELERY_BROKER_URL.removeprefix("filesystem://") or VAR_DIR / "broker")
    CELERY_BROKER_URL = "filesystem://"
    for folder in ("messages", "control"):
        (BROKER_DIR / folder).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(BROKER_DIR / "messages"),
        "data_folder_out": str(BROKER_DIR / "messages"),
        "control_folder": str(BROKER_DIR / "control"),
        "store_processed": False,
    }
else:
    # An unavailable broker must not delay buyers: publishing gives up after two seconds. Without `max_retries`, a
    # thread without a connection would retry for six.
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 3600,
        "socket_keepalive": True,
        "health_check_interval": 30,
        "socket_timeout": 2,
        "socket_connect_timeout": 2,
        "max_retries": 0,
    }
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CONCURRENCY = number("WORKER_CONCURRENCY", default=0) or None
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_DB_REUSE_MAX = (
    10**9
)  # otherwise Celery opens a connection per task, which takes longer than most tasks
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "artisans.core.beat:LeaderScheduler"
BEAT_LEASE_SECONDS = number(
    "BEAT_LEASE_SECONDS", default=20, least=1
)  # after which another host replaces a lost beat
TASK_LOCKS_DIR = BASE_DIR / env.str("TASK_LOCKS_DIR", default="var/locks")

# A slow provider must delay nothing else: mails and deadlines have queues of their own, and in the Procfile a worker
# that takes nothing else (and that, in a container, has no uploads). A worker without --queues takes all of them.
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_QUEUES = [
    Queue(name, routing_key=name) for name in ("default", "mail", "webhooks", "providers", "files")
]
CELERY_TASK_ROUTES = {
    "catalog.*": {"queue": "files"},
    "exports.*": {"queue": "files"},
    "notifications.*": {"queue": "mail"},
    "payments.expire_orders": {"queue": "default"},
    "payments.send_reminders": {"queue": "default"},
    "payments.*_ledger": {"queue": "default"},
    "payments.process_webhook": {"queue": "webhooks"},
    "payments.process_due_webhooks": {"queue": "webhooks"},
    "payments.*": {"queue": "providers"},
    "tax_ids.*": {"queue": "providers"},
}
# For workers with processes; requests have timeouts of their own (EMAIL_TIMEOUT, the providers' read timeouts).
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_TASK_TIME_LIMIT = 300


def periodic(task: str, *, seconds: int) -> dict[str, object]:
    """A schedule entry. A run that no worker has started by the time of the next one is dropped, but not before
    busy workers had time to come to it."""
    return {"task": task, "schedule": timedelta(seconds=seconds), "options": {"expires": max(seconds, 15)}}


MAIL_POLL_SECONDS = number("MAIL_POLL_SECONDS", default=20, least=1)
PAYMENT_POLL_SECONDS = number("PAYMENT_POLL_SECONDS", default=15, least=1)
CELERY_BEAT_SCHEDULE = {
    "show that beat and worker are active": periodic("core.heartbeat", seconds=60),
    "check the system": periodic("core.check_system", seconds=5 * 60),
    "send due emails": periodic("notifications.send_due", seconds=MAIL_POLL_SECONDS),
    "expire overdue orders": periodic("payments.expire_orders", seconds=60),
    "expire overdue orders with a payment at a provider": periodic(
        "payments.expire_orders_at_providers", seconds=60
    ),
    "repeat provider calls": periodic("payments.execute_due_calls", seconds=PAYMENT_POLL_SECONDS),
    "poll the providers for missed webhooks": periodic(
        "payments.check_due_payments", seconds=PAYMENT_POLL_SECONDS
    ),
    "check setups of saved methods": periodic("payments.check_due_setups", seconds=PAYMENT_POLL_SECONDS),
    "check VAT IDs": periodic("tax_ids.check_due", seconds=20),
    "process due webhooks": periodic("payments.process_due_webhooks", seconds=PAYMENT_POLL_SECONDS),
    "remind buyers of open payments": periodic("payments.send_reminders", seconds=60),
    "check provider alerts": periodic("payments.check_alerts", seconds=15 * 60),
    "reconcile with the providers": {
        "task": "payments.reconcile",
        "schedule": crontab(hour=3, minute=30),
        "options": {"expires": 3600},
    },
    "book what an earlier release received": periodic("payments.fill_ledger", seconds=30 * 60),
    "release earnings": periodic("earnings.release", seconds=3600),
    "hold back what is disputed": periodic("earnings.follow_disputes", seconds=5 * 60),
    "check the ledger": {
        "task": "payments.check_ledger",
        "schedule": crontab(hour=4, minute=15),
        "options": {"expires": 3600},
    },
    "check what is always true": {
        "task": "core.check_invariants",
        "schedule": crontab(hour=5, minute=0),
        "options": {"expires": 3600},
    },
    "bring search documents up to date": {
        "task": "catalog.search_index_refresh",
        "schedule": crontab(hour=2, minute=40),
        "options": {"expires": 3600},
    },
    "prepare uploaded pictures": periodic("catalog.prepare_due_pictures", seconds=60),
    "let variants and pictures follow products": periodic("catalog.follow_products", seconds=10 * 60),
    "delete files of pictures that no row names": {
        "task": "catalog.sweep_picture_files",
        "schedule": crontab(hour=3, minute=50),
        "options": {"expires": 3600},
    },
    "complete the journeys of orders": {
        "task": "carts.complete_journeys",
        "schedule": crontab(hour=2, minute=20),
        "options": {"expires": 3600},
    },
    "count figures again": periodic("figures.drain", seconds=5),
    "check the figures": {
        "task": "figures.check",
        "schedule": crontab(hour=5, minute=20),
        "options": {"expires": 3600},
    },
    "tell artisans of low stock": periodic("workshop.tell_low_stock", seconds=5 * 60),
    "close workshops": periodic("workshop.close_workshops", seconds=10 * 60),
    "continue imports of stock": periodic("catalog.continue_stock_imports", seconds=60),
    "continue erasures of personal data": periodic("privacy.continue_erasures", seconds=120),
    "expire approval requests": periodic("approvals.expire", seconds=3600),
    "make exports that wait": periodic("exports.make_due", seconds=60),
    "purge rows that are due": {
        "task": "core.purge",
        "schedule": crontab(hour=4, minute=40),
        "options": {"expires": 3600},
    },
}
BACKUP_DIR = str(BASE_DIR / name) if (name := env.str("BACKUP_DIR", default="")) else ""
BACKUP_KEEP = number("BACKUP_KEEP", default=14, least=1)
BACKUP_MAX_HOURS = number("BACKUP_MAX_HOURS", default=26, least=1)
# The server itself, if DATABASE_URL leads to a pooler.
BACKUP_DATABASE = database("BACKUP_DATABASE_URL") if env.str("BACKUP_DATABASE_URL", default="") else None
# Days; each rule has a minimum (artisans/core/retention.py). Orders and payments are never purged.
RETENTION_DAYS = {
    "email_content": number("KEEP_EMAIL_CONTENT_DAYS", default=90),
    "emails": number("KEEP_EMAIL_DAYS", default=400),
    "webhook_content": number("KEEP_WEBHOOK_CONTENT_DAYS", default=90),
    "webhooks": number("KEEP_WEBHOOK_DAYS", default=400),
    "webhook_refusals": number("KEEP_WEBHOOK_DAYS", default=400),
    "provider_requests": number("KEEP_PROVIDER_REQUEST_DAYS", default=90),
    "request_times": number("KEEP_REQUEST_TIMES_DAYS", default=35),
    "card_fingerprints": number("KEEP_CARD_FINGERPRINT_DAYS", default=180),
    "guest_carts": number("KEEP_GUEST_CART_DAYS", default=30),
    "account_carts": number("KEEP_ACCOUNT_CART_DAYS", default=180),
    "ordered_cart_items": number("KEEP_ORDERED_CART_ITEM_DAYS", default=90),
    "journeys": number("KEEP_JOURNEY_DAYS", default=400),
    "journey_problems": number("KEEP_JOURNEY_DAYS", default=400),
    "reconciliations": number("KEEP_RECONCILIATION_DAYS", default=400),
    "resolved_flags": number("KEEP_RESOLVED_FLAG_DAYS", default=400),
    "resolved_alerts": number("KEEP_RESOLVED_ALERT_DAYS", default=400),
    "applications": number("KEEP_APPLICATION_DAYS", default=180),
    "stock_imports": number("KEEP_STOCK_IMPORT_DAYS", default=90),
    "exports": number("KEEP_EXPORT_DAYS", default=30),
    "tax_ids": number("KEEP_TAX_ID_DAYS", default=90),
    "tax_id_notices": number("KEEP_TAX_ID_DAYS", default=90),
}

# Read by setup_shop, like Django's createsuperuser does.
SUPERUSER_PASSWORD: str = env.str("DJANGO_SUPERUSER_PASSWORD", default="")

# ---- people --------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [{"NAME": "artisans.accounts.passwords.StrongPassword"}]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = reverse_lazy("payments:order_history")
ACCOUNT_ADAPTER = "artisans.accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {
    "login": "artisans.accounts.forms.LoginForm",
    "signup": "artisans.accounts.forms.SignupForm",
    "add_email": "artisans.accounts.forms.AddEmailForm",
    "change_password": "artisans.accounts.forms.ChangePasswordForm",
    "reset_password": "artisans.accounts.forms.ResetPasswordForm",
    "reset_password_from_key": "artisans.accounts.forms.ResetPasswordKeyForm",
}
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "artisans.accounts.reset_links.ResetTokens"  # noqa: S105  # a class's name
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if HTTPS else "http"
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 15 * 60
STAFF_IDLE_SECONDS = 30 * 60
STAFF_NEED_SECOND_FACTOR = not DEMO
MFA_ADAPTER = "artisans.accounts.second_factor.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_TOLERANCE = 1  # accept the previous and next code; each code works once
# Otherwise users with a second factor could not change their address; see accounts/urls.py.
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_FORMS = {
    "activate_totp": "artisans.accounts.forms.ActivateTotpForm",
    "authenticate": "artisans.accounts.forms.SecondFactorForm",
    "reauthenticate": "artisans.accounts.forms.ConfirmBySecondFactorForm",
}

MIGRATION_MODULES = {"knox": None}  # its own token table would be unused
KNOX_TOKEN_MODEL = "accounts.AuthToken"  # noqa: S105  # a model's name
REST_KNOX = {
    "AUTH_HEADER_PREFIX": "Bearer",
    "TOKEN_PREFIX": "aa_",
    "TOKEN_TTL": timedelta(days=30),
    "TOKEN_LIMIT_PER_USER": 20,
}

# ---- API -------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["artisans.accounts.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["artisans.core.api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_FILTER_BACKENDS": ["artisans.core.api.filters.QueryFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "artisans.core.api.pagination.CreatedCursorPagination",
    "DEFAULT_SCHEMA_CLASS": "artisans.core.api.openapi.ShopSchema",
    "DEFAULT_METADATA_CLASS": "artisans.core.api.metadata.AllowedMethodsMetadata",
    "EXCEPTION_HANDLER": "artisans.core.api.problems.exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "NUM_PROXIES": TRUSTED_PROXIES,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Artisans Alley",
    "VERSION": "0.1.0",
    "DESCRIPTION": (
        "The API of a marketplace for handmade goods: one cart and one payment for products of several artisans.\n\n"
        "Requests and responses are JSON. Paths work with and without a trailing slash. Amounts are decimal strings "
        "with as many decimals as their currency has; times are RFC 3339 in UTC. New values may be added to "
        "enumerations, so clients must accept values that they do not know. Errors are problem details as defined by "
        "RFC 9457; their `type` links to the documentation of their code. Objects of other users return 404, like "
        "objects that do not exist."
    ),
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "",
    "COMPONENT_SPLIT_PATCH": False,
    "PREPROCESSING_HOOKS": ["artisans.core.api.openapi.spell_paths"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "artisans.core.api.openapi.add_shared_parts",
        "payments.webhooks.schema.describe_webhook",
    ],
    "ENUM_NAME_OVERRIDES": {
        "Role": "artisans.accounts.models.Role",
        "Scope": "artisans.accounts.models.Scope",
        "ApplicationStatus": "artisans.catalog.statuses.ApplicationStatus",
        "CartStatus": "carts.models.CartStatus",
        "TaxIdStatus": "artisans.tax_ids.models.TaxIdStatus",
        "OrderStatus": "orders.statuses.OrderStatus",
        "OrderPaymentStatus": "orders.statuses.OrderPaymentStatus",
        "ApprovalStatus": "artisans.approvals.statuses.ApprovalStatus",
        "ParcelStatus": "orders.statuses.ParcelStatus",
        "PaymentStatus": "payments.statuses.PaymentStatus",
        "RefundStatus": "payments.statuses.RefundStatus",
        "PaymentMethod": "payments.methods.PaymentMethod",
        "PaymentProvider": "payments.api.schemas.PROVIDER_CHOICES",
        "RemoteProvider": "payments.api.serializers.REMOTE_PROVIDERS",
        "RemoteMethod": "payments.api.serializers.REMOTE_METHODS",
        "FactKind": "payments.api.schemas.FACT_KINDS",
        "LedgerAccountKind": "artisans.ledger.accounts.AccountKind",
        "OrderOrigin": "orders.statuses.OrderOrigin",
        "PriceOrigin": "artisans.catalog.models.PriceOrigin",
        "ShippingMethodKind": "artisans.shipping.models.MethodKind",
        "CartProblemCode": "carts.schemas.PROBLEM_CODES",
        "CartProblemFix": "carts.schemas.PROBLEM_FIXES",
    },
    "TAGS": [
        {"name": "auth", "description": "Accounts and bearer tokens."},
        {"name": "products", "description": "Products for sale."},
        {"name": "artisans", "description": "The artisans who make the products."},
        {"name": "currencies", "description": "What the shop sells in."},
        {"name": "carts", "description": "Fill a cart, see its total, and check out."},
        {"name": "orders", "description": "Orders with their parcels, totals and statuses."},
        {"name": "payments", "description": "Payments of orders, saved payment methods and refunds."},
        {"name": "parcels", "description": "Parcels to ship, for artisans."},
        {"name": "artisan", "description": "An artisan’s own workshop."},
        {"name": "earnings", "description": "What artisans have and earn."},
        {
            "name": "ledger",
            "description": "The shop’s books, for staff: balances, entries and the trial balance.",
        },
    ],
}

# ---- files -----------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_URL = "/media/"
MEDIA_ROOT = str(BASE_DIR / env.str("MEDIA_ROOT", default="var/media"))
SERVE_MEDIA = flag("SERVE_MEDIA", default=DEMO or DEBUG)
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
MEDIA_S3_BUCKET = env.str("MEDIA_S3_BUCKET", default="")
if MEDIA_S3_BUCKET:
    STORAGES["default"], MEDIA_URL = s3_storage(MEDIA_S3_BUCKET)
    SERVE_MEDIA = False

# ---- language and time -----------------------------------------------------------------------------------------
LANGUAGE_CODE = "en-us"
LANGUAGES = [("en", "English")]  # the source of all texts; `make messages` collects them for translators
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = time_zone("TIME_ZONE", default="UTC")
USE_TZ = True
FORMAT_MODULE_PATH = ["artisans.formats"]

# ---- security ----------------------------------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:", *([origin_of(MEDIA_URL)] if MEDIA_S3_BUCKET else [])],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "strict-origin-when-cross-origin"
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if flag("TRUST_PROXY_HTTPS") else None
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics$"]
PROBE_PATHS = ("/health/", "/metrics")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_NAME = "__Host-session" if HTTPS else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if HTTPS else "csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "artisans.core.web.error_pages.csrf_failure"
CSRF_TRUSTED_ORIGINS = words("CSRF_TRUSTED_ORIGINS")
CART_COOKIE = "__Host-cart" if HTTPS else "cart"
CURRENCY_COOKIE = "alley_currency"
COUNTRY_COOKIE = "alley_country"
SITE_HOST = urlsplit(SITE_URL).hostname or ""

# ---- metrics: off unless one of them is set --------------------------------------------------------------------
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
METRICS_ADDRESSES = networks("METRICS_ADDRESSES")
PROMETHEUS_MULTIPROC_DIR = env.str("PROMETHEUS_MULTIPROC_DIR", default="")  # read by prometheus_client too

# ---- logs ------------------------------------------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "artisans.core.logs.JsonFormatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["console"], "level": log_level("LOG_LEVEL", default="INFO")},
    "loggers": {
        "django": {"handlers": ["console"], "level": "INFO", "propagate": False},
        "django.request": {"level": "ERROR"},  # "artisans.requests" has a line for every other response
        "artisans.requests": {"level": "WARNING" if DEMO else "NOTSET"},
        "artisans.tasks": {"level": "WARNING" if DEMO else "NOTSET"},
        "artisans.security": {"level": "WARNING" if DEMO else "NOTSET"},
        "celery.beat": {"level": "WARNING"},
        "stripe": {"level": "WARNING"},
        "opentelemetry": {"level": "ERROR"},  # it warns of every span that it drops
        "kombu.connection": {"level": "ERROR"},  # it warns that the file broker has no host name
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
    },
}

# ---- back office (django-unfold) ------------------------------------------------------------------------------------
UNFOLD = {
    "SITE_TITLE": _("Artisans Alley staff"),
    "SITE_HEADER": "Artisans Alley",
    "SITE_SUBHEADER": _("Back office"),
    "SITE_SYMBOL": "storefront",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "artisans.site.admin_site.favicon"}],
    "ENVIRONMENT": "artisans.site.admin_site.environment",
    "DASHBOARD_CALLBACK": "artisans.site.admin_site.dashboard",
    "STYLES": ["artisans.site.admin_site.stylesheet"],
    "SIDEBAR": {"navigation": "artisans.site.admin_site.navigation"},
    "COLORS": {
        "primary": {
            "50": "#eef7f3",
            "100": "#d6ebe2",
            "200": "#aed7c7",
            "300": "#7fbda6",
            "400": "#4e9c82",
            "500": "#2f7f67",
            "600": "#1c6452",
            "700": "#14493b",
            "800": "#0f3d32",
            "900": "#0b2d24",
            "950": "#061a15",
        }
    },
}
