from django.urls import re_path

from artisans.site.docs import views

app_name = "docs"
urlpatterns = [
    re_path(r"^docs/?$", views.index, name="index"),
    re_path(r"^docs/reference/?$", views.reference, name="reference"),
    re_path(r"^docs/errors/?$", views.errors, name="errors"),
    re_path(r"^docs/statuses/?$", views.statuses, name="statuses"),
    re_path(r"^docs/guides/?$", views.guides, name="guides"),
    re_path(r"^docs/guides/(?P<name>[a-z-]+)/?$", views.guide, name="guide"),
    re_path(r"^schema/?$", views.schema, name="schema"),
    re_path(r"^schema\.yaml$", views.schema_yaml, name="schema_yaml"),
]
