"""Simulated PayPal in a separate process: options, certificate authority, state across restarts."""

import json
import subprocess
import sys
import urllib.error

import pytest

from sandbox.tests.client import Control, wait_until
from sandbox.tests.paypal_client import PayPal, PayPalReceiver, Refused, paid_capture
from sandbox.tests.test_simulator import ROOT, process


def test_a_restart_keeps_orders_request_ids_and_the_authority(tmp_path):
    state = ("--state", str(tmp_path))
    with process(*state) as url:
        ca = Control(url).get("paypal/ca")["pem"]
        order = PayPal(url).post("/v2/checkout/orders", {
            "intent": "CAPTURE", "purchase_units": [{"amount": {"currency_code": "USD", "value": "1.00"}}],
        }, key="k")  # fmt: skip
        Control(url).post("paypal/approve", order=order["id"])
        capture = paid_capture(PayPal(url).capture(order["id"], key="c"))
    assert (tmp_path / "paypal/ca.pem").read_text() == ca
    assert (tmp_path / "paypal/ca.key").stat().st_mode & 0o077 == 0
    with PayPalReceiver(ca) as shop:
        hooks = ("--paypal-webhook-url", shop.url, "--paypal-webhook-id", shop.webhook_id)
        with process(*state, *hooks) as url:
            control, api = Control(url), PayPal(url)
            assert paid_capture(api.capture(order["id"], key="c"))["id"] == capture["id"]
            control.post("paypal/refund", order=order["id"])
            wait_until(lambda: shop.types() == ["PAYMENT.CAPTURE.REFUNDED"])
            assert shop.problems == []
            assert control.get("paypal/ca")["pem"] == ca
            assert control.get("journal/totals", provider="paypal") == {
                "captured": {"usd": 100}, "refunded": {"usd": 100}, "disputed": {},
            }  # fmt: skip
            assert control.get("journal/totals", provider="stripe")["captured"] == {}


def test_addresses_and_ids_of_webhooks_come_in_pairs():
    argv = [sys.executable, "-m", "sandbox", "--paypal-webhook-url", "http://127.0.0.1:1/"]

    done = subprocess.run(argv, check=False, cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert (done.returncode, "--paypal-webhook-id" in done.stderr) == (2, True)


def test_the_console_supports_paypal(paypal, sandbox, paypal_shop, approved):
    order = approved()
    capture = paid_capture(paypal.capture(order))["id"]

    status, address, _ = sandbox.form("/_sandbox/", action="refund", id=order)
    _, _, page = sandbox.form("/_sandbox/")

    assert (status, address) == (303, "/_sandbox/")
    assert order in page
    assert capture in page
    assert "paypal captured 9999 usd, refunded 9999 usd" in page
    assert sandbox.form("/_sandbox/", action="refund", id=order)[0] == 409


def status_of(sandbox, path, params):
    """Return the status code of a rejected control API call."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        sandbox.post(path, **params)
    with refused.value as answer:
        assert "error" in json.load(answer)
        return answer.code


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("paypal/dance", {}, 404),
        ("paypal/approve", {"order": "X"}, 404),
        ("paypal/settings", {"colour": 1}, 404),
        ("paypal/force_error", {"call": "capture", "issue": "BAD_MOOD"}, 404),
        ("paypal/event", {"type": "X", "id": "X"}, 404),
    ],
)
def test_unknown_names_are_404(sandbox, path, params, status):
    assert status_of(sandbox, path, params) == status


def test_impossible_actions_are_400(paypal, sandbox, approved):
    order = approved()
    for path, params in (
        ("paypal/approve", {"order": order}),
        ("paypal/cancel", {"order": order}),
        ("paypal/refund", {"order": order}),
        ("paypal/settings", {"signing": "nicely"}),
    ):
        assert (path, status_of(sandbox, path, params)) == (path, 400)
    capture = paid_capture(paypal.capture(order))["id"]
    assert status_of(sandbox, "paypal/settle_capture", {"capture": capture, "status": "REFUNDED"}) == 400


def test_a_pending_capture_can_be_settled(paypal, sandbox, approved):
    capture = paid_capture(paypal.capture(approved("review")))["id"]

    sandbox.post("paypal/settle_capture", capture=capture, status="DECLINED")
    sandbox.run_jobs()

    assert paypal.get(f"/v2/payments/captures/{capture}")["status"] == "DECLINED"
    assert len(sandbox.journal("capture.denied")) == 1


def test_reset_deletes_paypals_objects_but_not_its_webhooks(paypal, sandbox, paypal_shop, approved):
    order = approved()

    sandbox.post("reset")
    paypal.token = ""

    sandbox.post("settings", async_seconds=3600)
    with pytest.raises(Refused, match="404"):
        paypal.get(f"/v2/checkout/orders/{order}")
    paypal_shop.events.clear()
    approved()
    wait_until(lambda: paypal_shop.types() == ["CHECKOUT.ORDER.APPROVED"])
