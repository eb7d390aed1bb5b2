"""The simulator: its process, state, clock, control API and console."""

import json
import re
import subprocess
import sys
import urllib.error
import urllib.parse
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.__main__ import main
from sandbox.tests.client import BACK, Control, Receiver, client, wait_until
from tests.sources import sources

ROOT = Path(__file__).resolve().parent.parent.parent


@contextmanager
def process(*arguments):
    """A sandbox started from the command line; yields its URL."""
    argv = [sys.executable, "-m", "sandbox", "--port", "0", *arguments]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        try:
            yield re.search(r"http://127\.0\.0\.1:\d+", running.stdout.readline())[0]
        finally:
            running.terminate()
            assert running.wait(10) == 0


def test_a_restart_keeps_everything(tmp_path):
    with Receiver() as shop:
        hooks = ("--state", str(tmp_path), "--webhook-url", shop.url, "--webhook-secret", shop.secret)
        params = {"amount": 1000, "currency": "usd"}
        with process(*hooks) as url:
            Control(url).post("webhooks", mode="hold")
            intent = client(url).v1.payment_intents.create(params, {"idempotency_key": "k"})
        with process(*hooks) as url:
            api, control = client(url), Control(url)
            assert api.v1.payment_intents.create(params, {"idempotency_key": "k"}).id == intent.id
            api.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa", "return_url": BACK})
            control.post("webhooks/send")
            assert set(shop.types()) >= {"payment_intent.created", "payment_intent.succeeded"}
            assert [row["seq"] for row in control.get("journal")["rows"]] == [1, 2, 3]
            assert len(api.v1.webhook_endpoints.list().data) == 1
            assert control.get("journal/totals")["captured"] == {"usd": 1000}


def test_the_clock_can_be_changed(stripe_api, sandbox):
    sandbox.post("settings", async_seconds=500)
    params = {
        "amount": 1000,
        "currency": "usd",
        "payment_method": "pm_card_sandboxProcessing",
        "confirm": True,
    }
    intent = stripe_api.v1.payment_intents.create({**params, "return_url": BACK})

    moved = sandbox.post("clock", advance=600)["now"]

    wait_until(lambda: stripe_api.v1.payment_intents.retrieve(intent.id).status == "succeeded")
    assert stripe_api.v1.payment_intents.create({"amount": 1000, "currency": "usd"}).created >= int(moved)


def test_reset_deletes_everything_except_endpoints(stripe_api, sandbox, shop):
    stripe_api.v1.customers.create({})
    sandbox.fault("unavailable", count=None)

    sandbox.post("reset")

    assert stripe_api.v1.customers.list().data == []
    assert sandbox.get("journal")["rows"] == sandbox.get("faults")["rows"] == []
    assert len(stripe_api.v1.webhook_endpoints.list().data) == 1


def test_the_journal_is_filtered(stripe_api, sandbox):
    first, second = (
        stripe_api.v1.payment_intents.create({"amount": n, "currency": "usd"}).id for n in (100, 200)
    )

    assert [row["id"] for row in sandbox.get("journal", id=second)["rows"]] == [second]
    assert [row["id"] for row in sandbox.get("journal", since=1)["rows"]] == [second]
    assert [row["id"] for row in sandbox.get("journal", effect="intent.created", amount=100)["rows"]] == [
        first
    ]


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("settings", {"colour": 1}, 404),
        ("webhooks", {"colour": 1}, 404),
        ("stripe/refund", {"payment_intent": "pi_no"}, 404),
        ("stripe/dance", {}, 404),
        ("elsewhere", {}, 404),
        ("clock", {"offset": "soon"}, 400),
    ],
)
def test_invalid_control_calls_are_rejected(sandbox, path, params, status):
    with pytest.raises(urllib.error.HTTPError) as refused:
        sandbox.post(path, **params)

    assert refused.value.code == status
    assert "error" in json.load(refused.value)


def test_the_console(stripe_api, sandbox, shop):
    sandbox.post("webhooks", mode="hold")
    params = {
        "amount": 1000,
        "currency": "usd",
        "payment_method": "pm_card_visa",
        "confirm": True,
        "return_url": BACK,
    }
    intent = stripe_api.v1.payment_intents.create(params)

    def press(action, name=""):
        form = urllib.parse.urlencode({"action": action, "id": name})
        return sandbox.raw("POST", "/_sandbox/", form, Content_Type="application/x-www-form-urlencoded")

    press("send")
    press("refund", intent.id)
    status, _, page = sandbox.raw("GET", "/")

    assert len(shop.events) == 3
    assert (status, intent.id.encode() in page, b"no real money" in page) == (200, True, True)
    assert [row["actor"] for row in sandbox.journal("refund.created")] == ["dashboard"]
    assert press("refund", intent.id)[0] == 409
    foreign = sandbox.raw("POST", "/_sandbox/", "action=jobs", Origin="http://evil.example")
    assert foreign[0] == 403


def test_sandbox_and_shop_do_not_import_each_other():
    ours, shops = sources(["sandbox"]), sources()  # without tests: the shop's run against the sandbox
    shop_import = re.compile(r"^\s*(from|import) (artisans|orders|payments|carts|django)\b", re.M)
    assert [path.name for path in ours if shop_import.search(path.read_text())] == []
    assert [
        path.name for path in shops if re.search(r"^\s*(from|import) sandbox\b", path.read_text(), re.M)
    ] == []


def test_sandbox_does_not_start_beside_live_keys(monkeypatch, tmp_path):
    secret = tmp_path / "stripe_secret_key"
    secret.write_text("sk_live_x\n")
    live = {"STRIPE_SECRET_KEY": "rk_live_x", "PAYPAL_MODE": "live", "STRIPE_SECRET_KEY_FILE": str(secret)}
    for variable, value in live.items():
        with monkeypatch.context() as patch:
            patch.setattr("sys.argv", ["sandbox", "--port", "0"])
            patch.setenv(variable, value)
            with pytest.raises(SystemExit, match=variable.removesuffix("_FILE")):
                main()
    assert "sandbox" not in (ROOT / "Procfile").read_text()
