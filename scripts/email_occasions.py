"""When each kind of email is sent, for the reference. A kind that is missing here fails the build of the documentation."""

OCCASIONS = {
    # accounts
    "account_changed": "Password, address, second factor, tokens or sessions of the account have changed. If the main address was changed, to the former one.",
    "setting_changed": "A setting, role or account that affects money or access was changed, by whomever.",
    "artisan_access_changed": "Somebody else may now act for the workshop, or orders go to another address. To the former address too.",
    "email_confirmation": "An account was created, or an address added.",
    "password_reset": "A new password was requested for an account.",
    "unknown_account": "A new password was requested for an address without an account.",
    "data_erased": "The personal data of an account or a guest is being erased; the last email to this address.",
    # approvals
    "approval_requested": "A colleague's action needs approval; to each person who can give it.",
    "approval_decided": "The request was approved or rejected, or has expired; to the person who made it.",
    # parcels
    "parcel_new": "The order was paid, or is paid on delivery: the parcel can be shipped.",
    "parcel_waits_for_payment": "The payment of an order that was already paid was taken back, before the parcel was shipped.",
    "parcel_paid_again": "Such an order has been paid after all.",
    "parcel_reduced": "Items of a parcel that was not shipped were refunded and restocked.",
    "parcel_cancelled": "The order or the parcel was cancelled.",
    "parcel_on_hold": "A parcel that was not shipped was refunded in full, and staff have not decided about it.",
    "parcel_resumed": "Staff decided that it is to be shipped.",
    "parcel_expected_back": "Staff agreed on a return with the buyer.",
    "parcel_shipped": "The artisan has shipped a parcel, or a part of it; one for each shipment.",
    "shipment_corrected": "The artisan corrected the carrier or tracking number of a shipment that has not arrived.",
    "commission_raised": "Staff added a commission rate that takes more of this artisan's sales; to each artisan, when it is added.",
    "return_requested": "Staff ask the buyer to send a parcel back.",
    # artisans' money
    "balance_owed": "The artisan has owed the shop money for as many days as the store rules say; once.",
    # workshops
    "stock_low": "Products have fallen to the number at which their artisan wants to be told, or are sold out; at most every five minutes, and again only after the stock rose.",
    # orders and payments
    "order_placed": "An order was placed, or its payment method changed, with payment by bank transfer or check: amount, account, reference.",
    "cod_confirmed": "An order was placed with cash on delivery.",
    "order_find": "The link to an order was requested under *Find my order*; once an hour at most.",
    "order_cancelled": "The order was cancelled, by buyer or staff.",
    "order_expired": "The order was not paid in time.",
    "payment_open": "Ten minutes after a card or PayPal payment was begun and not completed; once.",
    "payment_due": "In the last two days before a transfer or check is due; once.",
    "payment_received": "A payment has arrived, and nothing remains to be paid.",
    "payment_partly_received": "A payment has arrived that does not cover the order.",
    "payment_rejected": "Staff rejected an offline payment.",
    "receipt_reversed": "Staff reversed a receipt, for example because the bank returned the payment.",
    "overpaid": "A payment has arrived that is more than was due.",
    "late_payment": "A payment has arrived for an order that was cancelled or has expired.",
    "offline_refund_sent": "Staff recorded a refund that they transferred, or that was paid in cash.",
    "refund_completed": "A provider has sent a refund.",
    "refund_failed": "A provider could not send a refund.",
    "buyer_parcel_cancelled": "One parcel of the order was cancelled.",
    "parcel_returned": "The return of a parcel was recorded.",
    "artisan_parcel_returned": "Staff recorded the return of a parcel.",
    "method_saved": "A card or PayPal account was saved to the account.",
    "method_removed": "A saved card or PayPal account was removed, by the owner or at the provider.",
}
