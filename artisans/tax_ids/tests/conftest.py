from payments.tests.conftest import sandbox_server  # noqa: F401  # a fixture
