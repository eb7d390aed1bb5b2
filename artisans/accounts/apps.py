from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "artisans.accounts"
    label = "accounts"
    verbose_name = "People"

    def ready(self) -> None:
        from allauth.account.signals import password_changed, password_reset

        from artisans.accounts import tasks  # noqa: F401  # registers the tasks by name
        from artisans.accounts.services import tokens_revoke

        def revoke(sender: object, user: object, **kwargs: object) -> None:
            tokens_revoke(user)  # type: ignore[arg-type]  # allauth's signals are untyped

        password_changed.connect(revoke, weak=False)
        password_reset.connect(revoke, weak=False)
