"""Configuration comes only from the environment, and an invalid value stops the start."""

import ast
import os
import re
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from artisans import settings as configured
from payments.providers.registry import PROVIDERS

ROOT = settings.BASE_DIR


@pytest.mark.parametrize("word", ["false", "False", "FALSE", "0", "no", "off", "", " "])
def test_values_for_no_switch_off(monkeypatch, word):
    monkeypatch.setenv("MANUAL_PAYMENT_AUTO_APPROVE", word)

    assert configured.flag("MANUAL_PAYMENT_AUTO_APPROVE") is False


@pytest.mark.parametrize("word", ["true", "True", "1", "yes", "on"])
def test_values_for_yes_switch_on(monkeypatch, word):
    monkeypatch.setenv("MANUAL_PAYMENT_AUTO_APPROVE", word)

    assert configured.flag("MANUAL_PAYMENT_AUTO_APPROVE") is True


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
    environment = {"SECRET_KEY": "from the environment", "SECRET_KEY_FILE": str(tmp_path / "key")}

    assert configured.SecretFiles(environment)["SECRET_KEY"] == "from a file"


def names_read() -> set[str]:
    """Every variable that settings.py reads (the first argument of env.….(), env.…() and flag()), or a provider."""
    tree = ast.parse((ROOT / "artisans/settings.py").read_text())
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
            continue
        function = ast.unparse(node.func)
        if re.fullmatch(r"flag|env\.\w+", function):
            found.add(node.args[0].value)
    return found | {name for facts in PROVIDERS for name in facts.config.variables().values()}


def test_env_example_lists_exactly_the_variables_that_are_read():
    result = set(re.findall(r"^#?\s?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))

    assert result == names_read()


def test_no_other_module_reads_the_environment():
    """Configuration is read in one file."""
    for package in ("artisans", "orders", "payments", "carts"):
        for path in (ROOT / package).rglob("*.py"):
            if "tests" not in path.parts and path.name not in {"settings.py", "settings_test.py"}:
                assert not re.search(r"os\.(environ\[|environ\.get|getenv)", path.read_text()), path


def start(**env: str) -> subprocess.CompletedProcess[str]:
    clean = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "artisans.settings",
        "CELERY_BROKER_URL": "memory://",
    }
    script = "import django; django.setup()"
    return subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=clean | env, capture_output=True, text=True, check=False
    )


def test_typing_error_in_the_environment_stops_the_process():
    done = start(SECRET_KEY="x" * 50, MANUAL_PAYMENT_AUTO_APPROVE="flase")

    assert done.returncode != 0
    assert "'flase' is neither true nor false" in done.stderr


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
