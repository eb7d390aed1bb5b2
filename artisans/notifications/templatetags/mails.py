"""Markup for values inside translated sentences, so that the text and HTML parts of an email share their sentences."""

from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.filter
def strong(value: Any) -> SafeString:
    return format_html("<strong>{}</strong>", value)


@register.filter
def mail_link(address: str) -> SafeString:
    return format_html('<a href="mailto:{0}" style="color:#14493b;">{0}</a>', address)
