"""The facts of this provider, for `payments/providers/registry.py`."""

from payments.providers.stripe.facts import FACTS

__all__ = ["FACTS"]
