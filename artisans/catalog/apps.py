from django.apps import AppConfig


class CatalogConfig(AppConfig):
    name = "artisans.catalog"
    label = "catalog"
    verbose_name = "Catalogue"
