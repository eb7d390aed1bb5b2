"""Exports this provider's facts for `payments/providers/registry.py`."""

from payments.providers.manual.facts import FACTS

__all__ = ["FACTS"]
