from django.urls import path

from bench.baseline import api, lean

urlpatterns = [
    path("carts/", api.Carts.as_view()),
    path("carts/<uuid:cart_id>/items", api.CartItems.as_view()),
    path("carts/<uuid:cart_id>/checkout", api.Checkout.as_view()),
    path("carts/<uuid:cart_id>/checkout/summary", api.Summary.as_view()),
    path("orders/", api.Orders.as_view()),
    path("payments/", api.Payments.as_view()),
    path("payments/<uuid:pk>", api.OnePayment.as_view()),
    path("lean/carts/", api.Carts.as_view()),
    path("lean/carts/<uuid:cart_id>/items", lean.CartItems.as_view()),
    path("lean/carts/<uuid:cart_id>/checkout", lean.Checkout.as_view()),
]
