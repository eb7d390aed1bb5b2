"""What a buyer reads when a payment was refused. One sentence per group; the provider's own text is never shown."""

from payments.providers.contract import DeclineGroup

D = DeclineGroup
WORDS: dict[DeclineGroup, str] = {
    D.DECLINED: "Your bank refused the payment and does not tell us why. Another card, or your bank, can help.",
    D.OTHER_CARD: "This card cannot be used for the payment. Please try another card or another way to pay.",
    D.FUNDS: "There is not enough money on the card. Please try another card or another way to pay.",
    D.FIX_DATA: "A number, the date or the security code of the card is wrong. Please check it and try again.",
    D.AUTHENTICATION: "Your bank could not confirm that it is you. Please try again, or pay another way.",
    D.TRY_AGAIN: "Something went wrong on the way to your bank. Please try again in a moment.",
}
NOT_STARTED = "The payment could not be started. Please choose another way to pay, or try again later."


def decline_words(group: DeclineGroup | None) -> str:
    return WORDS[group or D.DECLINED]
