"""The demo shop's sent emails, readable in the browser."""

from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path

from csp.decorators import csp_replace
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.clickjacking import xframe_options_sameorigin


@dataclass(frozen=True, slots=True)
class DemoMail:
    id: str
    to: str
    subject: str
    at: datetime
    text: str
    html: str

    @property
    def html_url(self) -> str:
        return reverse("demo_mail_html", args=[self.id])


def read(path: Path) -> DemoMail:
    raw = path.read_bytes().partition(b"\n" + b"-" * 79)[0]
    message = message_from_bytes(raw, _class=EmailMessage, policy=policy.default)
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    return DemoMail(
        id=path.stem,
        to=str(message["To"]),
        subject=str(message["Subject"]),
        at=parsedate_to_datetime(message["Date"]),
        text=text.get_content() if text else "",
        html=html.get_content() if html else "",
    )


def find(mail_id: str) -> DemoMail:
    path = next((p for p in paths() if p.stem == mail_id), None)
    if path is None:
        raise Http404
    return read(path)


def paths() -> list[Path]:
    folder = Path(settings.EMAIL_FILE_PATH)
    return sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime, reverse=True)


def mail_list(request: HttpRequest) -> HttpResponse:
    mails = [read(path) for path in paths()[:100] if path.stat().st_size]
    return render(request, "demo/mail_list.html", {"mails": mails})


def mail_detail(request: HttpRequest, mail_id: str) -> HttpResponse:
    return render(request, "demo/mail_detail.html", {"mail": find(mail_id)})


@xframe_options_sameorigin
@csp_replace({"frame-ancestors": "'self'", "style-src": "'unsafe-inline'"})  # type: ignore[arg-type]  # typed for views without arguments
def mail_html(request: HttpRequest, mail_id: str) -> HttpResponse:
    return HttpResponse(find(mail_id).html)
