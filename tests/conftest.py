"""The provider's other side, as the tests of payments have it."""

from payments.tests.conftest import sandbox_server, stripe

__all__ = ["sandbox_server", "stripe"]
