"""Configuration comes only from the environment, and an invalid value stops the start."""

import ast
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from artisans import environment
from artisans import settings as configured
from payments.providers.registry import PROVIDERS
from tests.sources import sources

ROOT = settings.BASE_DIR
BIN = Path(sys.executable).parent
SETTINGS = compile((ROOT / "artisans/settings.py").read_text(), "artisans/settings.py", "exec")
READERS = {name for name, value in vars(environment).items() if inspect.isfunction(value)}


@pytest.mark.parametrize("word", ["false", "False", "FALSE", "0", "no", "off", "", " "])
def test_values_for_no_switch_off(monkeypatch, word):
    monkeypatch.setenv("MANUAL_PAYMENT_AUTO_APPROVE", word)

    assert configured.flag("MANUAL_PAYMENT_AUTO_APPROVE") is False


@pytest.mark.parametrize("word", ["true", "True", "1", "yes", "on"])
def test_values_for_yes_switch_on(monkeypatch, word):
    monkeypatch.setenv("MANUAL_PAYMENT_AUTO_APPROVE", word)

    assert configured.flag("MANUAL_PAYMENT_AUTO_APPROVE") is True


WRONG = {
    "TRUSTED_PROXIES": ["five", "-1", "'1'", "1.5", "٣"],
    "RATE_LIMIT_FACTOR": ["0"],
    "SITE_URL": [
        "shop.example",
        "https://",
        "ftp://shop.example",
        "https://shöp.example",
        "https://a:b",
        "https://[::1",
    ],
    "DATABASE_URL": [
        "nonsense",
        "mysql://host/name",
        "postgres://user:p/w@host/name",
        "postgres://host:port/name",
    ],
    "BACKUP_DATABASE_URL": ["nonsense"],
    "CACHE_URL": ["nonsense", "rediscache://host:port/1"],
    "CELERY_BROKER_URL": ["nonsense", "redis://host:port/0"],
    "EMAIL_URL": ["nonsense", "smtp+tls://user:p#w@host:587"],
    "METRICS_ADDRESSES": ["10.0.0.0/8, here"],
    "TIME_ZONE": ["Nowhere/City", "../etc/passwd", "/etc/passwd"],
    "LOG_LEVEL": ["verbose"],
    "SECRET_KEY_FILE": ["/nowhere", "/"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in WRONG for value in WRONG[name]])
def test_wrong_value_is_named_in_one_sentence(monkeypatch, name, value):
    """With its variable, and without what may be a password."""
    monkeypatch.setattr(
        configured.env, "ENVIRON", environment.SecretFiles({"SECRET_KEY": "x" * 50, name: value})
    )

    with pytest.raises(ImproperlyConfigured, match=rf"^{name}[ =:].*\.$") as error:
        exec(SETTINGS, {"__file__": configured.__file__, "__name__": "settings"})  # noqa: S102  # our own settings

    assert "p/w" not in str(error.value)
    assert "p#w" not in str(error.value)


def test_empty_variables_are_unset_and_spaces_do_not_count(monkeypatch):
    names = names_read() - {"SECRET_KEY"}
    values = dict.fromkeys(names, " ") | {"SECRET_KEY": " key ", "SITE_URL": " https://shop.example/ "}
    monkeypatch.setattr(configured.env, "ENVIRON", environment.SecretFiles(values))
    found: dict[str, object] = {"__file__": configured.__file__, "__name__": "settings"}

    exec(SETTINGS, found)  # noqa: S102  # our own settings

    assert (found["SECRET_KEY"], found["SITE_URL"], found["HTTPS"]) == ("key", "https://shop.example", True)
    assert (found["TRUSTED_PROXIES"], found["TIME_ZONE"]) == (0, "UTC")


@pytest.mark.parametrize("word", ["flase", "ture", "2", "y", "enabled", "-1", "none"])
def test_other_values_stop_the_start(monkeypatch, word):
    monkeypatch.setenv("MANUAL_PAYMENT_AUTO_APPROVE", word)

    with pytest.raises(ImproperlyConfigured, match=f"MANUAL_PAYMENT_AUTO_APPROVE='{word}'"):
        configured.flag("MANUAL_PAYMENT_AUTO_APPROVE")


def test_unset_switch_has_its_default(monkeypatch):
    monkeypatch.delenv("MANUAL_PAYMENT_AUTO_APPROVE", raising=False)

    assert configured.flag("MANUAL_PAYMENT_AUTO_APPROVE") is False
    assert configured.flag("MANUAL_PAYMENT_AUTO_APPROVE", default=True) is True


def test_value_can_come_from_a_file(tmp_path):
    (tmp_path / "key").write_text("from a file\n")
    variables = {"SECRET_KEY": "from the environment", "SECRET_KEY_FILE": str(tmp_path / "key")}

    assert environment.SecretFiles(variables)["SECRET_KEY"] == "from a file"


def names_read() -> set[str]:
    """Every variable that settings.py reads (first argument of env.…() and of environment.py), or a provider."""
    tree = ast.parse((ROOT / "artisans/settings.py").read_text())
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
            continue
        function = ast.unparse(node.func)
        if function in READERS or re.fullmatch(r"env\.\w+", function):
            found.add(node.args[0].value)
    return found | {name for facts in PROVIDERS for name in facts.config.variables().values()}


def test_env_example_lists_exactly_the_variables_that_are_read():
    result = set(re.findall(r"^#?\s?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))

    assert result == names_read()


def test_no_other_module_reads_the_environment():
    """Configuration is read in one file."""
    for path in sources(without=["tests"]):
        if path.name not in {"settings.py", "settings_test.py", "environment.py"}:
            assert not re.search(r"os\.(environ\[|environ\.get|getenv)", path.read_text()), path


def start(*command: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {"PATH": os.environ["PATH"], "CELERY_BROKER_URL": "memory://"}
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=clean | env, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "command",
    [
        ["manage.py", "check"],
        [f"{BIN}/celery", "-A", "artisans", "beat"],
        [f"{BIN}/gunicorn", "artisans.wsgi", "--config", "deploy/gunicorn.conf.py"],
    ],
)
def test_typing_error_in_the_environment_stops_the_process(command):
    done = start(*command, SECRET_KEY="x" * 50, MANUAL_PAYMENT_AUTO_APPROVE="flase")

    assert done.returncode != 0
    assert done.stderr.splitlines()[-1] == "MANUAL_PAYMENT_AUTO_APPROVE='flase' is neither true nor false."
    assert "Traceback" not in done.stderr


def test_database_that_cannot_be_reached_is_one_sentence():
    done = start(
        "manage.py", "migrate", SECRET_KEY="x" * 50, DATABASE_URL="postgres://user:secret@127.0.0.1:1/name"
    )

    assert (done.returncode, "Traceback" in done.stderr, "secret" in done.stderr) == (1, False, False)
    assert "compare DATABASE_URL with it" in done.stderr


def test_https_base_url_makes_cookies_secure():
    script = "from django.conf import settings as s; print(s.SESSION_COOKIE_NAME, s.CART_COOKIE, s.SECURE_HSTS_SECONDS)"
    env = {
        "PATH": os.environ["PATH"],
        "SECRET_KEY": "x" * 50,
        "SITE_URL": "https://shop.test",
        "CELERY_BROKER_URL": "memory://",
    }
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=env | {"DJANGO_SETTINGS_MODULE": "artisans.settings"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split() == ["__Host-session", "__Host-cart", "31536000"]
