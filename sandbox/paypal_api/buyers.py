"""The test buyers on the approval page, each with a different result."""

from dataclasses import dataclass

from sandbox.http_messages import Json


@dataclass(frozen=True)
class Buyer:
    name: str  # in the control API
    label: str
    payer_id: str
    given_name: str
    surname: str
    obstacle: str = ""  # the issue with the first instrument when the shop captures
    pending: str | None = None  # the capture is pending for this reason
    outcome: str = "COMPLETED"  # of the capture, after `async_seconds` when it was pending
    disputes: bool = False  # opens a dispute later
    processor: tuple[tuple[str, str], ...] = ()  # what the card's bank answered

    @property
    def email(self) -> str:
        return f"{self.name}@buyers.example"

    @property
    def payer(self) -> Json:
        return {
            "name": {"given_name": self.given_name, "surname": self.surname},
            "email_address": self.email,
            "payer_id": self.payer_id,
            "address": {"country_code": "US"},
        }

    @property
    def wallet(self) -> Json:
        return {
            "email_address": self.email,
            "account_id": self.payer_id,
            "account_status": "VERIFIED",
            "name": {"given_name": self.given_name, "surname": self.surname},
            "address": {"country_code": "US"},
        }


BUYERS = (
    Buyer("pays", "Pays", "PAYS2SANDBX22", "Pat", "Payer"),
    Buyer(
        "declined", "Card is declined, another one works", "DECL2NED22222", "Dana", "Declined",
        obstacle="INSTRUMENT_DECLINED",
    ),
    Buyer("review", "Pending review, then completed", "REV2EW2222222", "Robin", "Review", pending="PENDING_REVIEW"),
    Buyer(
        "denied", "Pending review, then denied", "DEN2ED2222222", "Noel", "Denied",
        pending="PENDING_REVIEW", outcome="DECLINED",
    ),
    Buyer("echeck", "Pays by e-check, completed later", "ECHECK2222222", "Erin", "Echeck", pending="ECHECK"),
    Buyer(
        "refused", "Approves, but the capture is declined", "REFUSED222222", "Remy", "Refused", outcome="DECLINED",
        processor=(("avs_code", "Z"), ("cvv_code", "M"), ("response_code", "5120")),
    ),
    Buyer(
        "confirms", "Must confirm once more when the shop captures", "C2NFRMS222222", "Connie", "Confirms",
        obstacle="PAYER_ACTION_REQUIRED",
    ),
    Buyer("disputed", "Pays, disputed later", "D2SPUTED22222", "Dee", "Disputed", disputes=True),
)  # fmt: skip
BY_NAME = {buyer.name: buyer for buyer in BUYERS}
INSTRUMENTS = (
    ("bank", "Bank account"),
    ("card", "Card that is declined"),
    ("unconfirmed", "PayPal balance, asks once more"),
)
