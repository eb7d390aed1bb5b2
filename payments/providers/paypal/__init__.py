"""The facts of this provider, for `payments/providers/registry.py`."""

from payments.providers.paypal.facts import FACTS

__all__ = ["FACTS"]
