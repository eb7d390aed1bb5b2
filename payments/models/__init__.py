from payments.models.alert import ProviderAlert
from payments.models.call import CallState, Operation, ProviderCall
from payments.models.capture import Capture, Dispute, DisputeTransition
from payments.models.comparison import Comparison
from payments.models.flag import FlagKind, PaymentFlag
from payments.models.method import PaymentMethodInfo, ProviderCustomer
from payments.models.payment import Payment, PaymentTransition
from payments.models.receipt import Receipt, ReceiptReversal, ReversalReason
from payments.models.refund import (
    PaymentRefund,
    RefundDecision,
    RefundLine,
    RefundOrigin,
    RefundTransition,
)
from payments.models.webhook import EventState, WebhookEvent

__all__ = [
    "CallState",
    "Capture",
    "Comparison",
    "Dispute",
    "DisputeTransition",
    "EventState",
    "FlagKind",
    "Operation",
    "Payment",
    "PaymentFlag",
    "PaymentMethodInfo",
    "PaymentRefund",
    "PaymentTransition",
    "ProviderAlert",
    "ProviderCall",
    "ProviderCustomer",
    "Receipt",
    "ReceiptReversal",
    "RefundDecision",
    "RefundLine",
    "RefundOrigin",
    "RefundTransition",
    "ReversalReason",
    "WebhookEvent",
]
