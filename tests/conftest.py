"""The provider's other side, as the tests of payments have it."""

from payments.tests.conftest import paypal, sandbox_server, stripe

__all__ = ["paypal", "sandbox_server", "stripe"]
