from django.urls import path

from artisans.catalog import views

app_name = "catalog"
urlpatterns = [
    path("", views.product_list, name="product_list"),
    path("shop/products/<slug:slug>/", views.product_detail, name="product"),
    path("shop/artisans/", views.artisan_list, name="artisan_list"),
    path("shop/artisans/<slug:slug>/", views.artisan_detail, name="artisan"),
]
