from artisans.core.admin import system  # noqa: F401  # registers its page
