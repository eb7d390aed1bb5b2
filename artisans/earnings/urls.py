from django.urls import path

from artisans.earnings import views

app_name = "earnings"
urlpatterns = [
    path("artisan/earnings/", views.earning_list, name="earning_list"),
    path("artisan/earnings/lines/", views.line_list, name="line_list"),
    path("artisan/earnings/lines.csv", views.line_download, name="line_download"),
]
