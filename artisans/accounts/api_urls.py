from django.urls import re_path

from artisans.accounts.api import (
    LogoutView,
    MeView,
    RegisterView,
    TokenDetailView,
    TokenListView,
    TokenView,
)
from artisans.core.api.fields import UUID_PATTERN

urlpatterns = [
    re_path(r"^register/?$", RegisterView.as_view(), name="api_register"),
    re_path(r"^token/?$", TokenView.as_view(), name="api_token"),
    re_path(r"^tokens/?$", TokenListView.as_view(), name="api_token_list"),
    re_path(rf"^tokens/(?P<pk>{UUID_PATTERN})/?$", TokenDetailView.as_view(), name="api_token_detail"),
    re_path(r"^logout/?$", LogoutView.as_view(), name="api_logout"),
    re_path(r"^me/?$", MeView.as_view(), name="api_me"),
]
