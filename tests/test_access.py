"""The answer of every route to every role. A route that is not listed here fails the test."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.cookies import SimpleCookie
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client, override_settings
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RegexPattern
from django.utils import timezone
from rest_framework.test import APIClient

from artisans.accounts.models import User
from artisans.accounts.tests.sign_in import api_client, browser_client, token_of
from artisans.catalog.members import member_invite
from artisans.catalog.models import MemberRole, Product, Terms
from artisans.core.security.tokens import invitation_token
from orders.services.parcels import parcel_ship
from payments.bookkeeping.saved_methods import method_store
from payments.methods import PaymentMethod
from payments.models import Operation, ProviderCall
from payments.providers.contract import RemoteMethod
from payments.tests.factories import give_back, record, start
from tests import rows
from tests.dump import dump

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.usefixtures("things")]

ROLES = ("anonymous", "owner", "stranger", "seller", "helper", "intern", "staff")

# Route: method, address, then the answers in the order of ROLES ("login" is a redirect to the sign-in page).
# The seller has a parcel in the order, and a helper.
# The intern is staff without permissions; staff may manage payments and orders.
ACCESS = """
catalog:product_list                 get  /                                        200 200 200 200 200 200 200
catalog:product                      get  /shop/products/{slug}/                   200 200 200 200 200 200 200
catalog:artisan_list                 get  /shop/artisans/                           200 200 200 200 200 200 200
catalog:artisan                      get  /shop/artisans/{artisan}/                200 200 200 200 200 200 200
shop/                                get  /shop/                                   302 302 302 302 302 302 302
carts:cart                           get  /shop/cart/                              200 200 200 200 200 200 200
carts:item_add                       get  /shop/cart/items/                        405 405 405 405 405 405 405
carts:item_update                    post /shop/cart/items/{item}/                 404 302 404 404 404 404 404
carts:country                        get  /shop/deliver-to/                        200 200 200 200 200 200 200
carts:currency                       get  /shop/currency/                          405 405 405 405 405 405 405
carts:accept                         get  /shop/cart/accept/                       405 405 405 405 405 405 405
carts:checkout                       get  /shop/checkout/                          302 302 302 302 302 302 302
carts:checkout_details               get  /shop/checkout/details/                  302 200 302 302 302 302 302
carts:checkout_delivery              get  /shop/checkout/delivery/                 302 302 302 302 302 302 302
carts:checkout_payment               get  /shop/checkout/payment/                  302 302 302 302 302 302 302
carts:checkout_check                 get  /shop/checkout/check/                    302 302 302 302 302 302 302
carts:browser_problem                get  /shop/checkout/problem/                  405 405 405 405 405 405 405
shop/orders/                         get  /shop/orders/                            302 302 302 302 302 302 302
payments:order_find                  get  /shop/orders/find/                       200 200 200 200 200 200 200
payments:order                       get  /shop/orders/{token}/                    200 200 200 200 200 200 200
payments:mailbox                     get  /shop/orders/{token}/mailbox/            405 405 405 405 405 405 405
payments:order_pay                   get  /shop/orders/{token}/pay/                302 302 302 302 302 302 302
payments:order_card                  get  /shop/orders/{token}/card/               302 302 302 302 302 302 302
payments:order_provider              get  /shop/orders/{token}/pay/stripe/         302 302 302 302 302 302 302
payments:order_saved                 get  /shop/orders/{token}/saved/              405 405 405 405 405 405 405
payments:order_save                  get  /shop/orders/{token}/save/               405 405 405 405 405 405 405
payments:order_hosted                get  /shop/orders/{token}/hosted/             405 405 405 405 405 405 405
payments:order_return                get  /shop/orders/{token}/return/             302 302 302 302 302 302 302
payments:order_cancelled_at_provider       get  /shop/orders/{token}/back/               302 302 302 302 302 302 302
payments:order_history               get  /shop/account/orders/                    login 200 200 200 200 200 200
payments:order_cancel                get  /shop/account/orders/{order}/cancel/     login 200 404 404 404 404 404
payments:method_list                 get  /shop/account/cards/                     login 200 200 200 200 200 200
payments:method_add                  get  /shop/account/cards/add/                 login 405 405 405 405 405 405
payments:method_form                 get  /shop/account/cards/add/{saving}/        login 302 404 404 404 404 404
payments:method_return               get  /shop/account/cards/add/{saving}/return/ login 302 404 404 404 404 404
payments:method_default              post /shop/account/cards/{method}/default/    login 302 404 404 404 404 404
payments:method_delete               get  /shop/account/cards/{method}/remove/     login 200 404 404 404 404 404
payments:parcel_undeliverable        get  /shop/artisan/parcels/{parcel}/cannot-deliver/ login 404 404 200 200 404 404
payments:parcel_returned             post /shop/artisan/parcels/{parcel}/returned/ login 404 404 302 302 404 404
workshop:picture_list get /shop/artisan/products/{product}/pictures/ login 404 404 200 200 404 404
workshop:picture_text post /shop/artisan/products/{product}/pictures/{order}/text/ login 404 404 302 302 404 404
workshop:picture_place post /shop/artisan/products/{product}/pictures/{order}/place/ login 404 404 302 302 404 404
workshop:picture_delete post /shop/artisan/products/{product}/pictures/{order}/remove/ login 404 404 302 302 404 404
orders:address                       get  /shop/account/address/                   login 200 200 200 200 200 200
orders:parcel_list                   get  /shop/artisan/parcels/                   login 404 404 200 200 404 404
orders:parcel                        get  /shop/artisan/parcels/{parcel}/          login 404 404 200 200 404 404
workshop:product_list                get  /shop/artisan/products/                  login 404 404 200 200 404 404
workshop:product_new                 get  /shop/artisan/products/new/              login 404 404 200 200 404 404
workshop:product                     get  /shop/artisan/products/{product}/        login 404 404 200 200 404 404
workshop:product_prices              get  /shop/artisan/products/{product}/prices/ login 404 404 200 200 404 404
workshop:product_variants            get  /shop/artisan/products/{product}/variants/ login 404 404 200 200 404 404
workshop:product_preview             get  /shop/artisan/products/{product}/preview/ login 404 404 200 200 404 404
workshop:product_publish             post /shop/artisan/products/{product}/publish/ login 404 404 302 302 404 404
workshop:product_archive             get  /shop/artisan/products/{product}/archive/ login 405 405 405 405 405 405
workshop:product_duplicate           post /shop/artisan/products/{product}/duplicate/ login 404 404 302 302 404 404
workshop:profile                     get  /shop/artisan/profile/                    login 404 404 200 404 404 404
workshop:shipping_list               get  /shop/artisan/shipping/                   login 404 404 200 404 404 404
workshop:shipping_new                get  /shop/artisan/shipping/new/               login 404 404 200 404 404 404
workshop:shipping                    get  /shop/artisan/shipping/1/                 login 404 404 404 404 404 404
workshop:shipping_delete             get  /shop/artisan/shipping/1/delete/          login 404 404 404 404 404 404
workshop:portrait                    get  /shop/artisan/profile/portrait/             login 405 405 405 405 405 405
workshop:stock_list                  get  /shop/artisan/stock/                     login 404 404 200 200 404 404
workshop:stock_export                get  /shop/artisan/stock/export.csv           login 404 404 200 200 404 404
workshop:stock_import_list           get  /shop/artisan/stock/import/              login 404 404 200 200 404 404
workshop:stock_import                get  /shop/artisan/stock/import/{order}/      login 404 404 404 404 404 404
workshop:stock_history               get  /shop/artisan/stock/{product}/           login 404 404 200 200 404 404
workshop:stock_history_download      get  /shop/artisan/stock/{product}/history.csv login 404 404 200 200 404 404
workshop:close                       get  /shop/artisan/close/                      login 404 404 200 404 404 404
selling:start                        get  /shop/sell/                               200 200 200 302 302 200 200
selling:terms                        get  /shop/sell/terms/                         200 200 200 200 200 200 200
selling:application                  get  /shop/sell/application/                   login 404 404 404 404 404 404
selling:details                      get  /shop/sell/application/workshop/          login 404 404 404 404 404 404
selling:submit                       get  /shop/sell/application/submit/            login 405 405 405 405 405 405
selling:withdraw                     get  /shop/sell/application/withdraw/          login 404 404 404 404 404 404
workshop:export                      get  /shop/artisan/exports/parcels/           login 404 404 200 200 404 404
exports:export                       get  /shop/exports/{order}/                   login 404 404 404 404 404 404
exports:export_file                  get  /shop/exports/{order}/file/              login 404 404 404 404 404 404
workshop:team                        get  /shop/artisan/team/                       login 404 404 200 200 404 404
workshop:team_leave                  get  /shop/artisan/team/leave/                 login 404 404 200 200 404 404
workshop:team_remove                 get  /shop/artisan/team/{member}/remove/       login 404 404 200 404 404 404
workshop:invitation_again post /shop/artisan/team/invitations/{invitation}/again/ login 404 404 302 404 404 404
workshop:invitation_end post /shop/artisan/team/invitations/{invitation}/withdraw/ login 404 404 302 404 404 404
workshop:invitation                  get  /shop/artisan/invitations/{invited}/      200 200 200 200 200 200 200
sales:sales                          get  /shop/artisan/sales/                     login 404 404 200 404 404 404
earnings:earning_list                get  /shop/artisan/earnings/                  login 404 404 200 404 404 404
earnings:line_list                   get  /shop/artisan/earnings/lines/            login 404 404 200 404 404 404
earnings:line_download               get  /shop/artisan/earnings/lines.csv         login 404 404 200 404 404 404
account_login                        get  /shop/account/login/                     200 302 302 302 302 302 302
account_logout                       get  /shop/account/logout/                    302 200 200 200 200 200 200
account_inactive                     get  /shop/account/inactive/                  200 200 200 200 200 200 200
account_signup                       get  /shop/account/signup/                    200 302 302 302 302 302 302
account_reauthenticate               get  /shop/account/reauthenticate/            login 200 200 200 200 200 200
account_email                        get  /shop/account/email/                     login 200 200 200 200 200 200
account_sessions                     get  /shop/account/sessions/                  login 200 200 200 200 200 200
account_tokens                       get  /shop/account/tokens/                    login 200 200 200 200 200 200
account_token_end                    get  /shop/account/tokens/{order}/end/        login 405 405 405 405 405 405
account_confirmed                    get  /shop/account/confirmed/                 login 200 200 200 200 200 200
mfa_index                            get  /shop/account/second-factor/             login 200 200 200 200 200 200
mfa_authenticate                     get  /shop/account/second-factor/authenticate/ login 302 302 302 302 302 302
mfa_reauthenticate                   get  /shop/account/second-factor/reauthenticate/ login 302 302 302 302 302 302
mfa_activate_totp                    get  /shop/account/second-factor/totp/activate/ login 302 302 302 302 200 200
mfa_deactivate_totp                  get  /shop/account/second-factor/totp/deactivate/ login 404 404 404 404 404 404
mfa_view_recovery_codes              get  /shop/account/second-factor/recovery-codes/ login 404 404 404 404 404 404
mfa_generate_recovery_codes get /shop/account/second-factor/recovery-codes/generate/ login 200 200 200 200 200 200
mfa_download_recovery_codes get /shop/account/second-factor/recovery-codes/download/ login 404 404 404 404 404 404
mfa_list_webauthn                    get  /shop/account/second-factor/webauthn/    login 200 200 200 200 200 200
mfa_add_webauthn                     get  /shop/account/second-factor/webauthn/add/ login 302 302 302 302 200 200
mfa_reauthenticate_webauthn get /shop/account/second-factor/webauthn/reauthenticate/ login 302 302 302 302 302 302
mfa_remove_webauthn get /shop/account/second-factor/webauthn/keys/1/remove/ login 404 404 404 404 404 404
mfa_edit_webauthn get /shop/account/second-factor/webauthn/keys/1/edit/ login 404 404 404 404 404 404
account_email_verification_sent      get  /shop/account/confirm-email/             200 200 200 200 200 200 200
account_change_password              get  /shop/account/password/change/           login 200 200 200 200 200 200
account_set_password                 get  /shop/account/password/set/              login 302 302 302 302 302 302
account_reset_password               get  /shop/account/password/reset/            200 200 200 200 200 200 200
account_confirm_login_code           get  /shop/account/login/code/confirm/        login 302 302 302 302 302 302
account_confirm_email                get  /shop/account/confirm-email/x:y/         200 200 200 200 200 200 200
account_reset_password_from_key_done get  /shop/account/password/reset/key/done/   200 200 200 200 200 200 200
account_reset_password_from_key      get  /shop/account/password/reset/key/x-y/    200 200 200 200 200 200 200
account_reset_password_done          get  /shop/account/password/reset/done/       200 200 200 200 200 200 200
account_data                         get  /shop/account/data/                       login 200 200 200 200 200 200
account_data_download                get  /shop/account/data/download/              login 405 405 405 405 405 405
account_erase                        get  /shop/account/data/erase/                 login 200 200 200 200 200 200
account_erased                       get  /shop/account/data/erased/                200 200 200 200 200 200 200
health_live                          get  /health/live                             200 200 200 200 200 200 200
health_ready                         get  /health/ready                            200 200 200 200 200 200 200
metrics                              get  /metrics                                 404 404 404 404 404 404 404
api_register                         post /auth/register                           400 400 400 400 400 400 400
api_token                            post /auth/token                              400 400 400 400 400 400 400
api_logout                           get  /auth/logout                             401 405 405 405 405 405 405
api_me                               get  /auth/me                                 401 200 200 200 200 200 200
api_token_list                       get  /auth/tokens                             401 200 200 200 200 200 200
api_token_detail                     delete /auth/tokens/{order}                   401 404 404 404 404 404 404
api_product-list                     get  /products                                200 200 200 200 200 200 200
api_product-categories               get  /products/categories                     200 200 200 200 200 200 200
api_product-detail                   get  /products/{product}                      200 200 200 200 200 200 200
api_artisan-list                     get  /artisans                                200 200 200 200 200 200 200
api_artisan-detail                   get  /artisans/{artisan_id}                   200 200 200 200 200 200 200
api_cart-list                        get  /carts                                   401 405 405 405 405 405 405
api_cart-detail                      get  /carts/{cart}                            401 200 404 404 404 404 404
api_cart-checkout                    post /carts/{cart}/checkout                   401 400 400 400 400 400 400
api_cart-checkout-summary            get  /carts/{cart}/checkout/summary           401 200 404 404 404 404 404
api_cart-shipping-methods            get  /carts/{cart}/shipping_methods           401 200 404 404 404 404 404
api_cart-checkout-validate           get  /carts/{cart}/checkout/validate          401 200 404 404 404 404 404
api_cart-currency                    post /carts/{cart}/currency                   401 400 400 400 400 400 400
api_cart-vat-id                      post /carts/{cart}/vat_id                     401 400 400 400 400 400 400
api_currency-list                    get  /currencies                              200 200 200 200 200 200 200
api_cart-item                        put  /carts/{cart}/items/{item}               401 400 400 400 400 400 400
api_cart-items                       post /carts/{cart}/items                      401 400 400 400 400 400 400
api_order-list                       get  /orders                                  401 200 200 200 200 200 200
api_order-detail                     get  /orders/{order}                          401 200 404 404 404 404 404
api_order-cancel                     get  /orders/{order}/cancel                   401 405 405 405 405 405 405
api_method-list                      get  /payments/methods                        401 200 200 200 200 200 200
api_method-detail                    put  /payments/methods/{method}               401 400 400 400 400 400 400
api_payment-list                     get  /payments                                401 200 200 200 200 200 200
api_payment-confirm                  post /payments/confirm                        401 400 400 400 400 400 400
api_payment-intents                  post /payments/intents                        401 400 400 400 400 400 400
api_payment-detail                   get  /payments/{payment}                      401 200 404 404 404 404 200
api_webhook                          post /payments/webhooks/stripe              503 503 503 503 503 503 503
api_payment_history-timeline         get  /payments/{payment}/timeline             401 200 404 404 404 404 200
api_refund-list                      get  /payments/refunds                        401 200 200 200 200 200 200
api_refund-detail                    get  /payments/refunds/{refund}               401 200 404 404 404 404 200
api_payment_desk-approve             post /payments/{payment}/approve              401 403 403 403 403 400 400
api_payment_desk-reject              post /payments/{payment}/reject               401 403 403 403 403 400 400
api_parcel-list                      get  /parcels                                 401 200 200 200 200 200 200
orders:next_parcel                   get  /shop/artisan/parcels/next/              login 404 404 302 302 404 404
orders:packing_slips                 get  /shop/artisan/parcels/slips/?parcel={parcel} login 404 404 200 200 404 404
orders:shipment                      get  /shop/artisan/parcels/{shipped}/shipments/1/ login 404 404 200 200 404 404
api_parcel-carriers                  get  /parcels/carriers                         401 200 200 200 200 200 200
api_parcel-shipment                  patch /parcels/{parcel}/shipments/1            401 400 400 400 400 400 400
api_parcel-detail                    get  /parcels/{parcel}                        401 404 404 200 200 404 404
api_cancellation-list                get  /parcels/cancellations                   401 200 200 200 200 200 200
api_parcel-start                     post /parcels/{parcel}/start                  401 404 404 200 409 404 404
api_parcel-returned                  post /parcels/{parcel}/returned               401 400 400 400 400 400 400
api_parcel-ship                      post /parcels/{parcel}/ship                   401 400 400 400 400 400 400
api_parcel-deliver                   post /parcels/{parcel}/deliver                401 404 404 409 409 404 404
api_parcel-cannot-deliver            post /parcels/{parcel}/cannot_deliver         401 400 400 400 400 400 400
api_ledger_balance-list              get  /ledger/balances                         401 403 403 403 403 403 403
api_ledger_entry-list                get  /ledger/entries                          401 403 403 403 403 403 403
api_ledger_trial_balance-list        get  /ledger/trial_balance                    401 403 403 403 403 403 403
api_metrics                          get  /payments/metrics                        401 403 403 403 403 403 200
api_metric_definitions               get  /payments/metrics/definitions            401 403 403 403 403 403 200
api_sales                            get  /artisans/me/sales                       401 404 404 200 404 404 404
api_balance-list                     get  /earnings/balance                        401 200 200 200 200 200 200
api_earning-list                     get  /earnings                                401 200 200 200 200 200 200
api_earning_line-list                get  /earnings/lines                          401 200 200 200 200 200 200
api_own_product-list                 get  /artisan/products                        401 200 200 200 200 200 200
api_own_product-detail               get  /artisan/products/{product}              401 404 404 200 200 404 404
api_own_product-publish              post /artisan/products/{product}/publish      401 403 403 200 200 404 404
api_own_product-archive              get  /artisan/products/{product}/archive      401 405 405 405 405 405 405
api_own_product-duplicate            post /artisan/products/{product}/duplicate    401 403 403 201 201 404 404
api_own_product-prices               get  /artisan/products/{product}/prices       401 404 404 200 200 404 404
api_own_product-variants             post /artisan/products/{product}/variants     401 403 403 400 400 400 400
api_profile                          get  /artisan/profile                         401 404 404 200 404 404 404
api_shipping_methods                 get  /artisan/shipping_methods                401 404 404 200 404 404 404
api_shipping_method                  delete /artisan/shipping_methods/1            401 403 403 404 404 404 404
api_application                      get  /artisan/application                     401 404 404 404 404 404 404
api_application_submit               post /artisan/application/submit              401 404 404 404 404 404 404
api_application_withdraw             post /artisan/application/withdraw            401 404 404 404 404 404 404
api_terms                            get  /artisan/terms                           401 200 200 200 200 200 200
api_terms_accept                     post /artisan/terms/accept                    401 400 400 400 400 400 400
api_profile_portrait                 delete /artisan/profile/portrait              401 403 403 204 404 404 404
api_picture-list                     get  /artisan/products/{product}/pictures     401 404 404 200 200 404 404
api_picture-detail                   delete /artisan/products/{product}/pictures/{order} 401 403 403 404 404 404 404
api_stock-list                       get  /artisan/stock                           401 200 200 200 200 200 200
api_stock-detail                     get  /artisan/stock/{product}                 401 404 404 200 200 404 404
api_stock-count                      post /artisan/stock/{product}/count           401 403 403 400 400 404 404
api_stock-counts                     post /artisan/stock/counts                    401 403 403 400 400 400 400
api_stock_history-list               get  /artisan/stock/{product}/history         401 404 404 200 200 404 404
docs:index                           get  /docs                                    200 200 200 200 200 200 200
docs:reference                       get  /docs/reference                          200 200 200 200 200 200 200
docs:errors                          get  /docs/errors                             200 200 200 200 200 200 200
docs:statuses                        get  /docs/statuses                           200 200 200 200 200 200 200
docs:guides                          get  /docs/guides                             200 200 200 200 200 200 200
docs:guide                           get  /docs/guides/api                         200 200 200 200 200 200 200
docs:schema                          get  /schema                                  200 200 200 200 200 200 200
docs:schema_yaml                     get  /schema.yaml                             200 200 200 200 200 200 200
api_not_found                        get  /orders/none/none                        404 404 404 404 404 404 404
"""

# Requests that would change something: only one role may; for all others the object does not exist.
WRITES = [
    ("put", "/carts/{cart}/items/{item}", {"quantity": 3}, "401 200 404 404 404 404"),
    ("delete", "/carts/{cart}/items/{item}", None, "401 200 404 404 404 404"),
    ("post", "/carts/{cart}/items", {"product_id": "{product}"}, "401 201 404 404 404 404"),
    (
        "post",
        "/carts/{cart}/checkout",
        {"shipping_address": "x", "payment_method": "check"},
        "401 201 404 404 404 404",
    ),
    ("post", "/orders/{order}/cancel", {"reason": "x"}, "401 200 404 404 404 404"),
    (
        "post",
        "/payments/intents",
        {"order_id": "{unpaid}", "payment_method": "check"},
        "401 201 404 404 404 404",
    ),
    ("put", "/payments/methods/{method}", {"is_default": True}, "401 200 404 404 404 404"),
    ("delete", "/payments/methods/{method}", None, "401 204 404 404 404 404"),
    ("post", "/parcels/{parcel}/ship", {"carrier": "x"}, "401 404 404 200 404 404"),
    ("patch", "/parcels/{shipped}/shipments/1", {"carrier": "y"}, "401 404 404 200 404 404"),
    ("post", "/parcels/{parcel}/returned", {"restock": True}, "401 404 404 409 404 404"),
    ("post", "/parcels/{parcel}/cannot_deliver", {"reason": "x"}, "401 404 404 200 404 404"),
    ("post", "/payments/{payment}/reject", {"reason": "x"}, "401 403 403 403 403 200"),
    (
        "post",
        "/payments/{payment}/approve",
        {"amount": "1", "value_date": "2026-01-01", "bank_reference": "x"},
        "401 403 403 403 403 200",
    ),
]


def routes(
    patterns: list[URLPattern | URLResolver], prefix: str = "", space: str = ""
) -> Iterator[tuple[str, str]]:
    for pattern in patterns:
        where = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(
                pattern.url_patterns, where, f"{pattern.namespace}:" if pattern.namespace else space
            )
        else:
            yield f"{space}{pattern.name}" if pattern.name else where, where


def ours() -> dict[str, str]:
    return {
        name: where for name, where in routes(get_resolver().url_patterns) if not where.startswith("admin/")
    }


@pytest.fixture(scope="module")
def keys(things) -> dict[str, tuple[SimpleCookie, str]]:
    """The session and the token of each role; the role "nobody" has neither."""
    people = [
        *(rows.shopper(), rows.stranger(), rows.seller(), rows.helper()),
        *(rows.powerless_staff(), rows.staff()),
    ]
    found = {
        role: (browser_client(user).cookies, token_of(user))
        for role, user in zip(ROLES[1:], people, strict=True)
    }
    return {"anonymous": (SimpleCookie(), ""), **found}


@pytest.fixture
def clients(keys) -> Callable[[str], dict[str, Client]]:
    """`clients(address)`: of the API or of the pages, fresh for each test."""

    def of(role: str, *, is_api: bool) -> Client:
        cookies, token = keys[role]
        if is_api:
            return APIClient(**({"HTTP_AUTHORIZATION": f"Bearer {token}"} if token else {}))
        client = Client()
        client.cookies = copy.deepcopy(cookies)
        return client

    return lambda address: {
        role: of(role, is_api=address.startswith(settings.API_PREFIXES)) for role in ROLES
    }


@pytest.fixture(scope="module")
def things(module_db) -> Iterator[dict[str, object]]:
    """The owner's cart, orders, payment, refund and parcel; one is released, so that the seller may see the parcel."""
    with override_settings(MAX_OPEN_ORDERS=9):
        yield make_things(rows.shopper(), rows.bowl(), rows.superuser())


def make_things(shopper: User, bowl: Product, admin_user: User) -> dict[str, object]:
    payment = start(PaymentMethod.CASH_ON_DELIVERY, {bowl: 1}, user=shopper)
    order = payment.order
    card = RemoteMethod("pm_1", "cus_1", "card", "visa", "4242", 12, 2034)
    method_store(user_id=shopper.pk, provider="stripe", remote=card, consented_at=timezone.now())
    other = replace(card, method_id="pm_2")
    method = method_store(user_id=shopper.pk, provider="stripe", remote=other, consented_at=timezone.now())
    cart = api_client(shopper).post("/carts/", {"items": [{"product_id": str(bowl.pk)}]}).json()
    paid = start(items={bowl: 1}, user=shopper)
    record(paid, "109.99", actor=admin_user)
    shipped = paid.order.parcels.get()
    parcel_ship(parcel_id=shipped.pk, carrier="x", tracking="", actor=admin_user)
    owner = bowl.artisan.user
    Terms.objects.create(number=1, text="Be kind.")
    invitation = member_invite(
        artisan=bowl.artisan, actor=owner, email="new@example.test", role=MemberRole.HELPER
    )
    return {
        "member": rows.helper().artisan_member.pk,
        "invitation": invitation.pk,
        "invited": invitation_token(invitation.pk, invitation.version),
        "refund": give_back(paid, "10.00", actor=admin_user).pk,
        "slug": bowl.slug,
        "product": bowl.pk,
        "artisan": bowl.artisan.slug,
        "artisan_id": bowl.artisan_id,
        "cart": cart["id"],
        "item": cart["items"][0]["id"],
        "order": order.pk,
        "token": order.access_token,
        "unpaid": start(items={bowl: 1}, user=shopper).order_id,
        "payment": payment.pk,
        "parcel": order.parcels.get().pk,
        "shipped": shipped.pk,
        "method": method.pk,
        "saving": ProviderCall.objects.create(
            provider="stripe", operation=Operation.SAVE, user=shopper, method=method, object_id="seti_1"
        ).pk,
    }


def lines() -> dict[str, list[str]]:
    return {words[0]: words[1:] for words in map(str.split, ACCESS.strip().splitlines())}


def describe_response(answer) -> str:
    is_sign_in = answer.status_code == 302 and "/account/login/" in answer["Location"]
    return "login" if is_sign_in else str(answer.status_code)


def test_every_route_is_listed():
    assert set(lines()) == set(ours())


@pytest.mark.parametrize("name", lines())
def test_route_answers_each_role_as_listed(clients, things, name):
    method, address, *wanted = lines()[name]

    answers = {
        role: describe_response(getattr(client, method)(address.format(**things)))
        for role, client in clients(address).items()
    }

    assert answers == dict(zip(ROLES, wanted, strict=True))


@pytest.mark.parametrize(
    ("method", "address", "body", "wanted"), WRITES, ids=[f"{w[0]} {w[1]}" for w in WRITES]
)
def test_only_the_permitted_role_can_change_objects(clients, things, method, address, body, wanted):
    body = body and {
        name: value.format(**things) if isinstance(value, str) else value for name, value in body.items()
    }
    people = clients(address)
    roles = [role for role in ROLES if role != "helper"]  # may what the seller may, so both cannot in turn
    for role, status in list(zip(roles, wanted.split(), strict=True))[::-1]:
        before = dump()
        answer = getattr(people[role], method)(address.format(**things), body)
        assert str(answer.status_code) == status, (role, answer.content)
        assert (dump() == before) == (not status.startswith("2")), role


@pytest.mark.parametrize(
    "address",
    ["/orders/{}", "/payments/{}", "/carts/{}", "/carts/{}/checkout/summary", "/products/{}", "/parcels/{}"],
)
def test_object_of_another_user_answers_like_a_missing_one(api, stranger, things, address):
    kind = address.split("/")[1].rstrip("s")
    client = api(stranger)
    foreign = things[kind] if kind != "product" else uuid4()

    answers = [client.get(address.format(key)) for key in (foreign, uuid4())]

    bodies = [{k: v for k, v in answer.json().items() if k != "request_id"} for answer in answers]
    assert answers[0].status_code == answers[1].status_code == 404
    assert bodies[0] == bodies[1]


def test_guest_objects_belong_to_no_account(api, stranger, bowl):
    """Guest carts and orders have no user; an account, a garbage token or an empty one match none of them."""
    guest = api().post("/carts/", {"items": [{"product_id": str(bowl.pk)}]}).json()
    order = start().order

    for client in (api(stranger), api(cart="x"), api(order="x"), api(stranger, cart="", order="x")):
        for address in (f"/carts/{guest['id']}", f"/orders/{order.pk}"):
            assert client.get(address).status_code == 404
        for address in ("/orders/", "/payments/"):
            assert client.get(address).json()["results"] == []


# ---- the admin ------------------------------------------------------------------------------------------

# Admin pages that need no permission: start page, sign-out, own password, search.
FOR_ALL_STAFF = {"index", "logout", "password_change", "password_change_done", "jsi18n", "search", "login"}


def office() -> list[tuple[str, str]]:
    return sorted(
        (n.removeprefix("admin:"), w)
        for n, w in routes(get_resolver().url_patterns)
        if w.startswith("admin/")
    )


def address_of(where: str, things: dict[str, object]) -> str:
    """The path of the route with existing ids filled in."""
    app = where.split("/")[1]
    key = {"payments": things["payment"], "orders": things["order"], "catalog": things["product"]}.get(
        app, uuid4()
    )
    address = where
    for hole in ("<path:object_id>", "<uuid:pk>", "<id>", "<path:content_type_id>"):
        address = address.replace(hole, str(key))
    address = address.replace("<int:pk>", "1")
    return "/" + (address.split("^")[0] if "^" in address or "(" in address else address)


def test_admin_is_only_for_staff(browser, shopper, seller, things):
    before = dump()
    for user in (None, shopper, seller):
        client = browser(user)
        for name, where in office():
            if name in {"login", "logout"}:
                continue
            for method in ("get", "post"):
                answer = getattr(client, method)(address_of(where, things))
                assert answer.status_code in {302, 403, 404}, (user, where)
                assert answer.status_code != 302 or "login" in answer["Location"], (
                    user,
                    where,
                    answer["Location"],
                )
    assert dump() == before


def refusals(name: str, address: str, method: str) -> set[str | int]:
    """How the admin refuses staff without the permission: by 403, or as below; addresses are redirects to them."""
    if address.endswith("/history/"):
        return {403, "/admin/"}  # of a row that does not exist
    if name == "view_on_site":
        return {404}
    if name == "autocomplete" and method == "post":
        return {405}
    return {f"{address}change/"} if name.startswith("admin/") else {403}  # an older address of the row's page


def test_staff_without_permissions_see_only_the_start_page(browser, powerless_staff, things):
    client, before = browser(powerless_staff), dump()
    for name, where in office():
        if name in FOR_ALL_STAFF or "(?P<" in where:
            continue
        for method in ("get", "post"):
            address = address_of(where, things)
            answer = getattr(client, method)(address)
            found = answer.headers.get("Location") or answer.status_code
            assert found in refusals(name, address, method), (name, where, method, found)
    assert dump() == before


def test_regular_expressions_of_routes_stay_inside_one_segment():
    for resolver in get_resolver().url_patterns:
        if isinstance(resolver, URLPattern) and isinstance(resolver.pattern, RegexPattern):
            assert str(resolver.pattern).startswith("^"), resolver


def test_admin_session_does_not_authenticate_the_api(browser, admin_user, things):
    client: Client = browser(admin_user)

    assert client.get(f"/orders/{things['order']}").status_code == 401
    assert client.post(f"/orders/{things['order']}/cancel", {}).status_code == 401
