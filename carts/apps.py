from django.apps import AppConfig


class CartsConfig(AppConfig):
    name = "carts"

    def ready(self) -> None:
        from artisans.core.retention import register_rules
        from carts import receivers  # noqa: F401  # joins the guest's cart at sign-in
        from carts.retention import CART_RULES

        register_rules(*CART_RULES)
