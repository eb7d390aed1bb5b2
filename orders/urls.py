from django.urls import path

from orders import views

app_name = "orders"
urlpatterns = [
    path("account/address/", views.address_page, name="address"),
    path("artisan/parcels/", views.parcel_list, name="parcel_list"),
    path("artisan/parcels/next/", views.next_parcel, name="next_parcel"),
    path("artisan/parcels/slips/", views.packing_slips, name="packing_slips"),
    path("artisan/parcels/<uuid:parcel_id>/", views.parcel_detail, name="parcel"),
    path("artisan/parcels/<uuid:parcel_id>/shipments/<int:number>/", views.shipment_detail, name="shipment"),
]
