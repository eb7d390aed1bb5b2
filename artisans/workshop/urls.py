from django.urls import path

from artisans.workshop import closing, exports, pictures, products, profile, stock, stock_import, team

app_name = "workshop"
urlpatterns = [
    path("products/", products.product_list, name="product_list"),
    path("products/new/", products.product_new, name="product_new"),
    path("products/<uuid:product_id>/", products.product_edit, name="product"),
    path("products/<uuid:product_id>/variants/", products.product_variants, name="product_variants"),
    path("products/<uuid:product_id>/preview/", products.product_preview, name="product_preview"),
    path("products/<uuid:product_id>/publish/", products.product_put_on_sale, name="product_publish"),
    path("products/<uuid:product_id>/archive/", products.product_take_off, name="product_archive"),
    path("products/<uuid:product_id>/duplicate/", products.product_copy, name="product_duplicate"),
    path("products/<uuid:product_id>/pictures/", pictures.picture_list, name="picture_list"),
    path(
        "products/<uuid:product_id>/pictures/<uuid:picture_id>/text/",
        pictures.picture_text,
        name="picture_text",
    ),
    path(
        "products/<uuid:product_id>/pictures/<uuid:picture_id>/place/",
        pictures.picture_place,
        name="picture_place",
    ),
    path(
        "products/<uuid:product_id>/pictures/<uuid:picture_id>/remove/",
        pictures.picture_delete,
        name="picture_delete",
    ),
    path("profile/", profile.profile, name="profile"),
    path("profile/portrait/", profile.portrait, name="portrait"),
    path("stock/", stock.stock_list, name="stock_list"),
    path("stock/export.csv", stock_import.stock_export, name="stock_export"),
    path("stock/import/", stock_import.import_list, name="stock_import_list"),
    path("stock/import/<uuid:import_id>/", stock_import.import_detail, name="stock_import"),
    path("stock/<uuid:product_id>/", stock.stock_history, name="stock_history"),
    path("stock/<uuid:product_id>/history.csv", stock.history_download, name="stock_history_download"),
    path("close/", closing.close, name="close"),
    path("exports/<slug:name>/", exports.export_list, name="export"),
    path("team/", team.team, name="team"),
    path("team/leave/", team.leave, name="team_leave"),
    path("team/<uuid:member_id>/remove/", team.remove, name="team_remove"),
    path("team/invitations/<uuid:invitation_id>/again/", team.invitation_again, name="invitation_again"),
    path("team/invitations/<uuid:invitation_id>/withdraw/", team.invitation_end, name="invitation_end"),
    path("invitations/<str:token>/", team.invitation, name="invitation"),
]
