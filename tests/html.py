"""A minimal document tree to query HTML pages."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from django.db.models import Model
from django.http import HttpResponse
from django.test import Client

from artisans.core.admin.pages import admin_page_url

VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
)


@dataclass
class Node:
    tag: str
    attrs: dict[str, str] = field(default_factory=dict)
    inside: "list[Node | str]" = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text below, white space folded."""
        return " ".join(
            "".join(part if isinstance(part, str) else f" {part.text} " for part in self.inside).split()
        )

    def walk(self) -> "Iterator[Node]":
        yield self
        for part in self.inside:
            if isinstance(part, Node):
                yield from part.walk()

    def all(self, tag: str = "", **attrs: str) -> "list[Node]":
        """Nodes of this tag whose attributes have these values; `class_` needs to be one of the classes."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attrs.items()}
        return [node for node in self.walk() if node.tag == tag or not tag if node.has(wanted)]

    def one(self, tag: str = "", **attrs: str) -> "Node":
        found = self.all(tag, **attrs)
        assert len(found) == 1, f"{len(found)} of <{tag} {attrs}>"
        return found[0]

    def has(self, wanted: dict[str, str]) -> bool:
        return all(
            value in self.attrs.get(name, "").split() if name == "class" else self.attrs.get(name) == value
            for name, value in wanted.items()
        )

    def fields(self) -> dict[str, Any]:
        """What a browser would send for this form, without its buttons. A choice of several is a list."""
        sent: dict[str, Any] = {}
        for node in self.walk():
            name, kind = node.attrs.get("name"), node.attrs.get("type", "text")
            if not name:
                continue
            if node.tag == "textarea":
                sent[name] = "".join(part for part in node.inside if isinstance(part, str)).removeprefix("\n")
            elif node.tag == "select":
                options = node.all("option")
                chosen = [o for o in options if "selected" in o.attrs]
                if "multiple" in node.attrs:
                    sent[name] = [option.attrs.get("value", option.text) for option in chosen]
                    continue
                chosen = chosen or options[:1]
                sent[name] = chosen[0].attrs.get("value", chosen[0].text) if chosen else ""
            elif node.tag == "input" and (kind not in {"radio", "checkbox"} or "checked" in node.attrs):
                sent[name] = node.attrs.get("value", "on" if kind == "checkbox" else "")
        return sent


class Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Node("document")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].inside.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].inside.append(Node(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag in [node.tag for node in self.open[1:]]:
            while self.open.pop().tag != tag:
                pass

    def handle_data(self, data: str) -> None:
        self.open[-1].inside.append(data)


def page(source: HttpResponse | str) -> Node:
    builder = Builder()
    builder.feed(source if isinstance(source, str) else source.content.decode())
    return builder.open[0]


def edit(client: Client, row: Model, **changes: Any) -> HttpResponse:
    """Open the page of a row in the admin, change fields and save. None leaves a field out, as an empty checkbox."""
    form = (
        page(client.get(admin_page_url(row))).one("form", id=f"{row._meta.model_name}_form").fields()
        | changes
    )
    sent = {name: value for name, value in form.items() if value is not None}
    return client.post(admin_page_url(row), sent)
