"""django-oscar beside the shop: its environment, its server, and a guest who buys in it."""

import subprocess
import time
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPResponse
from urllib.parse import urlencode

from bench import history
from bench.client import Client, Journey, Refused
from bench.measure import Case, Load, Pair, run_load
from bench.report import verdict
from bench.servers import ROOT, Site, database_and_queue, plain_env, site

REQUIREMENTS = ROOT / "bench/oscar/requirements.txt"
ENVIRONMENT = ROOT / "var/bench-oscar"
ADDRESS = {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "line1": "12 Pier Road",
    "line4": "Astoria",
    "state": "OR",
    "postcode": "97103",
}


def install() -> str:
    """The interpreter of an environment with exactly the pinned packages; created on first use."""
    python, installed = ENVIRONMENT / "bin/python", ENVIRONMENT / "installed.txt"
    if not (installed.exists() and installed.read_text() == REQUIREMENTS.read_text()):
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--requirement", REQUIREMENTS], check=True)
        installed.write_text(REQUIREMENTS.read_text())
    return str(python)


@contextmanager
def oscar() -> Iterator[Site]:
    """Oscar with a PostgreSQL of its own."""
    python = install()
    with database_and_queue("oscar") as (database, _, folder):
        env = plain_env(database.url.removesuffix("postgres") + "oscar") | {
            "MEDIA_ROOT": str(folder / "media")
        }
        with site("bench.oscar.wsgi", "bench.oscar.seed", env, database, folder, python) as running:
            yield running


class Guest(Client):
    """A browser without an account: it keeps cookies, sends forms, and follows no redirects."""

    def __init__(self, port: int, prefix: str = "") -> None:
        super().__init__(port, prefix)
        self.cookies: dict[str, str] = {}
        self.email = ""

    def become(self, token: str) -> None:
        """Start a new session; the token is an email address."""
        self.cookies, self.email = {}, token

    def get(self, path: str) -> None:
        self.answer(path, self.send("GET", path), 200)

    def pass_by(self, path: str) -> None:
        """Request a page that redirects to the next one."""
        self.answer(path, self.send("GET", path), 302)

    def post(self, path: str, form: Mapping[str, str]) -> str:
        """The path that the response redirects to. Errors: Refused if it does not, as when the form is invalid."""
        return self.answer(path, self.send("POST", path, form), 302)

    def send(self, method: str, path: str, form: Mapping[str, str] | None = None) -> HTTPResponse:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        body = None
        if form is not None:
            body = urlencode({**form, "csrfmiddlewaretoken": self.cookies["csrftoken"]})
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self.connection.request(method, path, body, headers)
        return self.connection.getresponse()

    def answer(self, path: str, response: HTTPResponse, status: int) -> str:
        text = response.read()
        if response.status != status:
            raise Refused(f"{path}: {response.status} {text[:500]!r}")
        for cookie in response.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return response.headers.get("Location", "")


def check_out(guest: Client, products: Sequence[str]) -> None:
    """Add the products one by one and place the order, through the forms and pages of oscar's checkout. The pages that
    a browser would be redirected to after each addition, and after placing, are not requested."""
    if not isinstance(guest, Guest):
        raise TypeError("Only a guest can check out in oscar.")
    guest.get("/accounts/login/")  # for the CSRF cookie
    for product in products:
        guest.post(f"/basket/add/{product}/", {"quantity": "1", "next": "/basket/"})
    guest.post("/checkout/", {"username": guest.email, "password": "", "options": "anonymous"})
    guest.post("/checkout/shipping-address/", ADDRESS)
    for step in ("shipping-method", "payment-method"):
        guest.pass_by(f"/checkout/{step}/")
    for step in ("payment-details", "preview"):
        guest.get(f"/checkout/{step}/")
    started = time.perf_counter()
    reached = guest.post("/checkout/preview/", {"action": "place_order"})
    guest.placed_in = time.perf_counter() - started
    if "thank-you" not in reached:
        raise Refused(f"The order was not placed: {reached}")


CHECKOUT = Journey("oscar's checkout", check_out, baseline="", limit=0, client=Guest)


def run_oscar(site: Site, case: Case, *, seconds: float) -> Load:
    return run_load(site, CHECKOUT, prefix="", lines=case.lines, clients=case.clients, seconds=seconds)


def report(pairs: Mapping[Case, Pair], loads: Mapping[Case, Load]) -> int:
    """Print the shop's speed relative to oscar's, and return how many limits are not met."""
    print(
        "\nOrders per second relative to django-oscar, which was loaded in turns with the shop and the baseline"
    )
    misses = 0
    for case, load in loads.items():
        shop, limit = pairs[case].shop, case.journey.times_oscar
        ratio, of_cpu = shop.rate / load.rate, load.cpu_per_order / shop.cpu_per_order
        history.note(f"{case.journey.name.replace(' ', '_')}_oscar", ratio)
        misses += ratio < limit
        figures = f"{shop.rate:6.1f} / {load.rate:4.1f} = {ratio:5.1f} ×  limit {limit:4}"
        cpu = f"CPU per order {load.cpu_per_order * 1000:.0f} ms = {of_cpu:.1f} × the shop's"
        print(f"  {case.journey.name:16}{figures}  {verdict(is_kept=ratio >= limit)}  {cpu}")
    return misses
