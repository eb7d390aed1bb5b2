"""Texts for people: collect them for translators, and find those that are not marked for translation.

`make messages` writes locale/django.pot; `python -m scripts.messages check` (part of `make check`) compares that file
with the sources and lists unmarked texts. Babel replaces GNU gettext, so nothing has to be installed.
"""

import io
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.pofile import write_po
from django.conf import settings
from django.utils.translation.template import templatize

from scripts import unmarked

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "locale/django.pot"
PACKAGES = ("artisans", "orders", "payments", "carts")
# What stays English: tests, migrations, the demo's data, guides for developers; backups, metrics and heartbeats, which
# operators see beside those of other programs; and errors of providers, which staff and logs see beside the providers'
# own English ones.
ENGLISH_ONLY = {
    "tests",
    "migrations",
    "demo",
    "demo.py",
    "docs",
    "backups",
    "management",
    "setup.py",
    "heartbeats.py",
    "hosts.py",
    "metrics.py",
    "formats",
    "providers",
}
INSTRUCTIONS = "payments/providers/manual/provider.py"  # the only provider module with texts for buyers
LAZY = ("gettext_lazy", "ngettext_lazy", "pgettext_lazy", "npgettext_lazy")
KEYWORDS = (
    DEFAULT_KEYWORDS
    | {"gettext_noop": None}
    | {name: DEFAULT_KEYWORDS[name.removesuffix("_lazy")] for name in LAZY}
)
HEADER = "# English texts of Artisans Alley, the template of every translation. Written by `make messages`."


def sources() -> Iterator[Path]:
    """Python files and templates with texts for people, in a stable order."""
    found = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    found += [path for path in (ROOT / "templates").rglob("*") if path.suffix in {".html", ".txt"}]
    for path in sorted(found):
        place = path.relative_to(ROOT)
        if not ENGLISH_ONLY & set(place.parts) or place == Path(INSTRUCTIONS):
            yield path


def catalog() -> Catalog:
    """Every marked text with its translators' comments and the files that it comes from."""
    texts = Catalog(project="Artisans Alley", header_comment=HEADER, fuzzy=False)
    for path in sources():
        code = path.read_text()
        if path.suffix != ".py":  # in parentheses, so that the indentation of HTML means nothing to Python
            code = f"({templatize(code)})"
        for line, message, comments, context in extract(
            "python", io.BytesIO(code.encode()), keywords=KEYWORDS, comment_tags=("Translators:",)
        ):
            texts.add(
                message,
                locations=[(str(path.relative_to(ROOT)), line)],
                auto_comments=comments,
                context=context,
            )
    return texts


def as_text(texts: Catalog) -> str:
    """A .pot file without dates, versions and line numbers, which would change with every edit."""
    out = io.BytesIO()
    write_po(out, texts, width=100, sort_output=True, include_lineno=False)
    head, _blank, entries = out.getvalue().decode().partition("\n\n")
    kept = [
        line
        for line in head.splitlines()
        if not line.startswith('"') or line.startswith(('"MIME', '"Content'))
    ]
    return "\n".join([*kept, "", entries])


def check() -> list[str]:
    """One line for each problem; empty if there are none."""
    faults = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in [*sources(), *(ROOT / "static/js").glob("*.js")]
        for line, text in unmarked.texts(path)
    ]
    if not TEMPLATE.exists() or TEMPLATE.read_text() != as_text(catalog()):
        faults.append(f"{TEMPLATE.relative_to(ROOT)} differs from the sources: make messages")
    return faults


def main() -> int:
    settings.configure(USE_I18N=True)
    if sys.argv[1:] == ["check"]:
        faults = check()
        print("\n".join(faults))
        if len(faults) > 1:
            folders = Counter("/".join(fault.split(":")[0].split("/")[:2]) for fault in faults)
            print(*(f"{folder} {count}" for folder, count in folders.most_common()), sep=", ")
        return int(bool(faults))
    texts = catalog()
    TEMPLATE.parent.mkdir(exist_ok=True)
    TEMPLATE.write_text(as_text(texts))
    print(f"{TEMPLATE.relative_to(ROOT)} holds {len(texts)} texts.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
