"""The provider's other side, as the tests of payments have it."""

from payments.tests.conftest import card_shop, deliver, module_stripe, paypal, sandbox_server, stripe

__all__ = ["card_shop", "deliver", "module_stripe", "paypal", "sandbox_server", "stripe"]
