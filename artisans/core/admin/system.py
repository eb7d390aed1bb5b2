"""The page *System*: what `manage.py doctor` reports."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from socket import gethostname
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from artisans.core.admin.pages import BAD, GOOD, WARN, admin_list_url
from artisans.core.doctor.registry import CHECKS, Result, State, worst
from artisans.core.doctor.run import run_checks
from artisans.core.doctor.stored import results_store, results_stored
from artisans.core.models import SystemCheck

SECONDS = 8  # for the checks of a page; those that use the network have more, when someone asks for them
TONES = {State.OK: GOOD, State.WARNING: WARN, State.PROBLEM: BAD}
ORDER = [State.PROBLEM, State.WARNING, State.OK]


@dataclass(frozen=True, slots=True)
class Line:
    result: Result
    tone: str
    label: str


@admin.register(SystemCheck)
class SystemAdmin(ModelAdmin):
    """One page instead of a list: reading the database takes a moment, everything else is what the last run found."""

    def get_urls(self) -> list[URLPattern]:
        return [path("", self.admin_site.admin_view(self.system_page), name="core_systemcheck_changelist")]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def system_page(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return self.check_services(request)
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        return self.show(request)

    def check_services(self, request: HttpRequest) -> HttpResponse:
        results_store(run_checks({name: check for name, check in CHECKS.items() if check.uses_network}))
        messages.success(request, _("Services were checked."))
        return redirect(admin_list_url(SystemCheck))

    def show(self, request: HttpRequest) -> HttpResponse:
        now = run_checks(
            {name: check for name, check in CHECKS.items() if not check.uses_network}, seconds=SECONDS
        )
        stored = SystemCheck.objects.filter(name__in=[name for name, c in CHECKS.items() if c.uses_network])
        shop = [result for results in now.values() for result in results]
        services = [result for check in stored for result in results_stored(check)]
        services += of_other_hosts(now)
        worst_state = worst([*shop, *services])
        context = {
            "title": _("System"),
            "opts": self.opts,
            "state": to_line(Result("", worst_state, "")),
            "problems": sum(result.state != State.OK for result in [*shop, *services]),
            "shop": to_lines(shop),
            "services": to_lines(services),
            "services_at": min((check.at for check in stored), default=None),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(
            request, "admin/core/system.html", self.admin_site.each_context(request) | context
        )


def of_other_hosts(names: Iterable[str]) -> Iterator[Result]:
    """What workers found about their hosts in these checks."""
    for check in SystemCheck.objects.filter(name__in=names):
        yield from (result for result in results_stored(check) if result.host not in {"", gethostname()})


def to_lines(results: Iterable[Result]) -> list[Line]:
    """The worst first, otherwise in their order."""
    return [to_line(result) for result in sorted(results, key=lambda result: ORDER.index(result.state))]


def to_line(result: Result) -> Line:
    labels = {State.OK: _("OK"), State.WARNING: _("Warning"), State.PROBLEM: _("Problem")}
    return Line(result, TONES[result.state], labels[result.state])
