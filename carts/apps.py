from django.apps import AppConfig


class CartsConfig(AppConfig):
    name = "carts"

    def ready(self) -> None:
        from artisans.core.retention import register_rules
        from carts import invariants, personal_data, receivers, tasks  # noqa: F401  # each registers itself
        from carts.retention import CART_RULES

        register_rules(*CART_RULES)
