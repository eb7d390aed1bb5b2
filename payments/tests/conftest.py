"""The sandbox of the payment providers, and the adapters that talk to it over a real socket."""

import pytest

from payments.providers.stripe_link import StripeConfig
from payments.providers.stripe_provider import StripeProvider
from payments.tests.stripe_talk import SECRET
from sandbox.tests.client import Control
from sandbox.tests.conftest import sandbox, server

__all__ = ["sandbox", "server"]  # fixtures of the sandbox's own tests


@pytest.fixture
def stripe_config(sandbox: Control) -> StripeConfig:
    return StripeConfig("sk_test_sandbox", "pk_test_sandbox", (SECRET,), sandbox.url, read_timeout=2)


@pytest.fixture
def stripe(stripe_config: StripeConfig) -> StripeProvider:
    return StripeProvider(stripe_config)
