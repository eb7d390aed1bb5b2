"""The simulated providers of the payment tests."""

from payments.tests.conftest import card_shop, deliver, module_stripe, paypal, sandbox_server, stripe

__all__ = ["card_shop", "deliver", "module_stripe", "paypal", "sandbox_server", "stripe"]
