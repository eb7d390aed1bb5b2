"""Clients that are generated from the API's description: one buys and is refunded, the other's types compile."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib.auth.models import Group

from artisans.accounts.models import Role, User
from artisans.accounts.tests.test_credentials import code_of
from artisans.catalog.tests.factories import ProductFactory
from tests.live.runner import ROOT, Sandbox, Shop

pytestmark = pytest.mark.conformance

CLIENTS = ROOT / "tests/clients"
DESCRIPTION = ROOT / "docs/openapi.yaml"
BUYER, STAFF = "sam@example.test", "staff@example.test"
PASSWORD = "clay-and-kiln-7"


@pytest.fixture(scope="module")
def shop(postgres_only, production, sandbox: Sandbox):
    with production(**sandbox.env) as shop:
        sandbox.tell(shop)
        shop.start(worker=False)
        yield shop


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The generated Python package; a warning of the generator about omitted parts is a failure."""
    where = tmp_path / "alley_client"
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [
            *("openapi-python-client", "generate", "--path", str(DESCRIPTION), "--meta", "none"),
            *("--output-path", str(where), "--fail-on-warning"),
        ],
        env=os.environ | {"PATH": programs},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return where


@pytest.mark.usefixtures("postgres_only", "clean_database")
def test_generated_python_client_buys_by_card_and_is_refunded(
    shop: Shop, sandbox: Sandbox, package: Path, caller
):
    ProductFactory.create(price_minor=8545, stock=9)
    for email in (BUYER, STAFF):
        assert caller().post("/auth/register", {"email": email, "password": PASSWORD}).status == 201
    staff_client = User.objects.get(email=STAFF)
    User.objects.filter(pk=staff_client.pk).update(role=Role.STAFF)
    staff_client.groups.set(Group.objects.filter(name="Refunds team"))
    TOTP.activate(staff_client, generate_totp_secret())

    done = subprocess.run(
        [
            sys.executable,
            str(CLIENTS / "purchase.py"),
            shop.url,
            BUYER,
            STAFF,
            PASSWORD,
            code_of(staff_client),
        ],
        env=os.environ | {"PYTHONPATH": str(package.parent)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert len(set(result["orders"])) == 1
    assert (result["replayed"], result["declined"], result["same_payment"]) == (
        "true",
        "payment_declined",
        True,
    )
    assert (result["total"], result["card"], result["paid"]) == ("193.98", "4242", "COMPLETED")
    assert (result["refund"], result["now"]) == (["COMPLETED", "10.00"], ["PARTIALLY_REFUNDED", "10.00"])
    assert {"payment", "capture", "refund"} == set(result["facts"])
    assert sandbox.captured() == [19398]
    assert [row["amount"] for row in sandbox.journal("refund.succeeded")] == [1000]


OFFLINE = re.compile("ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|network")


def npm_ci(folder: Path) -> None:
    """The pinned packages. Without npm or its registry the test is skipped, in CI it fails."""
    may_skip, npm = not os.environ.get("CI"), shutil.which("npm")
    if npm is None and may_skip:
        pytest.skip("There is no npm here.")
    assert npm is not None, "CI needs npm."
    done = run(folder, npm, "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund")
    if done.returncode and may_skip and OFFLINE.search(done.stderr):
        pytest.skip("npm does not reach its registry.")
    assert done.returncode == 0, done.stderr


def run(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=240, check=False)


def test_generated_typescript_types_compile_with_a_client(tmp_path: Path):
    folder = shutil.copytree(CLIENTS / "typescript", tmp_path / "typescript")
    npm_ci(folder)

    types = run(
        folder, "npx", "--no-install", "openapi-typescript", str(DESCRIPTION), "--output", "alley.d.ts"
    )
    compiled = run(folder, "npx", "--no-install", "tsc")

    assert types.returncode == 0, types.stdout + types.stderr
    assert compiled.returncode == 0, compiled.stdout + compiled.stderr
