from django.urls import path

from carts import views

app_name = "carts"
urlpatterns = [
    path("cart/", views.cart_detail, name="cart"),
    path("cart/items/", views.item_add, name="item_add"),
    path("cart/items/<uuid:item_id>/", views.item_update, name="item_update"),
    path("deliver-to/", views.country_choose, name="country"),
    path("currency/", views.currency_choose, name="currency"),
    path("cart/accept/", views.accept, name="accept"),
    path("checkout/", views.checkout, name="checkout"),
    path("checkout/details/", views.checkout_details, name="checkout_details"),
    path("checkout/delivery/", views.checkout_delivery, name="checkout_delivery"),
    path("checkout/payment/", views.checkout_payment, name="checkout_payment"),
    path("checkout/check/", views.checkout_check, name="checkout_check"),
    path("checkout/problem/", views.browser_problem, name="browser_problem"),
]
