"""Files of pictures for tests."""

from base64 import b64decode
from io import BytesIO
from typing import Any

from PIL import Image

from artisans.catalog.models import Product, ProductPicture
from artisans.catalog.pictures import picture_show

# 64 × 64 pixels in lime: the libraries of the shop read such files, but write none.
HEIC = b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAVZtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAA"
    "ACJpbG9jAAAAAERAAAEAAQAAAAABegABAAAAAAAAABoAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRt"
    "AAAAAAABAAAA1mlwcnAAAAC3aXBjbwAAAHhodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMA"
    "AAMAHroCQGEAAQArQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbqSSmubgIaDAgAAAMAyAAAAwAIQGIAAQAHRAHBcrAiQAAAABNjb2xy"
    "bmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABAAAAAQAAAABBwaXhpAAAAAAMICAgAAAAXaXBtYQAAAAAAAAABAAEEgQIDBAAAACJt"
    "ZGF0AAAAFigBrxmA93yFN7Tu+Z/80k7/ncFeLRw="
)


def encoded(image: Image.Image, name: str = "PNG", **options: Any) -> bytes:
    made = BytesIO()
    image.save(made, name, **options)
    return made.getvalue()


def png(width: int = 8, height: int = 8, colour: str = "red") -> bytes:
    return encoded(Image.new("RGB", (width, height), colour))


def ready_picture(product: Product, token: str = "a" * 32) -> ProductPicture:
    """With copies in two widths, none of which is stored."""
    sizes = {
        f"products/{token}-{width}.{ending}": [width, width * 3 // 4]
        for width in (320, 960)
        for ending in ("webp", "jpg")
    }
    return picture_show(product=product, sizes=sizes, alt="A bowl")
