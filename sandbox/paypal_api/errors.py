"""Errors in PayPal's format. https://developer.paypal.com/api/rest/responses/

The messages are those of PayPal's API descriptions (checkout_orders_v2, payments_payment_v2, vault_payment_tokens_v3).
"""

import secrets

from sandbox.http_messages import Json, ProviderError

MESSAGES = {
    "INVALID_REQUEST": "Request is not well-formed, syntactically incorrect, or violates schema.",
    "AUTHENTICATION_FAILURE": (
        "Authentication failed due to missing authorization header, or invalid authentication credentials."
    ),
    "NOT_AUTHORIZED": "Authorization failed due to insufficient permissions.",
    "RESOURCE_NOT_FOUND": "The specified resource does not exist.",
    "RESOURCE_CONFLICT": "The server has detected a conflict while processing this request.",
    "UNPROCESSABLE_ENTITY": (
        "The requested action could not be performed, semantically incorrect, or failed business validation."
    ),
    "RATE_LIMIT_REACHED": "Too many requests. Blocked due to rate limiting.",
    "INTERNAL_SERVER_ERROR": "An internal server error occurred.",
    "SERVICE_UNAVAILABLE": "Service Unavailable.",
}
ISSUES = {
    "CITY_REQUIRED": "The specified country requires a city (address.admin_area_2).",
    "INVALID_COUNTRY_CODE": (
        "Country code is invalid. Please refer to https://developer.paypal.com/api/rest/reference/country-codes/ "
        "for a list of supported country codes."
    ),
    "POSTAL_CODE_REQUIRED": "The specified country requires a postal code.",
    "SHIPPING_ADDRESS_INVALID": "Provided shipping address is invalid.",
    "PERMISSION_DENIED": "You do not have permission to access or perform operations on this resource.",
    # 400
    "INVALID_ARRAY_MAX_ITEMS": "The number of items in an array parameter is too large.",
    "INVALID_ARRAY_MIN_ITEMS": "The number of items in an array parameter is too small.",
    "INVALID_PARAMETER_SYNTAX": "The value of a field does not conform to the expected format.",
    "INVALID_PARAMETER_VALUE": "A parameter value is not valid.",
    "INVALID_STRING_LENGTH": "The value of a field is either too short or too long",
    "MALFORMED_REQUEST_JSON": "The request JSON is not well formed.",
    "MISSING_REQUIRED_PARAMETER": "A required parameter is missing.",
    "NOT_SUPPORTED": "This field is not currently supported.",
    "PAYPAL_REQUEST_ID_REQUIRED": (
        "A PayPal-Request-Id is required if you are trying to process payment for an Order. Please specify a "
        "PayPal-Request-Id or Create the Order without a 'payment_source' specified."
    ),
    # 404 and 409
    "INVALID_RESOURCE_ID": "Specified resource ID does not exist. Please check the resource ID and try again.",
    "PREVIOUS_REQUEST_IN_PROGRESS": (
        "A previous request on this resource is currently in progress. Please wait for sometime and try again. It is "
        "best to space out the initial and the subsequent request(s) to avoid receiving this error."
    ),
    # 422, orders
    "AMOUNT_CHANGE_NOT_ALLOWED": "The amount specified is different from the amount authorized by payer.",
    "AMOUNT_MISMATCH": (
        "Should equal item_total + tax_total + shipping + handling + insurance - shipping_discount - discount."
    ),
    "CANNOT_BE_NEGATIVE": (
        "Must be greater than or equal to 0. If the currency supports decimals, only two decimal place precision is "
        "supported."
    ),
    "CANNOT_BE_ZERO_OR_NEGATIVE": (
        "Must be greater than zero. If the currency supports decimals, only two decimal place precision is supported."
    ),
    "DECIMALS_NOT_SUPPORTED": (
        "Currency does not support decimals. Please refer to "
        "https://developer.paypal.com/docs/api/reference/currency-codes/ for more information."
    ),
    "DECIMAL_PRECISION": "If the currency supports decimals, only two decimal place precision is supported.",
    "DUPLICATE_INVOICE_ID": (
        "Duplicate Invoice ID detected. To avoid a potential duplicate transaction your account setting requires that "
        "Invoice Id be unique for each transaction."
    ),
    "INSTRUMENT_DECLINED": (
        "The instrument presented  was either declined by the processor or bank, or it can't be used for this payment."
    ),
    "INVALID_CURRENCY_CODE": (
        "Currency code is invalid or is not currently supported. Please refer "
        "https://developer.paypal.com/api/rest/reference/currency-codes/ for list of supported currency codes."
    ),
    "INVALID_JSON_POINTER_FORMAT": (
        "Path should be a valid JSON Pointer https://tools.ietf.org/html/rfc6901 that references a location within "
        "the request where the operation is performed."
    ),
    "ITEM_TOTAL_MISMATCH": (
        "Should equal sum of (unit_amount * quantity) across all items for a given purchase_unit."
    ),
    "ITEM_TOTAL_REQUIRED": (
        "If item details are specified (items.unit_amount and items.quantity) corresponding "
        "amount.breakdown.item_total is required."
    ),
    "MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED": "You have exceeded the maximum number of payment attempts.",
    "MAX_VALUE_EXCEEDED": "Should be less than or equal to 999999999999999.99.",
    "MULTI_CURRENCY_ORDER": (
        "Multiple differing values of currency_code are not supported. Entire Order request must have the same "
        "currency_code."
    ),
    "ORDER_ALREADY_CAPTURED": (
        "Order already captured.If 'intent=CAPTURE' only one capture per order is allowed."
    ),
    "ORDER_ALREADY_COMPLETED": "The order cannot be patched after it is completed.",
    "ORDER_COMPLETED_OR_VOIDED": "Order is voided or completed and hence cannot be authorized.",
    "ORDER_NOT_APPROVED": (
        "Payer has not yet approved the Order for payment. Please redirect the payer to the 'rel':'approve' url "
        "returned as part of the HATEOAS links within the Create Order call or provide a valid `payment_source` in "
        "the request."
    ),
    "PAYEE_ACCOUNT_INVALID": (
        "Payee account specified is invalid. Please check the `payee.email_address` or `payee.merchant_id` specified "
        "and try again. Ensure that either  `payee.merchant_id` or `payee.email_address` is specified."
    ),
    "PAYEE_ACCOUNT_LOCKED_OR_CLOSED": "The merchant account is locked or closed.",
    "PAYEE_ACCOUNT_RESTRICTED": "The merchant account is restricted.",
    "PAYEE_BLOCKED_TRANSACTION": (
        "The Fraud settings for this seller are such that this payment cannot be executed."
    ),
    "PAYER_ACCOUNT_LOCKED_OR_CLOSED": "The payer account cannot be used for this transaction.",
    "PAYER_ACCOUNT_RESTRICTED": "PAYER_ACCOUNT_RESTRICTED",
    "PAYER_CANNOT_PAY": "Combination of payer and payee settings mean that this buyer cannot pay this seller.",
    "TAX_TOTAL_MISMATCH": "Should equal sum of (tax * quantity) across all items for a given purchase_unit.",
    "TAX_TOTAL_REQUIRED": (
        "If item details are specified (items.tax_total and items.quantity) corresponding amount.breakdown.tax_total "
        "is required."
    ),
    "TOKEN_ID_NOT_FOUND": "Specified token was not found. Verify the token and try the request again.",
    "TRANSACTION_LIMIT_EXCEEDED": "Total payment amount exceeded transaction limit.",
    "TRANSACTION_REFUSED": "The request was refused.",
    # 422, refunds
    "CAPTURE_FULLY_REFUNDED": "The capture has already been fully refunded",
    "MAX_NUMBER_OF_REFUNDS_EXCEEDED": "You have exceeded the maximum number of refund attempts for this capture.",
    "PENDING_CAPTURE": (
        "Cannot initiate a refund as the capture is pending. Capture is typically pending when the payer has funded "
        "the transaction using e-check/bank funded."
    ),
    "REFUND_AMOUNT_EXCEEDED": (
        "The refund amount must be less than or equal to the capture amount that has not yet been refunded."
    ),
    "REFUND_CAPTURE_CURRENCY_MISMATCH": "Refund must be in the same currency as the capture",
    "REFUND_FAILED_INSUFFICIENT_FUNDS": (
        "Capture could not be refunded due to insufficient funds. Please check to see if you have sufficient funds in "
        "your PayPal account or if the bank account linked to your PayPal account is verified and has sufficient funds."
    ),
    "REFUND_NOT_ALLOWED": "Capture cannot be refunded.",
    "REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK": (
        "Refunds are not allowed on this capture due to a chargeback on the card or bank. Please contact the payee to "
        "resolve the chargeback."
    ),
    "REFUND_TIME_LIMIT_EXCEEDED": "You are over the time limit to perform a refund on this capture",
    "TRANSACTION_DISPUTED": (
        "Partial refunds cannot be offered at this time because there is an open case on this transaction. Visit the "
        "PayPal Resolution Center to review this case."
    ),
    # 422, vault
    "PAYPAL_REQUEST_ID_PREVIOUSLY_USED": "The PayPal-Request-ID has already been used for another request.",
    "PAYER_ACTION_REQUIRED": (  # also of orders
        "Transaction cannot complete successfully, instruct the buyer to return to PayPal."
    ),
    "SETUP_TOKEN_ALREADY_TOKENIZED": (
        "The setup token has been used previously to generate a payment token."
    ),
}


class ApiError(ProviderError):
    """An error response."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(status, body.get("error_description") or issue_of(body) or str(body.get("message")))
        self.body = body


def issue_of(body: Json) -> str | None:
    details = body.get("details")
    return f"{details[0]['issue']}: {details[0]['description']}" if details else None


def problem(status: int, name: str, *details: Json, links: list[Json] | None = None) -> ApiError:
    about = details[0]["issue"] if details else name
    information = {
        "href": f"https://developer.paypal.com/docs/api/orders/v2/#error-{about}",
        "rel": "information_link",
        "method": "GET",
    }
    body: Json = {"name": name, "message": MESSAGES[name], "debug_id": secrets.token_hex(7)[:13]}
    if details:
        body["details"] = list(details)
    return ApiError(status, body | {"links": [information, *(links or [])]})


def detail(issue: str, **where: str) -> Json:
    """`where`: field (a JSON pointer), value, location."""
    return {"issue": issue, "description": ISSUES[issue]} | where


def invalid(issue: str, field: str, value: str = "", location: str = "body") -> ApiError:
    where = {"field": field, "location": location} | ({"value": value} if value else {})
    return problem(400, "INVALID_REQUEST", detail(issue, **where))


def refused(issue: str, field: str | None = None, links: list[Json] | None = None) -> ApiError:
    """A valid request that the current state does not allow."""
    where = {"field": field, "location": "body"} if field else {}
    return problem(422, "UNPROCESSABLE_ENTITY", detail(issue, **where), links=links)


def missing_resource(field: str, value: str) -> ApiError:
    return problem(
        404,
        "RESOURCE_NOT_FOUND",
        detail("INVALID_RESOURCE_ID", field=field, value=value[:100], location="path"),
    )


def in_progress() -> ApiError:
    return problem(409, "RESOURCE_CONFLICT", detail("PREVIOUS_REQUEST_IN_PROGRESS"))


def unauthorized(error: str, description: str) -> ApiError:
    """An OAuth error, which PayPal returns for rejected tokens and client credentials."""
    return ApiError(401, {"error": error, "error_description": description})
