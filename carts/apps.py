from django.apps import AppConfig


class CartsConfig(AppConfig):
    name = "carts"

    def ready(self) -> None:
        from carts import receivers  # noqa: F401  # joins the guest's cart at sign-in
