"""The API against its own description: a generator sends what fits and what does not, over the whole schema."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import transaction

from artisans.accounts.models import Role, User
from artisans.accounts.tests.factories import UserFactory
from artisans.catalog.tests.factories import ArtisanFactory, ProductFactory
from orders.tests.factories import place
from payments.methods import PaymentMethod
from payments.tests.factories import start
from tests.live.runner import Sandbox, Shop
from tests.live.users import bearer_of, filled_cart, order_body

pytestmark = [pytest.mark.conformance, pytest.mark.usefixtures("postgres_only", "clean_database")]

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
)
SECONDS = 15  # for each of the two runs, apart from starting it; on a busy machine more


@pytest.fixture(scope="module")
def shop(postgres_only, production, sandbox: Sandbox):
    settings = {"MAX_OPEN_ORDERS": "100000", "MANUAL_WEBHOOK_SECRET": "of-the-bank-s-feed"}
    with production(**sandbox.env, **settings) as shop:
        shop.start(worker=False)
        yield shop


@pytest.fixture
def ids(caller) -> dict[str, str]:
    """Keys of things that exist and belong to the caller, by the path in front of them."""
    user = User.objects.create_superuser("all@example.test", "correct-horse-1", role=Role.ARTISAN)
    staff = User.objects.create_superuser("other@example.test", "correct-horse-1")
    goods = ProductFactory.create(artisan=ArtisanFactory.create(user=user), stock=100_000)
    with transaction.atomic():
        payment = start(PaymentMethod.CHECK, {goods: 1})
        released = start(PaymentMethod.CASH_ON_DELIVERY, {goods: 1}, user=UserFactory.create())
        order = place({goods: 1}, user=user).order
    cart = filled_cart(user, (goods, 1))
    me, staff_client = caller(user), caller(staff)
    method = me.post("/payments/methods", {"provider": "stripe", "provider_method_id": "pm_card_visa"}).body
    card = me.post("/orders/", order_body((goods, 1), method=PaymentMethod.CREDIT_CARD)).body["payment"]
    confirm = {"payment_intent_id": card["id"], "payment_method_id": method["id"]}
    assert me.post("/payments/confirm", confirm).body["status"] == "COMPLETED"
    refund = staff_client.post(
        "/payments/refunds", {"payment_id": card["id"], "amount": "1.00", "reason": "x"}
    ).body
    return {
        "products": str(goods.pk),
        "artisans": str(goods.artisan_id),
        "orders": str(order.pk),
        "payments": str(payment.pk),
        "payments/methods": method["id"],
        "payments/refunds": refund["id"],
        "parcels": str(released.order.parcels.get().pk),
        "carts": str(cart.pk),
        "item_id": str(cart.items.get().pk),
        "token": bearer_of(user),
    }


def config(ids: dict[str, str]) -> str:
    """Requests use ids of existing objects."""
    lines = []
    for name, key in ids.items():
        keys = f'id = "{key}"' + (f', item_id = "{ids["item_id"]}"' if name == "carts" else "")
        where = rf"^/{name}/\\{{id\\}}"
        lines += ["[[operations]]", f'include-path-regex = "{where}"', f"parameters = {{ {keys} }}", ""]
    return "\n".join(lines)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("ids_are", ["real", "random"])
def test_no_server_error_and_no_undocumented_answer(shop: Shop, ids, tmp_path: Path, ids_are: str):
    settings = tmp_path / "schemathesis.toml"
    settings.write_text(config(ids) if ids_are == "real" else "")
    argv = [
        str(Path(sys.executable).parent / "schemathesis"),
        *("--config-file", str(settings), "run", f"{shop.url}/schema", "--url", shop.url),
        *("--checks", ",".join(CHECKS), "--exclude-path", "/auth/logout"),
        *("--header", f"Authorization: Bearer {ids['token']}", "--phases", "examples,coverage,fuzzing"),
        *("--max-examples", "5", "--workers", "2", "--no-color", "--no-shrink"),
        *("--generation-deterministic", "--suppress-health-check", "all", "--warnings", "off"),
        *("--request-timeout", "60"),
    ]

    def requests_made(seconds: int) -> int:
        limit = [*argv, "--max-time", str(seconds)]
        done = subprocess.run(limit, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        return int(re.findall(r"(\d+) generated", done.stdout)[0])

    assert requests_made(SECONDS) > 100 or requests_made(SECONDS * 5) > 100, "not even on a busy machine"
