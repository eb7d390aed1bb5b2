"""What a file says about itself before anything decodes it: its format, and how many pixels it has.

In plain Python, because the web process reads files of strangers: no library with a decoder sees them there.
"""

from collections.abc import Callable
from struct import error as StructError  # noqa: N812  # an exception
from struct import unpack_from
from typing import NamedTuple

START = 0xFF  # of a marker, after any number of the same as filling
JPEG_SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # markers of segments with the size
JPEG_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a segment
AVIF = {b"avif", b"avis"}
HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
MOST_PARTS = 1000  # looked at in one file; a phone's picture has some fifty tiles

Size = tuple[int, int]


class Header(NamedTuple):
    format: str
    width: int
    height: int


class UnknownFormat(ValueError):
    """The file begins like no picture that we know."""


class Damaged(ValueError):
    """The file begins like a picture, but does not say its size."""


def read_header(content: bytes) -> Header:
    """Errors: UnknownFormat, Damaged."""
    name, read = recognise(content)
    try:
        width, height = read(content)
    except (StructError, IndexError, KeyError) as error:
        raise Damaged(name) from error
    if not (width and height):
        raise Damaged(name)
    return Header(name, width, height)


def recognise(content: bytes) -> tuple[str, Callable[[bytes], Size]]:
    if content.startswith(b"\xff\xd8\xff"):
        return "JPEG", jpeg_size
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG", png_size
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WebP", webp_size
    if content[4:8] == b"ftyp":
        brands = {content[8:12], *(content[place : place + 4] for place in range(16, content[3] + 1, 4))}
        if brands & AVIF:
            return "AVIF", item_size
        if brands & HEIC:
            return "HEIC", item_size
    raise UnknownFormat


def png_size(content: bytes) -> Size:
    if content[12:16] != b"IHDR":
        raise KeyError("IHDR")
    width, height = unpack_from(">II", content, 16)
    return width, height


def jpeg_size(content: bytes) -> Size:
    place = 2
    for _segment in range(MOST_PARTS):
        if content[place] != START:
            break
        marker = content[place + 1]
        if marker in JPEG_SIZES:
            height, width = unpack_from(">HH", content, place + 5)
            return width, height
        if marker == START:
            place += 1
        elif marker in JPEG_ALONE:
            place += 2
        else:
            place += 2 + unpack_from(">H", content, place + 2)[0]
    raise KeyError("SOF")


def webp_size(content: bytes) -> Size:
    kind = content[12:16]
    if kind == b"VP8X":
        wide, wide_high, high, high_high = unpack_from("<HBHB", content, 24)
        return (wide | wide_high << 16) + 1, (high | high_high << 16) + 1
    if kind == b"VP8L":
        [bits] = unpack_from("<I", content, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = unpack_from("<HH", content, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise KeyError(kind)


def item_size(content: bytes) -> Size:
    """The largest size in the file: that of the picture, or of one more cautious."""
    sizes: list[Size] = []
    place = content.find(b"ispe")
    while place >= 0 and len(sizes) < MOST_PARTS:
        width, height = unpack_from(">II", content, place + 8)
        sizes.append((width, height))
        place = content.find(b"ispe", place + 4)
    return max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))
