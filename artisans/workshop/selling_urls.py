from django.urls import path

from artisans.workshop import selling

app_name = "selling"
urlpatterns = [
    path("", selling.start, name="start"),
    path("terms/", selling.terms, name="terms"),
    path("application/", selling.application, name="application"),
    path("application/workshop/", selling.details, name="details"),
    path("application/submit/", selling.submit, name="submit"),
    path("application/withdraw/", selling.withdraw, name="withdraw"),
]
