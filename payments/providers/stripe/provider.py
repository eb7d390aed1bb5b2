"""Cards by Stripe: PaymentIntents on our page, Checkout Sessions on Stripe's, refunds, saved cards, webhooks."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from payments.providers.contract import (
    Access,
    Capability,
    ChangedPayments,
    ConfirmRequest,
    CreateRequest,
    CustomerNotFound,
    ListedAttempt,
    ObjectNotFound,
    PaymentProvider,
    ProviderError,
    ProviderEvent,
    RefundRequest,
    Refused,
    RemoteBalance,
    RemoteMethod,
    RemoteMovement,
    RemotePayment,
    RemoteRefund,
    RemoteSetup,
    RemoteStatus,
    SaveRequest,
)
from payments.providers.http import read_server_time
from payments.providers.stripe.cards import StripeCards
from payments.providers.stripe.config import API_BASE, StripeConfig
from payments.providers.stripe.link import StripeLink, Stuck, row_of
from payments.providers.stripe.movements import balance_of, movements_between
from payments.providers.stripe.objects import parse_refund, payment_of, session_of
from payments.providers.stripe.reading import StripeReading
from payments.providers.stripe.requests import confirm_params, intent_params, refund_params, session_params
from payments.providers.stripe.webhooks import event_of

INTENT_ID = re.compile(r"pi_\w{1,250}", re.ASCII)
SESSION_ID = re.compile(r"cs_\w{1,250}", re.ASCII)
REFUND_ID = re.compile(r"(?:re|pyr)_\w{1,250}", re.ASCII)
PAYABLE = {RemoteStatus.OPEN, RemoteStatus.APPROVED, RemoteStatus.FAILED}
UNEXPECTED = "payment_intent_unexpected_state"
MOVING = {RemoteStatus.PROCESSING, RemoteStatus.SUCCEEDED}


class StripeProvider(PaymentProvider):
    """`payee` is empty, because a secret key belongs to one account, which receives all of its payments."""

    name: ClassVar[str] = "stripe"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability)

    def __init__(self, config: StripeConfig) -> None:
        self.config = config
        self.is_live = config.is_live
        self._link = StripeLink(config)
        self._reading = StripeReading(self._link)
        self._cards = StripeCards(self._link)

    # ---- creating ----------------------------------------------------------------------------------------------

    def create(self, request: CreateRequest) -> RemotePayment:
        return self._with_customer(request, self._create)

    def create_hosted(self, request: CreateRequest) -> RemotePayment:
        return self._with_customer(request, self._create_hosted)

    def _with_customer(
        self, request: CreateRequest, create: Callable[[CreateRequest], RemotePayment]
    ) -> RemotePayment:
        """Create with the known customer. One that no longer exists is replaced by a new one, except for a saved
        card, which went with its customer. A repeat is refused and replaced in the same way, with the same keys."""
        try:
            return create(request)
        except CustomerNotFound:
            if request.method_id or not request.customer_id:
                raise
            renewed = replace(request, customer_id="", key=f"{request.key}:renewed")
            return create(replace(renewed, customer_id=self._new_customer(renewed)))

    def _create(self, request: CreateRequest) -> RemotePayment:
        params = intent_params(request, self._customer_for(request))
        try:
            return self._link.execute_write(
                lambda api: api.v1.payment_intents.create(params, {"idempotency_key": request.key}),
                payment_of,
                self.read,
            )
        except Stuck:
            if found := self._reading.intent_of_call(request.key):
                return found
            raise

    def _create_hosted(self, request: CreateRequest) -> RemotePayment:
        params = session_params(request, self._customer_for(request))
        try:
            return self._link.execute_write(
                lambda api: api.v1.checkout.sessions.create(params, {"idempotency_key": request.key}),
                session_of,
                self.read,
            )
        except Stuck:
            if found := self._reading.session_of_call(request.key):
                return found
            raise

    def _customer_for(self, request: CreateRequest) -> str:
        """A method can only be saved for a customer; the first time one has to be created."""
        if request.customer_id or not request.save:
            return request.customer_id
        return self._new_customer(request)

    def _new_customer(self, request: CreateRequest) -> str:
        name = request.ship_to.name if request.ship_to else ""
        return self._cards.new_customer(
            key=request.key, payment_id=request.payment_id, email=request.email, name=name
        )

    # ---- reading -----------------------------------------------------------------------------------------------

    def read(self, object_id: str) -> RemotePayment:
        """Read a PaymentIntent or a Checkout Session."""
        return self.reread(object_id, known_attempts=())

    def reread(self, object_id: str, *, known_attempts: Collection[str]) -> RemotePayment:
        if INTENT_ID.fullmatch(object_id):
            return self._reading.intent(object_id, known_attempts)
        if SESSION_ID.fullmatch(object_id):
            return self._reading.session(object_id, known_attempts)
        raise ObjectNotFound("no_such_object", "Ids of Stripe payments start with pi_ or cs_.")

    def find_reference(self, object_ids: Sequence[str]) -> str:
        return next((self.read(one).reference for one in object_ids if INTENT_ID.fullmatch(one)), "")

    def list_payments(self, since: datetime, until: datetime) -> Iterator[RemotePayment]:
        """`until` is exclusive. A session stands for its intent. Secrets and addresses are left out."""
        return self._reading.between(since, until)

    def list_moved(self, since: datetime, until: datetime) -> Iterator[ChangedPayments]:
        return self._reading.moved(since, until)

    def list_attempts(self, since: datetime, until: datetime) -> Iterator[ListedAttempt]:
        return self._reading.attempts_between(since, until)

    def list_movements(self, since: datetime, until: datetime) -> Iterator[RemoteMovement]:
        return movements_between(self._link, since, until)

    def balance(self) -> list[RemoteBalance]:
        return balance_of(self._link)

    def check_access(self) -> list[Access]:
        return self._reading.access()

    def server_time(self) -> datetime:
        return read_server_time(self.config.api_base or API_BASE)

    # ---- confirming ----------------------------------------------------------------------------------------------

    def cancel(self, object_id: str, *, key: str) -> RemotePayment:
        """Cancel an intent, or expire a session. Raises only if it can still be paid."""
        try:
            self._end(object_id, key)
        except ObjectNotFound:
            raise
        except (Refused, Stuck):
            now = self.read(object_id)
            if now.status in PAYABLE:
                raise
            return now
        return self.read(object_id)

    def _end(self, object_id: str, key: str) -> None:
        if SESSION_ID.fullmatch(object_id):
            self._link.execute(
                lambda api: api.v1.checkout.sessions.expire(object_id, {}, {"idempotency_key": key})
            )
        elif INTENT_ID.fullmatch(object_id):
            self._link.execute(
                lambda api: api.v1.payment_intents.cancel(object_id, {}, {"idempotency_key": key})
            )
        else:
            raise ObjectNotFound("no_such_object")

    def confirm(self, request: ConfirmRequest) -> RemotePayment:
        """Pay with a saved card while the buyer is present. The amount is the intent's and cannot be changed here.

        A payment that is paid or processing already is returned as it is.
        """
        if not INTENT_ID.fullmatch(request.object_id):
            raise Refused("not_confirmable", "Only a PaymentIntent can be confirmed.")
        params = confirm_params(request)
        try:
            return self._link.execute_write(
                lambda api: api.v1.payment_intents.confirm(
                    request.object_id, params, {"idempotency_key": request.key}
                ),
                payment_of,
                self.read,
            )
        except Refused as refusal:
            if refusal.code != UNEXPECTED:
                raise
            return self._moving(request.object_id, refusal)
        except Stuck as stuck:
            return self._moving(request.object_id, stuck)

    def _moving(self, object_id: str, problem: ProviderError) -> RemotePayment:
        """The payment if its money moves or has moved despite the error; otherwise raise the error again."""
        now = self.read(object_id)
        if now.status not in MOVING:
            raise problem
        return now

    # ---- refunds -------------------------------------------------------------------------------------------------

    def refund(self, request: RefundRequest) -> RemoteRefund:
        params = refund_params(request)
        try:
            return self._link.execute_write(
                lambda api: api.v1.refunds.create(params, {"idempotency_key": request.key}),
                parse_refund,
                lambda refund_id: self.read_refund(refund_id, currency=request.amount.currency),
            )
        except Stuck:
            if found := self._reading.refund_of_call(request):
                return found
            raise

    def read_refund(self, refund_id: str, *, currency: str) -> RemoteRefund:
        if not REFUND_ID.fullmatch(refund_id):
            raise ObjectNotFound("no_such_object")
        return self._link.execute(lambda api: parse_refund(row_of(api.v1.refunds.retrieve(refund_id))))

    # ---- saved cards ---------------------------------------------------------------------------------------------

    def save_start(self, request: SaveRequest) -> RemoteSetup:
        return self._cards.save_start(request)

    def save_read(self, setup_id: str) -> RemoteSetup:
        return self._cards.save_read(setup_id)

    def save_token(self, request: SaveRequest, token: str) -> RemoteMethod:
        return self._cards.save_token(request, token)

    def has_customer(self, customer_id: str) -> bool:
        return self._cards.has_customer(customer_id)

    def save_on_payment(self, request: SaveRequest, object_id: str, *, is_wanted: bool) -> str:
        if not INTENT_ID.fullmatch(object_id):
            raise Refused("not_savable", "Only for a PaymentIntent; a session is created with this choice.")
        return self._cards.save_on_payment(request, object_id, is_wanted=is_wanted)

    def saved_methods(self, customer_id: str) -> list[RemoteMethod]:
        return self._cards.saved_methods(customer_id)

    def detach(self, method_id: str, *, key: str) -> None:
        self._cards.detach(method_id, key)

    def forget_customer(self, customer_id: str, *, key: str) -> None:
        self._cards.forget_customer(customer_id)

    # ---- webhooks ------------------------------------------------------------------------------------------------

    def parse_webhook(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
        return event_of(body, headers, self.config)
