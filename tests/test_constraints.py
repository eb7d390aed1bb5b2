"""Database constraints: each one is violated once with raw writes and refused."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.models import NOT_PROVIDED, CheckConstraint, F, Model, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from artisans.accounts.models import User
from artisans.catalog.models import Product, Terms
from artisans.core.append_only import set_once_models
from artisans.ledger.models import LedgerPeriod
from carts.models import Cart
from orders.models import Order, Shipment, ShipmentLine
from orders.models.line import FROZEN
from payments.models import (
    Capture,
    CashDepositLine,
    Dispute,
    Payment,
    PaymentAttempt,
    PaymentFlag,
    PaymentMethodInfo,
    PaymentRefund,
    ProviderCall,
    RefundLine,
    WebhookEvent,
)
from scripts.migrations import ADDED, RELEASED
from tests.append_only import rewriting
from tests.dump import LABELS
from tests.two_of_each import make_two_of_each

pytestmark = pytest.mark.django_db

# What to write into all rows of a model. Two rows of each exist, so that the same value twice breaks uniqueness.
QUANTITIES = (
    "quantity",
    "refunded_quantity",
    "cancelled_quantity",
    "lost_quantity",
    "cancelled_refunded_quantity",
)
BAD: dict[str, tuple[str, dict[str, Any]]] = {
    "user_email_unique_in_any_case": ("accounts.User", {"email": F("name")}),
    "user_role_known": ("accounts.User", {"role": "king"}),
    "cart_status_known": ("carts.Cart", {"status": "GONE", "order": None}),
    "cart_currency_iso": ("carts.Cart", {"currency": "usd"}),
    "cart_has_one_kind_of_owner": ("carts.Cart", {"user": None}),
    "cart_ordered_has_order": ("carts.Cart", {"status": "ORDERED"}),
    "cart_one_open_per_user": ("carts.Cart", {"status": "OPEN", "order": None}),
    "cart_item_once_per_product": ("carts.CartItem", {"product": "first"}),
    "cart_item_quantity_in_range": ("carts.CartItem", {"quantity": 100}),
    "cart_item_seen_price_positive": ("carts.CartItem", {"seen_price_minor": 0}),
    "counted_day_once": ("figures.CountedDay", {"day": date(2020, 1, 1)}),
    "journey_channel_known": ("journeys.Journey", {"channel": "x"}),
    "journey_device_known": ("journeys.Journey", {"device": "x"}),
    "journey_currency_iso": ("journeys.Journey", {"currency": "usd"}),
    "journey_of_a_cart_or_order": ("journeys.Journey", {"cart_id": None}),
    "journey_placed_has_order": ("journeys.Journey", {"order_id": F("cart_id")}),
    "journey_steps_in_order": ("journeys.Journey", {"details_at": Now()}),
    "journey_backfilled_is_placed": ("journeys.Journey", {"is_backfilled": True}),
    "journey_problem_channel_known": ("journeys.JourneyProblem", {"channel": "x"}),
    "journey_problem_step_known": ("journeys.JourneyProblem", {"step": "x"}),
    "journey_problem_kind_known": ("journeys.JourneyProblem", {"kind": "x"}),
    "journey_problem_code_is_a_name": ("journeys.JourneyProblem", {"code": "Ada Lovelace"}),
    "approval_status_known": ("approvals.ApprovalRequest", {"status": "MAYBE"}),
    "approval_one_pending_per_target": ("approvals.ApprovalRequest", {"kind": "one"}),
    "approval_by_a_second_person": (
        "approvals.ApprovalRequest",
        {"status": "APPROVED", "decided_by": F("requested_by")},
    ),
    "approval_decided_by_somebody": ("approvals.ApprovalRequest", {"status": "APPROVED"}),
    "export_format_known": ("exports.Export", {"file_format": "pdf"}),
    "export_finished_has_its_file": ("exports.Export", {"sha256": ""}),
    "export_finished_did_not_fail": ("exports.Export", {"failed_at": Now()}),
    "export_chunk_position_once": ("exports.ExportChunk", {"position": 0}),
    "erasure_state_known": ("privacy.Erasure", {"state": "x"}),
    "erasure_source_known": ("privacy.Erasure", {"source": "x"}),
    "erasure_done_forgets_the_person": ("privacy.Erasure", {"state": "done", "finished_at": Now()}),
    "erasure_one_running_per_address": ("privacy.Erasure", {"address_hash": "a"}),
    "artisan_commission_at_most_all": ("catalog.Artisan", {"commission_ppm": 1_000_001}),
    "artisan_fee_tax_treatment_known": ("catalog.Artisan", {"fee_tax_treatment": "x"}),
    "artisan_processing_days_in_range": ("catalog.Artisan", {"processing_days": 366}),
    "artisan_holiday_ends_after_its_start": (
        "catalog.Artisan",
        {"holiday_from": timezone.now().date(), "back_on": None},
    ),
    "artisan_state_known": ("catalog.Artisan", {"stored_state": "x", "is_active": False}),
    "artisan_on_sale_only_if_active": ("catalog.Artisan", {"stored_state": "closed"}),
    "artisan_state_change_old_known": ("catalog.ArtisanStateChange", {"old": "x"}),
    "artisan_state_change_new_known": ("catalog.ArtisanStateChange", {"new": "x"}),
    "artisan_state_change_changes": ("catalog.ArtisanStateChange", {"new": F("old")}),
    "application_status_known": ("catalog.Application", {"status": "x", "submitted_at": Now()}),
    "application_decided_was_submitted": ("catalog.Application", {"status": "approved"}),
    "application_event_status_known": ("catalog.ApplicationEvent", {"status": "x"}),
    "application_event_asks_in_words": ("catalog.ApplicationEvent", {"status": "asked"}),
    "terms_accepted_once_per_artisan": ("catalog.TermsAcceptance", {"artisan": "first", "terms": "first"}),
    "artisan_member_role_known": ("catalog.ArtisanMember", {"role": "king"}),
    "artisan_invitation_role_known": ("catalog.ArtisanInvitation", {"role": "king"}),
    "artisan_invitation_once_per_address": (
        "catalog.ArtisanInvitation",
        {"artisan": "first", "email": "a@example.test"},
    ),
    "category_not_part_of_itself": ("catalog.Category", {"parent": F("id")}),
    "shop_currency_iso": ("regions.ShopCurrency", {"code": "usd"}),
    "shop_currency_rounding_known": ("regions.ShopCurrency", {"rounding": "down"}),
    "shop_currency_steps_positive": ("regions.ShopCurrency", {"step_minor": -1}),
    "shop_currency_charm_below_step": ("regions.ShopCurrency", {"price_charm_minor": 1}),
    "shop_currency_price_steps_are_steps": ("regions.ShopCurrency", {"step_minor": 3, "price_step_minor": 4}),
    "shop_currency_cash_limit_not_negative": ("regions.ShopCurrency", {"cash_limit_minor": -1}),
    "rate_sheet_source_known": ("regions.RateSheet", {"source": "x"}),
    "rate_sheet_base_iso": ("regions.RateSheet", {"base": "eur"}),
    "rate_sheet_one_of_a_day": ("regions.RateSheet", {"valid_on": date(2026, 1, 1)}),
    "exchange_rate_currency_iso": ("regions.ExchangeRate", {"currency": "usd"}),
    "exchange_rate_positive": ("regions.ExchangeRate", {"rate_e10": 0}),
    "exchange_rate_once_in_sheet": ("regions.ExchangeRate", {"currency": "JPY"}),
    "tax_id_status_known": ("tax_ids.TaxId", {"status": "x", "decided_by": None, "reason": ""}),
    "tax_id_normalized": ("tax_ids.TaxId", {"value": "DE 1"}),
    "tax_id_answered_at": ("tax_ids.TaxId", {"checked_at": None}),
    "tax_id_tried_while_pending": ("tax_ids.TaxId", {"next_try_at": Now()}),
    "tax_id_decided_with_reason": ("tax_ids.TaxId", {"reason": ""}),
    "tax_id_one_notice_per_address": ("tax_ids.TaxIdNotice", {"email": "a@example.test"}),
    "tax_zone_rounding_known": ("regions.TaxZone", {"rounding": "x"}),
    "taxzonearea_once": ("regions.TaxZoneArea", {"country": "", "region": ""}),
    "taxzonearea_has_country": ("regions.TaxZoneArea", {"country": "", "region": "OR"}),
    "taxzonearea_country_iso": ("regions.TaxZoneArea", {"country": "us"}),
    "tax_rate_at_most_all": ("regions.TaxRate", {"rate_ppm": 1_000_001}),
    "tax_rate_one_start": ("regions.TaxRate", {"zone": "first", "tax_class": "first", "valid_from": Now()}),
    "shippingzonearea_once": ("shipping.ShippingZoneArea", {"country": "", "region": ""}),
    "shippingzonearea_has_country": ("shipping.ShippingZoneArea", {"country": "", "region": "OR"}),
    "shippingzonearea_country_iso": ("shipping.ShippingZoneArea", {"country": "us"}),
    "shipping_method_kind_known": ("shipping.ShippingMethod", {"kind": "x"}),
    "shipping_method_charged_per_known": ("shipping.ShippingMethod", {"charged_per": "x"}),
    "shipping_method_of_artisan_per_parcel": ("shipping.ShippingMethod", {"charged_per": "order"}),
    "shipping_method_days_in_order": ("shipping.ShippingMethod", {"min_days": 2, "max_days": 1}),
    "shipping_method_name_of_shop": ("shipping.ShippingMethod", {"zone": "first", "artisan": None}),
    "shipping_method_name_of_artisan": (
        "shipping.ShippingMethod",
        {"zone": "first", "artisan": "first", "name": "Own", "charged_per": "parcel"},
    ),
    "shipping_rate_currency_iso": ("shipping.ShippingRate", {"currency": "usd"}),
    "shipping_rate_not_negative": ("shipping.ShippingRate", {"price_minor": -1}),
    "shipping_rate_once_per_bounds": ("shipping.ShippingRate", {"method": "first", "currency": "JPY"}),
    "product_price_once_per_currency": ("catalog.ProductPrice", {"product": "first", "currency": "JPY"}),
    "product_price_currency_iso": ("catalog.ProductPrice", {"currency": "usd"}),
    "product_price_of_list_positive": ("catalog.ProductPrice", {"price_minor": 0}),
    "product_price_converted_names_its_sheet": ("catalog.ProductPrice", {"origin": "manual"}),
    "commission_rate_at_most_all": ("catalog.CommissionRate", {"rate_ppm": 1_000_001}),
    "commission_rate_not_negative": ("catalog.CommissionRate", {"fixed_minor": -1}),
    "commission_rate_cap_at_least_minimum": (
        "catalog.CommissionRate",
        {"minimum_minor": 2, "cap_minor": 1},
    ),
    "commission_rate_end_takes_nothing": ("catalog.CommissionRate", {"is_end": True, "rate_ppm": 1}),
    "commission_rate_currency_iso": ("catalog.CommissionRate", {"currency": "usd"}),
    "commission_rate_one_start_of_store": (
        "catalog.CommissionRate",
        {"artisan": None, "category": None, "valid_from": timezone.now()},
    ),
    "commission_rate_one_start_of_category": (
        "catalog.CommissionRate",
        {"artisan": None, "category": "first", "valid_from": timezone.now()},
    ),
    "commission_rate_one_start_of_artisan": (
        "catalog.CommissionRate",
        {"artisan": "first", "category": None, "valid_from": timezone.now()},
    ),
    "commission_rate_one_start_of_artisan_in_category": (
        "catalog.CommissionRate",
        {"artisan": "first", "category": "first", "valid_from": timezone.now()},
    ),
    "product_stock_not_negative": ("catalog.Product", {"stock": F("stock") - 1000}),
    "product_price_positive": ("catalog.Product", {"price_minor": 0}),
    "product_currency_iso": ("catalog.Product", {"currency": "U$D"}),
    "product_archived_is_not_published": ("catalog.Product", {"archived_at": timezone.now()}),
    "product_taken_off_is_not_published": ("catalog.Product", {"off_sale_reason": "x"}),
    "product_lead_days_in_range": ("catalog.Product", {"lead_days": 366}),
    "product_not_variant_of_itself": ("catalog.Product", {"parent": F("id"), "option_1": "x"}),
    "product_variant_has_option": ("catalog.Product", {"option_1": ""}),
    "product_options_without_gaps": ("catalog.Product", {"option_3": "x"}),
    "product_options_unique_in_parent": ("catalog.Product", {"option_1": "x"}),
    "product_sku_unique_in_artisan": ("catalog.Product", {"sku": "x"}),
    "product_picture_fits_its_state": ("catalog.ProductPicture", {"state": "refused"}),
    "product_picture_at_most_eight": ("catalog.ProductPicture", {"position": 9}),
    "product_picture_one_per_position": ("catalog.ProductPicture", {"position": 1}),
    "product_picture_same_file_once": ("catalog.ProductPicture", {"digest": "a"}),
    "stock_move_kind_known": ("catalog.StockMove", {"kind": "lost"}),
    "stock_move_once_per_line_and_kind": ("catalog.StockMove", {"order_line": "first"}),
    "stock_move_once_per_refund_line": (
        "catalog.StockMove",
        {"kind": "restock", "order_line": "first", "refund_line": "first"},
    ),
    "stock_move_restock_names_its_refund": ("catalog.StockMove", {"refund_line": None}),
    "stock_move_moves_something": ("catalog.StockMove", {"quantity": 0}),
    "stock_import_cause_known": ("catalog.StockImport", {"cause": "x"}),
    "stock_import_finished_after_start": (
        "catalog.StockImport",
        {"started_at": None, "finished_at": timezone.now()},
    ),
    "stock_import_row_outcome_known": ("catalog.StockImportRow", {"outcome": "x"}),
    "stock_import_row_once_per_line": ("catalog.StockImportRow", {"line": 5}),
    "stock_import_row_once_per_product": ("catalog.StockImportRow", {"product": "first"}),
    "stock_import_row_counts_a_product": ("catalog.StockImportRow", {"counted": -1}),
    "stock_move_cause_known": ("catalog.StockMove", {"cause": "x"}),
    "idempotency_key_once_per_principal_and_route": ("core.IdempotencyKey", {"key": "key-1"}),
    "idempotency_state_known": ("core.IdempotencyKey", {"state": "x"}),
    "idempotency_done_has_answer": ("core.IdempotencyKey", {"state": "done"}),
    "mail_state_known": ("notifications.Notification", {"state": "x"}),
    "mail_sent_has_time": ("notifications.Notification", {"state": "sent"}),
    "store_rules_one_row": ("orders.StoreRules", {"id": 2}),
    "store_tax_rate_at_most_all": ("orders.StoreRules", {"tax_rate_ppm": 1_000_001}),
    "store_shipping_not_negative": ("orders.StoreRules", {"shipping_minor": -1}),
    "store_cash_limit_not_negative": ("orders.StoreRules", {"cash_limit_minor": -1}),
    "store_second_person_limit_not_negative": ("orders.StoreRules", {"second_person_above_minor": -1}),
    "store_currency_iso": ("orders.StoreRules", {"currency": "US"}),
    "store_hold_covers_returns": ("orders.StoreRules", {"return_days": F("hold_days") + 1}),
    "store_longest_hold_is_longest": ("orders.StoreRules", {"hold_days": F("longest_hold_days") + 1}),
    "store_reserve_at_most_all": ("orders.StoreRules", {"reserve_ppm": 1_000_001}),
    "store_commission_tax_at_most_all": ("orders.StoreRules", {"commission_tax_ppm": 1_000_001}),
    "store_commission_on_refund_known": ("orders.StoreRules", {"commission_on_refund": "half"}),
    "store_tax_remitter_known": ("orders.StoreRules", {"tax_remitter": "nobody"}),
    "store_payment_fee_bearer_known": ("orders.StoreRules", {"payment_fee_bearer": "nobody"}),
    "store_shipping_tax_has_class": ("orders.StoreRules", {"shipping_tax": "class"}),
    "store_shipping_tax_known": ("orders.StoreRules", {"shipping_tax": "x"}),
    "store_tax_by_known": ("orders.StoreRules", {"tax_by": "x"}),
    "store_cash_holder_known": ("orders.StoreRules", {"cash_holder": "nobody"}),
    "order_status_known": ("orders.Order", {"status": "LOST"}),
    "order_payment_status_known": ("orders.Order", {"payment_status": "MAYBE"}),
    "order_currency_iso": ("orders.Order", {"currency": ""}),
    "order_total_is_sum_of_parts": (
        "orders.Order",
        {"total_minor": F("total_minor") - 1, "cancelled_minor": 0, "goods_refunded_minor": 0},
    ),
    "order_discount_within_subtotal": (
        "orders.Order",
        {
            "discount_minor": F("subtotal_minor") + 1,
            "total_minor": F("total_minor") - F("subtotal_minor") - 1,
            "cancelled_minor": 0,
            "goods_refunded_minor": 0,
        },
    ),
    "order_reverse_charge_has_no_tax": (
        "orders.Order",
        {"is_reverse_charge": True, "vat_id": "DE136695976", "vat_id_check": {"status": "verified"}},
    ),
    "order_reverse_charge_has_vat_id": (
        "orders.Order",
        {
            "is_reverse_charge": True,
            "tax_minor": 0,
            "total_minor": F("total_minor") - F("tax_minor"),
            "cancelled_minor": 0,
            "goods_refunded_minor": 0,
        },
    ),
    "order_credit_held_within_total": ("orders.Order", {"credit_held_minor": F("total_minor") + 1}),
    "order_step_positive": ("orders.Order", {"step_minor": 0}),
    "order_origin_known": ("orders.Order", {"origin": "x"}),
    "order_amounts_not_negative": (
        "orders.Order",
        {"tax_minor": -1, "shipping_minor": F("shipping_minor") + F("tax_minor") + 1},
    ),
    "order_cancelled_at_most_total": ("orders.Order", {"cancelled_minor": F("total_minor") + 1}),
    "order_goods_refunded_at_most_total": (
        "orders.Order",
        {"goods_refunded_minor": F("total_minor") + 1},
    ),
    "order_goodwill_at_most_refunded": ("orders.Order", {"goodwill_minor": F("refunded_minor") + 1}),
    "order_refunded_at_most_received": ("orders.Order", {"refunded_minor": F("received_minor") + 1}),
    "order_released_only_when_confirmed": (
        "orders.Order",
        {"status": "PENDING", "released_at": timezone.now()},
    ),
    "order_payment_withdrawn_after_release": (
        "orders.Order",
        {"payment_withdrawn_at": timezone.now(), "released_at": None},
    ),
    "parcel_status_known": ("orders.Parcel", {"status": "LOST", "instruction": ""}),
    "parcel_instruction_known": ("orders.Parcel", {"instruction": "burn"}),
    "parcel_on_hold_until_sent": ("orders.Parcel", {"instruction": "hold", "status": "SHIPPED"}),
    "parcel_expected_back_once_sent": ("orders.Parcel", {"instruction": "return", "status": "NEW"}),
    "parcel_one_per_order_and_artisan": ("orders.Parcel", {"artisan": "first"}),
    "parcel_number_unique_in_order": ("orders.Parcel", {"number": 1}),
    "parcel_total_is_sum_of_parts": ("orders.Parcel", {"shipping_minor": F("shipping_minor") + 1}),
    "parcel_discount_within_subtotal": (
        "orders.Parcel",
        {
            "shipping_discount_minor": F("shipping_minor") + 1,
            "total_minor": F("total_minor") - F("shipping_minor") - 1,
            "cancelled_minor": 0,
            "cash_received_minor": 0,
        },
    ),
    "parcel_subsidy_within_discount": ("orders.Parcel", {"subsidy_minor": 1}),
    "parcel_shipping_tax_within_tax": ("orders.Parcel", {"shipping_tax_minor": F("tax_minor") + 1}),
    "parcel_commission_within_subtotal": ("orders.Parcel", {"commission_minor": -1}),
    "parcel_commission_tax_within_subtotal": (
        "orders.Parcel",
        {"commission_tax_minor": F("subtotal_minor") - F("commission_minor") + 1},
    ),
    "parcel_shipping_commission_within_shipping": (
        "orders.Parcel",
        {"commission_minor": F("subtotal_minor"), "shipping_commission_minor": F("shipping_minor") + 1},
    ),
    "parcel_fee_tax_treatment_known": ("orders.Parcel", {"fee_tax_treatment": "x"}),
    "parcel_tax_remitter_known": ("orders.Parcel", {"tax_remitter": "nobody"}),
    "parcel_payment_fee_bearer_known": ("orders.Parcel", {"payment_fee_bearer": "nobody"}),
    "parcel_cash_within_total": ("orders.Parcel", {"cash_received_minor": F("total_minor") + 1}),
    "parcel_cancelled_within_total": ("orders.Parcel", {"cancelled_minor": F("total_minor") + 1}),
    "carrier_name_unique": ("orders.Carrier", {"name": "usps"}),
    "carrier_tracking_url_is_https": ("orders.Carrier", {"tracking_url": "http://carrier.test/{number}"}),
    "shipment_number_unique_in_parcel": ("orders.Shipment", {"parcel": "first"}),
    "shipment_line_once": ("orders.ShipmentLine", {"shipment": "first", "line": "first"}),
    "shipment_line_quantity_positive": ("orders.ShipmentLine", {"quantity": 0}),
    "order_line_position_unique": ("orders.OrderLine", {"position": 0}),
    "order_line_quantity_positive": (
        "orders.OrderLine",
        dict.fromkeys(QUANTITIES, 0)
        | {"line_total_minor": 0, "cancelled_minor": 0, "cancelled_refunded_minor": 0},
    ),
    "order_line_total_is_product": ("orders.OrderLine", {"quantity": F("quantity") + 1}),
    "order_line_discount_within_total": (
        "orders.OrderLine",
        {"discount_minor": F("line_total_minor") + 1, "cancelled_minor": 0, "cancelled_refunded_minor": 0},
    ),
    "order_line_subsidy_within_discount": ("orders.OrderLine", {"subsidy_minor": 1}),
    "order_line_step_positive": ("orders.OrderLine", {"step_minor": 0}),
    "order_line_tax_not_negative": ("orders.OrderLine", {"tax_minor": -1} | dict.fromkeys(FROZEN)),
    "order_line_refunded_at_most_ordered": ("orders.OrderLine", {"refunded_quantity": F("quantity") + 1}),
    "order_line_cancelled_at_most_ordered": (
        "orders.OrderLine",
        {"cancelled_minor": F("line_total_minor") + F("tax_minor") + 1},
    ),
    "order_line_cancelled_refunded_within_cancelled": (
        "orders.OrderLine",
        {"cancelled_refunded_quantity": F("cancelled_quantity") + 1},
    ),
    "order_line_unit_given_back_once": (
        "orders.OrderLine",
        {"refunded_quantity": F("quantity"), "cancelled_quantity": 1, "lost_quantity": 0},
    ),
    "line_cancellation_quantity_positive": (
        "orders.LineCancellation",
        {"quantity": 0, "refunded_quantity": 0},
    ),
    "line_cancellation_currency_iso": ("orders.LineCancellation", {"currency": "usd"}),
    "line_cancellation_refunded_within_it": (
        "orders.LineCancellation",
        {"refunded_minor": F("amount_minor") + 1},
    ),
    "order_line_fees_frozen_together": (
        "orders.OrderLine",
        {"commission_minor": 0, "commission_tax_minor": 0, "remitted_tax_minor": 0, "commission_ppm": None},
    ),
    "order_line_fees_within_total": (
        "orders.OrderLine",
        {
            "commission_minor": F("line_total_minor"),
            "commission_tax_minor": 1,
            "remitted_tax_minor": 0,
            "commission_ppm": 0,
        },
    ),
    "payment_status_known": ("payments.Payment", {"status": "MAYBE"}),
    "payment_currency_iso": ("payments.Payment", {"currency": "dollar"[:3]}),
    "payment_amount_positive": ("payments.Payment", {"amount_minor": 0}),
    "payment_sums_not_negative": ("payments.Payment", {"refund_reserved_minor": -1}),
    "payment_refunds_at_most_received": (
        "payments.Payment",
        {"refund_reserved_minor": F("received_minor") + 1},
    ),
    "payment_completed_has_the_money": ("payments.Payment", {"status": "COMPLETED", "amount_minor": 10**9}),
    "payment_in_review_is_processing": ("payments.Payment", {"in_review": True}),
    "payment_one_open_per_order": ("payments.Payment", {"status": "FAILED"}),
    "payment_provider_id_unique": ("payments.Payment", {"provider_payment_id": "pi_1"}),
    "receipt_currency_iso": ("payments.Receipt", {"currency": "Usd"}),
    "receipt_amount_positive": ("payments.Receipt", {"amount_minor": 0}),
    "receipt_once_per_bank_reference": (
        "payments.Receipt",
        {"bank_reference": "STMT-1", "reference_key": ""},
    ),
    "receipt_reference_once_in_the_shop": ("payments.Receipt", {"reference_key": "stmt1"}),
    "receipt_of_parcel_has_holder": ("payments.Receipt", {"holder": "courier"}),
    "cash_deposit_status_known": ("payments.CashDeposit", {"status": "x"}),
    "cash_deposit_holder_known": ("payments.CashDeposit", {"holder": "artisan"}),
    "cash_deposit_currency_iso": ("payments.CashDeposit", {"currency": "usd"}),
    "cash_deposit_amounts_positive": ("payments.CashDeposit", {"fee_minor": -1}),
    "cash_deposit_reversed_by_somebody": ("payments.CashDeposit", {"reversed_at": Now()}),
    "cash_deposit_once_per_reference": ("payments.CashDeposit", {"reference_key": "d1"}),
    "cash_deposit_line_status_known": ("payments.CashDepositLine", {"status": "x"}),
    "cash_deposit_line_paid_back_in_currency": ("payments.CashDepositLine", {"paid_back_minor": -1}),
    "cash_deposit_once_per_receipt": ("payments.CashDepositLine", {"receipt": "first"}),
    "receipt_reversal_reason_known": ("payments.ReceiptReversal", {"reason": "x"}),
    "earning_status_known": ("payments.Earning", {"status": "maybe"}),
    "earning_currency_iso": ("payments.Earning", {"currency": "12"}),
    "earning_returned_at_most_net": ("payments.Earning", {"promised_minor": F("net_minor") + 1}),
    "earning_returned_not_negative": ("payments.Earning", {"returned_commission_minor": -1}),
    "earning_payment_fee_not_negative": (
        "payments.Earning",
        {"payment_fee_minor": 0, "payment_fee_tax_minor": 1},
    ),
    "earning_released_has_a_time": ("payments.Earning", {"status": "released", "released_at": None}),
    "refund_share_currency_iso": ("payments.RefundShare", {"currency": "12"}),
    "refund_share_is_an_amount": ("payments.RefundShare", {"shipping_minor": 0, "goodwill_minor": 0}),
    "refund_paid_by_artisan_names_one": ("payments.PaymentRefund", {"paid_from": "artisan"}),
    "refund_paid_offline_has_a_date": ("payments.PaymentRefund", {"paid_from": "bank"}),
    "refund_bearer_known": ("payments.PaymentRefund", {"borne_by": "moon"}),
    "refund_status_known": ("payments.PaymentRefund", {"status": "MAYBE"}),
    "refund_currency_iso": ("payments.PaymentRefund", {"currency": "12"}),
    "refund_amount_positive": ("payments.PaymentRefund", {"amount_minor": -5}),
    "refund_provider_id_unique": ("payments.PaymentRefund", {"provider_refund_id": "re_1"}),
    "refund_once_per_bank_reference": ("payments.PaymentRefund", {"bank_reference": "OUT-1"}),
    "refund_reference_once_in_the_shop": ("payments.PaymentRefund", {"reference_key": "out1"}),
    "refund_origin_known": ("payments.PaymentRefund", {"origin": "moon"}),
    "refund_decision_known": ("payments.PaymentRefund", {"decision": "later"}),
    "refund_shipping_within_amount": ("payments.PaymentRefund", {"shipping_minor": F("amount_minor") + 1}),
    "refund_goodwill_within_amount": ("payments.PaymentRefund", {"goodwill_minor": F("amount_minor") + 1}),
    "refund_tried_again_once": ("payments.PaymentRefund", {"retry_of": "first"}),
    "refund_line_once_per_refund": ("payments.RefundLine", {"refund": "first", "order_line": "first"}),
    "refund_line_quantity_positive": ("payments.RefundLine", {"quantity": 0}),
    "refund_line_amount_not_negative": ("payments.RefundLine", {"amount_minor": -1}),
    "refund_line_currency_iso": ("payments.RefundLine", {"currency": "usd"}),
    "capture_currency_iso": ("payments.Capture", {"currency": "?"}),
    "capture_amount_positive": ("payments.Capture", {"amount_minor": 0}),
    "capture_booked_once": ("payments.Capture", {"provider_capture_id": "ch_1"}),
    "attempt_currency_iso": ("payments.PaymentAttempt", {"currency": "?"}),
    "attempt_outcome_known": ("payments.PaymentAttempt", {"outcome": "maybe"}),
    "attempt_amount_positive": ("payments.PaymentAttempt", {"amount_minor": 0}),
    "attempt_declined_has_a_reason": ("payments.PaymentAttempt", {"outcome": "declined"}),
    "attempt_challenged_is_not_decided": ("payments.PaymentAttempt", {"outcome": "challenged"}),
    "attempt_pending_is_not_decided": ("payments.PaymentAttempt", {"outcome": "pending"}),
    "attempt_address_check_known": ("payments.PaymentAttempt", {"address_check": "maybe"}),
    "attempt_liability_known": ("payments.PaymentAttempt", {"liability": "maybe"}),
    "attempt_verdict_known": ("payments.PaymentAttempt", {"verdict": "maybe"}),
    "attempt_risk_score_at_most_100": ("payments.PaymentAttempt", {"risk_score": 101}),
    "attempt_booked_once": ("payments.PaymentAttempt", {"attempt_id": "ch_1"}),
    "attempt_number_once": ("payments.PaymentAttempt", {"number": 1}),
    "dispute_currency_iso": ("payments.Dispute", {"currency": "usd"}),
    "dispute_amount_positive": ("payments.Dispute", {"amount_minor": 0}),
    "dispute_status_known": ("payments.Dispute", {"status": "IDLE"}),
    "fraud_warning_recorded_once": ("payments.FraudWarning", {"provider_warning_id": "issfr_0"}),
    "dispute_booked_once": ("payments.Dispute", {"provider_dispute_id": "du_1"}),
    "reconciliation_run_begins_before_its_end": ("payments.ReconciliationRun", {"until": F("since")}),
    "provider_movement_currency_iso": ("payments.ProviderMovement", {"currency": "usd"}),
    "provider_movement_kind_known": ("payments.ProviderMovement", {"kind": "x"}),
    "provider_movement_net_adds_up": ("payments.ProviderMovement", {"net_minor": F("gross_minor") + 1}),
    "provider_movement_charged_in_another_currency": ("payments.ProviderMovement", {"charged_minor": 1}),
    "provider_movement_once": ("payments.ProviderMovement", {"external_id": "txn_1"}),
    "provider_movement_names_its_explanation": ("payments.ProviderMovement", {"explained_by": "account"}),
    "provider_movement_closed_by_somebody": ("payments.ProviderMovement", {"closed_at": Now()}),
    "provider_alert_one_open_per_part": ("payments.ProviderAlert", {"part": "disputes"}),
    "payment_flag_kind_known": ("payments.PaymentFlag", {"kind": "odd"}),
    "payment_flag_one_open_per_kind": ("payments.PaymentFlag", {"kind": "stuck"}),
    "ledger_account_kind_known": ("ledger.LedgerAccount", {"kind": "x", "artisan": None}),
    "ledger_account_currency_iso": ("ledger.LedgerAccount", {"currency": "usd"}),
    "ledger_account_once": ("ledger.LedgerAccount", {"kind": "bank", "scope": ""}),
    "ledger_account_once_per_artisan": (
        "ledger.LedgerAccount",
        {"kind": "seller_held", "scope": "", "artisan": "first"},
    ),
    "ledger_account_of_artisan_names_one": ("ledger.LedgerAccount", {"kind": "seller_held"}),
    "ledger_entry_kind_known": ("ledger.LedgerEntry", {"kind": "x"}),
    "ledger_posting_currency_iso": ("ledger.LedgerPosting", {"currency": "usd"}),
    "ledger_posting_amount_not_zero": ("ledger.LedgerPosting", {"amount_minor": 0}),
    "ledger_posting_position_once": ("ledger.LedgerPosting", {"position": 0}),
    "ledger_period_days_in_order": ("ledger.LedgerPeriod", {"last_day": F("open_from")}),
    "ledger_checkpoint_currency_iso": ("ledger.LedgerCheckpoint", {"currency": "usd"}),
    "ledger_checkpoint_once_per_period": ("ledger.LedgerCheckpoint", {"period": "first"}),
    "hold_reason_known": ("earnings.Hold", {"reason": "x"}),
    "hold_currency_iso": ("earnings.Hold", {"currency": "usd"}),
    "hold_holds_something": ("earnings.Hold", {"amount_minor": -1}),
    "hold_of_dispute_names_it": ("earnings.Hold", {"reason": "dispute"}),
    "hold_of_reserve_ends": ("earnings.Hold", {"until": None}),
    "hold_by_staff_names_them": ("earnings.Hold", {"reason": "staff"}),
    "hold_one_reserve_per_order": ("earnings.Hold", {"artisan": "first"}),
    "debt_currency_iso": ("earnings.Debt", {"currency": "usd"}),
    "debt_one_open_per_currency": ("earnings.Debt", {"artisan": "first"}),
    "settlement_means_known": ("earnings.Settlement", {"means": "x"}),
    "settlement_status_known": ("earnings.Settlement", {"status": "x"}),
    "settlement_currency_iso": ("earnings.Settlement", {"currency": "usd"}),
    "settlement_amount_positive": ("earnings.Settlement", {"amount_minor": 0}),
    "settlement_has_reference_or_reason": ("earnings.Settlement", {"means": "write_off"}),
    "settlement_reversed_by_somebody": ("earnings.Settlement", {"reversed_at": Now()}),
    "settlement_once_per_reference": ("earnings.Settlement", {"reference_key": "s1"}),
    "provider_call_operation_known": ("payments.ProviderCall", {"operation": "guess"}),
    "provider_call_state_known": ("payments.ProviderCall", {"state": "lost"}),
    "provider_call_one_open_per_payment": ("payments.ProviderCall", {"state": "open", "refund": None}),
    "provider_call_one_per_refund": ("payments.ProviderCall", {"state": "done", "refund": "first"}),
    "provider_call_object_once": ("payments.ProviderCall", {"operation": "create", "object_id": "pi_1"}),
    "saved_method_token_once": ("payments.PaymentMethodInfo", {"provider_method_hash": "one"}),
    "saved_method_one_default_per_user": ("payments.PaymentMethodInfo", {"is_default": True}),
    "saved_method_last_four_only": ("payments.PaymentMethodInfo", {"card_last_four": "424"}),
    "saved_method_month_exists": ("payments.PaymentMethodInfo", {"card_exp_month": 13}),
    "provider_customer_one_per_account": ("payments.ProviderCustomer", {"user": "first"}),
    "provider_customer_id_unique": ("payments.ProviderCustomer", {"customer_id": "cus_1"}),
    "webhook_state_known": ("payments.WebhookEvent", {"state": "lost"}),
    "provider_request_outcome_known": ("payments.ProviderRequest", {"outcome": "maybe"}),
    "provider_request_without_answer_is_unknown": ("payments.ProviderRequest", {"status_code": None}),
    "webhook_first_processed_was_processed": (
        "payments.WebhookEvent",
        {"processed_at": None, "first_processed_at": Now()},
    ),
    "webhook_refusal_once_an_hour": ("payments.WebhookRefusal", {"reason": "reason_0"}),
    "webhook_once_per_provider": ("payments.WebhookEvent", {"event_id": "evt_1"}),
}


def named() -> dict[str, Any]:
    models = [model for label in LABELS for model in apps.get_app_config(label).get_models()]
    return {c.name: c for model in models for c in model._meta.constraints}


@pytest.fixture(scope="module")
def rows(module_db) -> None:
    make_two_of_each()


FIRST = {
    "product": Product.objects.first,
    "artisan": lambda: Product.objects.first().artisan,
    "category": lambda: Product.objects.first().category,
    "terms": Terms.objects.first,
    "order_line": lambda: Order.objects.first().lines.first().pk,
    "parcel": lambda: Shipment.objects.first().parcel,
    "shipment": lambda: Shipment.objects.first().pk,
    "line": lambda: ShipmentLine.objects.first().line_id,
    "refund_line": lambda: RefundLine.objects.first().pk,
    "refund": PaymentRefund.objects.first,
    "retry_of": PaymentRefund.objects.first,
    "receipt": lambda: CashDepositLine.objects.first().receipt_id,
    "user": User.objects.first,
    "period": LedgerPeriod.objects.first,
}


def first_of(model: type[Model], field: str) -> Any:
    return FIRST[field]() if field in FIRST else model._meta.get_field(field).related_model.objects.first()


@pytest.mark.parametrize("name", BAD)
def test_constraint_refuses_what_breaks_it(rows, broken_books, name):
    label, changes = BAD[name]
    model = apps.get_model(label)
    found = model._base_manager.all()
    assert found.exists(), "nothing to break"
    changes = {
        field: first_of(model, field) if value == "first" else value for field, value in changes.items()
    }

    is_check = isinstance(named()[name], CheckConstraint)
    refusals = [
        refusal for rows in (each(found) if is_check else [found]) if (refusal := refused(rows, changes))
    ]
    assert refusals, "accepted"
    if is_check or connection.vendor == "postgresql":
        assert [refusal for refusal in refusals if name not in refusal] == []


def each(rows: QuerySet[Any]) -> list[QuerySet[Any]]:
    """One by one: which row a database refuses first is not defined, and no row may break another constraint too."""
    return [rows.filter(pk=key) for key in rows.values_list("pk", flat=True)]


def refused(rows: QuerySet[Any], changes: dict[str, Any]) -> str:
    """What the database says, or ""."""
    try:
        with transaction.atomic():
            with rewriting():
                rows.update(**changes)
            transaction.set_rollback(True)
    except IntegrityError as refusal:
        return str(refusal)
    return ""


def columns_since_the_release() -> Iterator[tuple[type[Model], dict[str, Any]]]:
    """By model of the release, the columns that it does not know, with what its rows have in them."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    nodes = [
        (label, RELEASED.get(label, "0001_initial"))
        for label in LABELS
        if label in loader.migrated_apps and label not in ADDED
    ]
    released = loader.project_state(nodes).models
    for label in LABELS:
        for model in apps.get_app_config(label).get_models():
            if (label, model._meta.model_name) in released:
                known = released[label, model._meta.model_name].fields
                new = [field for field in model._meta.concrete_fields if field.name not in known]
                yield model, {f.name: None if f.db_default is NOT_PROVIDED else f.db_default for f in new}


def test_rows_that_the_release_before_writes_are_accepted(rows, broken_books):
    """While an upgrade replaces its processes, they fill only the columns that they know."""
    unknown = {model: columns for model, columns in columns_since_the_release() if columns}
    assert "decided_at" in unknown[PaymentAttempt]
    with rewriting():
        for model, columns in unknown.items():
            assert model._base_manager.update(**columns), model
    connection.check_constraints()


def test_every_constraint_has_an_entry():
    assert set(BAD) == set(named())


@pytest.mark.parametrize(
    ("model", "column"),
    [(model, column) for model in set_once_models().values() for column in model.set_once],
)
def test_column_that_is_set_once_keeps_its_value(rows, model, column):
    found = model._base_manager.all()
    with rewriting():
        assert found.update(**{column: Now()})
    for other in (None, timezone.now() + timedelta(days=1)):
        with pytest.raises(IntegrityError, match="set once"), transaction.atomic():
            found.update(**{column: other})


@pytest.mark.parametrize(
    ("model", "label"),
    [(model, label) for label in LABELS for model in apps.get_app_config(label).get_models()],
)
def test_referenced_row_cannot_be_deleted(model, label):
    """Deleting an order, a payment or a user never deletes their history."""
    for field in model._meta.get_fields():
        if field.one_to_many and field.auto_created and field.related_model._meta.app_label in LABELS:
            cascades = field.on_delete.__name__ == "CASCADE"
            allowed = {("Cart", "CartItem"), ("User", "AuthToken"), ("StockImport", "StockImportRow")}
            allowed |= {("Journey", "JourneyProblem"), ("Export", "ExportChunk")}  # both are purged
            allowed |= {("TaxZone", "TaxZoneArea"), ("ShippingZone", "ShippingZoneArea")}  # parts of one form
            allowed |= {
                ("ShippingMethod", "ShippingRate"),
                ("Product", "ProductPrice"),
                ("TaxId", "TaxIdNotice"),
            }
            assert not cascades or (model.__name__, field.related_model.__name__) in allowed, field


def test_uniqueness_is_tested_with_two_rows(rows):
    assert Payment.objects.count() == 4
    assert PaymentAttempt.objects.exclude(provider="manual").count() == 2
    for model in (
        Capture,
        Dispute,
        PaymentFlag,
        ProviderCall,
        PaymentMethodInfo,
        WebhookEvent,
        RefundLine,
    ):
        assert model.objects.count() == 2, model
    assert Cart.objects.count() == 2
