"""Short digests of what a page or a client was shown, which it sends back."""

from hashlib import sha256

LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")


def short_digest(text: str, length: int) -> str:
    """`length` letters a to p with four bits each of the SHA-256 of the text.

    Letters, because hex digits may look like a card number, and what looks like one is refused when it is sent back.
    """
    return sha256(text.encode()).hexdigest()[:length].translate(LETTERS)
