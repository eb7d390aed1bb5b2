"""A program of its own: makes the copies of one uploaded picture that pages show, and is killed if it takes too long.

    python picture_encoder.py FOLDER

reads FOLDER/original and writes copies in several widths, each as WebP and as JPEG: upright, in sRGB, without
metadata, and of an animation the first frame. It prints their sizes as JSON ({"640.webp": [640, 480], …}), or why
there are none ({"refusal": "damaged"}). Whatever the file does to the libraries that decode it happens here, with a
limit of time and memory and without database or keys. It imports nothing of the shop, so that it starts at once.
"""

import json
import resource
import sys
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import AvifImagePlugin, Image, ImageCms, ImageOps

with suppress(ImportError):  # a platform without it: such pictures are refused
    import pi_heif

    pi_heif.register_heif_opener(thumbnails=False, decode_threads=1)

MAX_PIXELS = 60_000_000
MAX_SIDE = 2000  # of copies
WIDTHS = (320, 640, 1280)  # and the picture's own
SECONDS, MEMORY = 30, 2 * 1024**3  # of the processor; in bytes of address space
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF")
GRAY_MODES = ("1", "I", "F", "I;16", "I;16B", "I;16L")


class TooComplex(Exception):
    """Too many pixels, whatever the header said."""


def main(folder: Path) -> None:
    # The second limit kills: if both were the same, it would not be known why the program ended.
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 5))
    with suppress(ValueError, OSError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    try:
        answer: dict[str, Any] = make_copies(folder / "original", folder)
    except (MemoryError, TooComplex, Image.DecompressionBombError):
        answer = {"refusal": "complex"}
    except Exception:  # decoders raise all kinds of errors
        answer = {"refusal": "damaged"}
    sys.stdout.write(json.dumps(answer))


def make_copies(original: Path, folder: Path, *, effort: int = 4) -> dict[str, tuple[int, int]]:
    """`effort`: of WebP, from 0 (fast) to 6 (small)."""
    image = load(original)
    sizes: dict[str, tuple[int, int]] = {}
    for width in (*(width for width in WIDTHS if width < image.width), image.width):
        copy = smaller(image, width)
        copy.save(folder / f"{width}.webp", quality=80, method=effort)
        flat(copy).save(folder / f"{width}.jpg", quality=82, progressive=effort > 0)
        sizes |= {f"{width}.{ending}": copy.size for ending in ("webp", "jpg")}
    return sizes


def load(path: Path) -> Image.Image:
    """The picture as RGB or RGBA, at most MAX_SIDE wide and high. Errors: TooComplex, and those of Pillow."""
    with Image.open(path, formats=FORMATS) as file:
        if file.width * file.height > MAX_PIXELS:
            raise TooComplex
        profile = file.info.get("icc_profile")
        image = simple(file)
        image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
        image.load()
    image = in_srgb(ImageOps.exif_transpose(image), profile)
    image.info.clear()  # otherwise files keep comments and profiles
    return image


def simple(image: Image.Image) -> Image.Image:
    """In a mode that can be resized."""
    if image.mode in GRAY_MODES and image.mode != "1":
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")  # of 16 bits
    if image.mode in {"1", "P", "PA", "LA", "La", "RGBa"}:
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image


def in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    mode = "RGBA" if image.has_transparency_data else "RGB"
    if profile:
        with suppress(ImageCms.PyCMSError, OSError):  # a profile that does not fit the picture
            own = ImageCms.ImageCmsProfile(BytesIO(profile))
            made = ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"), outputMode=mode)
            image = made or image
    return image.convert(mode)


def smaller(image: Image.Image, width: int) -> Image.Image:
    if width == image.width:
        return image
    height = max(1, image.height * width // image.width)
    return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)


def flat(image: Image.Image) -> Image.Image:
    """JPEG has no transparency: on white, like the pages."""
    if image.mode == "RGB":
        return image
    page = Image.new("RGB", image.size, "white")
    page.paste(image, mask=image.getchannel("A"))
    return page


if __name__ == "__main__":
    main(Path(sys.argv[1]))
