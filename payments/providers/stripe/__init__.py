"""Exports this provider's facts for `payments/providers/registry.py`."""

from payments.providers.stripe.facts import FACTS

__all__ = ["FACTS"]
