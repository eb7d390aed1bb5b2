from django.urls import path

from payments import views, views_card, views_methods, views_parcels

app_name = "payments"
urlpatterns = [
    path("orders/find/", views.order_find, name="order_find"),
    path("orders/<str:token>/", views.order_detail, name="order"),
    path("orders/<str:token>/mailbox/", views.mailbox, name="mailbox"),
    path("orders/<str:token>/pay/", views.order_pay, name="order_pay"),
    path("orders/<str:token>/card/", views_card.order_card, name="order_card"),
    path("orders/<str:token>/hosted/", views_card.order_hosted, name="order_hosted"),
    path("orders/<str:token>/return/", views_card.order_return, name="order_return"),
    path("orders/<str:token>/back/", views_card.order_cancelled_there, name="order_cancelled_there"),
    path("artisan/parcels/<uuid:parcel_id>/returned/", views_parcels.parcel_returned, name="parcel_returned"),
    path("account/orders/", views.order_history, name="order_history"),
    path("account/orders/<uuid:order_id>/cancel/", views.order_cancel_page, name="order_cancel"),
    path("account/cards/", views_methods.method_list, name="method_list"),
    path("account/cards/add/", views_methods.method_add, name="method_add"),
    path("account/cards/add/<uuid:call_id>/", views_methods.method_form, name="method_form"),
    path("account/cards/add/<uuid:call_id>/return/", views_methods.method_return, name="method_return"),
    path("account/cards/<uuid:method_id>/default/", views_methods.method_default, name="method_default"),
    path("account/cards/<uuid:method_id>/remove/", views_methods.method_delete, name="method_delete"),
]
