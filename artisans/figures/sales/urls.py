from django.urls import path

from artisans.figures.sales import views

app_name = "sales"
urlpatterns = [path("artisan/sales/", views.sales, name="sales")]
