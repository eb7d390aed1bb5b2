from django.urls import path

from artisans.workshop import stock

app_name = "workshop"
urlpatterns = [
    path("stock/", stock.stock_list, name="stock_list"),
    path("stock/<uuid:product_id>/", stock.stock_history, name="stock_history"),
    path("stock/<uuid:product_id>/history.csv", stock.history_download, name="stock_history_download"),
]
