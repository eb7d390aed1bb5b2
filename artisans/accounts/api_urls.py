from django.urls import re_path

from artisans.accounts.api import LogoutView, MeView, RegisterView, TokenView

urlpatterns = [
    re_path(r"^register/?$", RegisterView.as_view(), name="api_register"),
    re_path(r"^token/?$", TokenView.as_view(), name="api_token"),
    re_path(r"^logout/?$", LogoutView.as_view(), name="api_logout"),
    re_path(r"^me/?$", MeView.as_view(), name="api_me"),
]
