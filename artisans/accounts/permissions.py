from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from artisans.core.api.openapi import CART_TOKEN, ORDER_TOKEN


class IsUserOrGuest(BasePermission):
    """Accepts a bearer token, a guest's cart token or an order link; selectors decide what each may see."""

    guest_schemes = (CART_TOKEN, ORDER_TOKEN)  # in the API description, unless the view overrides it

    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(
            request.user.is_authenticated
            or request.headers.get("X-Cart-Token")
            or request.headers.get("X-Order-Token")
        )
