from django.urls import path

from artisans.exports import views

app_name = "exports"
urlpatterns = [
    path("exports/<uuid:export_id>/", views.export_detail, name="export"),
    path("exports/<uuid:export_id>/file/", views.export_file, name="export_file"),
]
