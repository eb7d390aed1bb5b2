"""The rows of a figure's table: as nodes of a template, thousands of cells take a third of the time of a page."""

from typing import TYPE_CHECKING

from django import template
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

if TYPE_CHECKING:  # libraries of tags are imported before all models are
    from artisans.figures.display import Cell, Table

register = template.Library()


@register.filter
def rows_html(table: "Table") -> SafeString:
    rows = ((row.label, cells_html(row.cells)) for row in table.rows)
    return format_html_join("\n", '<tr><th scope="row">{}</th>{}</tr>', rows)


def cells_html(cells: "list[Cell]") -> SafeString:
    values = ((cell.number, cell.text) for cell in cells)
    return format_html_join("", '<td class="aa-num" data-value="{}">{}</td>', values)
