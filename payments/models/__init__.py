from payments.models.payment import Payment, PaymentTransition
from payments.models.receipt import Receipt
from payments.models.refund import PaymentRefund, RefundTransition

__all__ = ["Payment", "PaymentRefund", "PaymentTransition", "Receipt", "RefundTransition"]
