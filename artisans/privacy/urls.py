from django.urls import path

from artisans.privacy import views

urlpatterns = [
    path("", views.personal_data, name="account_data"),
    path("download/", views.download, name="account_data_download"),
    path("erase/", views.erase_account, name="account_erase"),
    path("erased/", views.erased, name="account_erased"),
]
