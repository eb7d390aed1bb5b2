from typing import Any

from rest_framework import serializers, viewsets
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from artisans.core.api.openapi import AmountShape, example, operation
from artisans.core.api.views import ApiView
from artisans.core.money import Money, exponent_of
from artisans.regions.currencies import offered_currencies, steps_of_currencies


@example({"code": "JPY", "is_base": False, "step": "10", "decimals": 0})
class CurrencyShape(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="ISO 4217.")
    is_base = serializers.BooleanField(help_text="Whether it is the shop's own.")
    step = AmountShape(help_text="All prices and charges are multiples of it.")
    decimals = serializers.IntegerField()


class CurrencyViewSet(ApiView, viewsets.ViewSet):
    permission_classes = (AllowAny,)

    @operation("currency_list", "List currencies", responses=CurrencyShape(many=True))
    def list(self, request: Request) -> Response:
        """What the shop sells in, its own currency first."""
        codes, steps = offered_currencies(), steps_of_currencies()
        return Response(
            [
                {
                    "code": code,
                    "is_base": code == codes[0],
                    "step": Money(steps.get(code, 1), code).amount,
                    "decimals": exponent_of(code),
                }
                for code in codes
            ]
        )
