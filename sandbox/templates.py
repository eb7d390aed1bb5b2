"""Renders the HTML files in pages/: `$name` is replaced, escaped unless it is Markup."""

from functools import cache
from html import escape
from pathlib import Path
from string import Template

FOLDER = Path(__file__).parent / "pages"


class Markup(str):
    """HTML that needs no escaping."""

    __slots__ = ()


@cache
def template(name: str) -> Template:
    return Template((FOLDER / name).read_text())


def render(name: str, /, **values: object) -> Markup:
    safe = {key: value if isinstance(value, Markup) else escape(str(value)) for key, value in values.items()}
    return Markup(template(name).substitute(safe))


def render_page(name: str, /, *, title: str, **values: object) -> str:
    """Render a whole page in the layout with the sandbox banner."""
    return render("layout.html", title=title, content=render(name, **values))


def render_each(name: str, rows: list[dict[str, object]]) -> Markup:
    return Markup("".join(render(name, **row) for row in rows))
