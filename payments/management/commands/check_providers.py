from typing import Any

from django.core.management.base import BaseCommand, CommandError

from payments.gateway.access import check_provider_access, providers_to_check


class Command(BaseCommand):
    help = "Check access to each part of the providers' APIs that the shop needs, with read-only requests."

    def handle(self, *args: Any, **options: Any) -> None:
        refused = 0
        for name in providers_to_check():
            for access in check_provider_access(name):
                refused += bool(access.error)
                state = f"denied: {access.error}" if access.error else "ok"
                self.stdout.write(f"{name:<8} {access.part:<10} {access.permission:<36} {state}")
        if refused:
            raise CommandError(f"Access denied: {refused}. Grant the key the permissions shown above.")
