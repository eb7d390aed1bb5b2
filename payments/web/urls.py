from django.urls import path
from django.views.generic import RedirectView

from payments.web import orders, parcels, provider_pages, saved_methods

app_name = "payments"
urlpatterns = [
    path("orders/", RedirectView.as_view(pattern_name="payments:order_history")),
    path("orders/find/", orders.order_find, name="order_find"),
    path("orders/<str:token>/", orders.order_detail, name="order"),
    path("orders/<str:token>/mailbox/", orders.mailbox, name="mailbox"),
    path("orders/<str:token>/pay/", orders.order_pay, name="order_pay"),
    path("orders/<str:token>/pay/<slug:provider>/", provider_pages.order_provider, name="order_provider"),
    path("orders/<str:token>/card/", provider_pages.order_provider, name="order_card"),  # in old bookmarks
    path("orders/<str:token>/saved/", provider_pages.order_saved, name="order_saved"),
    path("orders/<str:token>/save/", provider_pages.order_save, name="order_save"),
    path("orders/<str:token>/hosted/", provider_pages.order_hosted, name="order_hosted"),
    path("orders/<str:token>/return/", provider_pages.order_return, name="order_return"),
    path(
        "orders/<str:token>/back/",
        provider_pages.order_cancelled_at_provider,
        name="order_cancelled_at_provider",
    ),
    path(
        "artisan/parcels/<uuid:parcel_id>/cannot-deliver/",
        parcels.parcel_undeliverable,
        name="parcel_undeliverable",
    ),
    path("artisan/parcels/<uuid:parcel_id>/returned/", parcels.parcel_returned, name="parcel_returned"),
    path("account/orders/", orders.order_history, name="order_history"),
    path("account/orders/<uuid:order_id>/cancel/", orders.order_cancel_page, name="order_cancel"),
    path("account/cards/", saved_methods.method_list, name="method_list"),
    path("account/cards/add/", saved_methods.method_add, name="method_add"),
    path("account/cards/add/<uuid:call_id>/", saved_methods.method_form, name="method_form"),
    path("account/cards/add/<uuid:call_id>/return/", saved_methods.method_return, name="method_return"),
    path("account/cards/<uuid:method_id>/default/", saved_methods.method_default, name="method_default"),
    path("account/cards/<uuid:method_id>/remove/", saved_methods.method_delete, name="method_delete"),
]
