from payments.models.attempt import DECIDED_AT, AttemptOutcome, DeclineReason, PaymentAttempt
from payments.models.capture import Capture, Dispute, DisputeTransition
from payments.models.cash_deposit import CashDeposit, CashDepositLine, DepositStatus
from payments.models.earning import Earning, EarningStatus, RefundShare
from payments.models.fraud_warning import FraudType, FraudWarning
from payments.models.payment import Payment, PaymentTransition
from payments.models.provider_alert import ProviderAlert
from payments.models.provider_call import CallState, Operation, ProviderCall
from payments.models.provider_movement import Explanation, ProviderMovement
from payments.models.provider_request import ProviderRequest
from payments.models.receipt import Receipt, ReceiptReversal, ReversalReason
from payments.models.reconciliation_run import ReconciliationRun
from payments.models.refund import (
    Bearer,
    PaidFrom,
    PaymentRefund,
    RefundDecision,
    RefundLine,
    RefundOrigin,
    RefundTransition,
)
from payments.models.review_flag import FlagKind, PaymentFlag
from payments.models.saved_method import PaymentMethodInfo, ProviderCustomer
from payments.models.transaction import Transaction
from payments.models.webhook_event import EventState, WebhookEvent
from payments.models.webhook_refusal import RefusalReason, WebhookRefusal

__all__ = [
    "DECIDED_AT",
    "AttemptOutcome",
    "Bearer",
    "CallState",
    "Capture",
    "CashDeposit",
    "CashDepositLine",
    "DeclineReason",
    "DepositStatus",
    "Dispute",
    "DisputeTransition",
    "Earning",
    "EarningStatus",
    "EventState",
    "Explanation",
    "FlagKind",
    "FraudType",
    "FraudWarning",
    "Operation",
    "PaidFrom",
    "Payment",
    "PaymentAttempt",
    "PaymentFlag",
    "PaymentMethodInfo",
    "PaymentRefund",
    "PaymentTransition",
    "ProviderAlert",
    "ProviderCall",
    "ProviderCustomer",
    "ProviderMovement",
    "ProviderRequest",
    "Receipt",
    "ReceiptReversal",
    "ReconciliationRun",
    "RefundDecision",
    "RefundLine",
    "RefundOrigin",
    "RefundShare",
    "RefundTransition",
    "RefusalReason",
    "ReversalReason",
    "Transaction",
    "WebhookEvent",
    "WebhookRefusal",
]
