"""The console at /_sandbox/: lists payments and events, with buttons to act on them."""

from datetime import UTC, datetime

from sandbox.http_messages import Json, Request, Response, page_response, redirect
from sandbox.simulator import Simulator
from sandbox.templates import render, render_each, render_page
from sandbox.webhook_delivery import DELIVERIES

MAX_EVENTS = 60
MAX_REFUSALS = 40


class Console:
    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def respond(self, request: Request) -> Response:
        if request.method == "POST":
            return self._run(request.arguments.get("action", ""), request.arguments.get("id", ""))
        return page_response(self._page())

    def _run(self, action: str, object_id: str) -> Response:
        simulator = self._simulator
        match action:
            case "hold" | "on":
                simulator.webhooks.configure({"mode": action})
            case "send" | "resend":
                with simulator.lock:
                    keys = (
                        simulator.webhooks.held()
                        if action == "send"
                        else simulator.webhooks.deliveries_of(object_id)
                    )
                for key in keys:
                    simulator.webhooks.deliver(key)
            case "jobs":
                simulator.run_jobs()
            case "release":
                simulator.faults.remove()
            case "refund" | "dispute" | "cancel":
                return self._run_at_provider(action, object_id)
        with simulator.lock:
            simulator.store.commit()
        return redirect("/_sandbox/")

    def _run_at_provider(self, action: str, object_id: str) -> Response:
        """Try every provider: Stripe looks for a payment_intent, PayPal for an order."""
        problem = "No payment has this ID."
        for provider in self._simulator.providers:
            try:
                provider.control(action, {"payment_intent": object_id, "order": object_id})
            except LookupError:
                continue
            except ValueError as reason:
                problem = str(reason)
            else:
                return redirect("/_sandbox/")
        return page_response(
            render_page("message.html", title="Not possible", heading="Not possible", text=problem), 409
        )

    def _page(self) -> str:
        simulator = self._simulator
        with simulator.lock:
            payments = [
                {"id": row["id"], "amount": f"{row['amount']} {row['currency']}", "status": row["status"]}
                for provider in simulator.providers
                for row in provider.overview()
            ]
            deliveries = list(simulator.store.table(DELIVERIES).values())[-MAX_EVENTS:][::-1]
            return render_page(
                "console.html",
                title="Console",
                clock=datetime.fromtimestamp(simulator.now(), UTC).isoformat(" ", "seconds"),
                mode=simulator.webhooks.settings["mode"],
                held=len(simulator.webhooks.held()),
                totals="; ".join(
                    f"{provider.name} {format_totals(simulator.journal.totals(provider.name))}"
                    for provider in simulator.providers
                ),
                payments=render_each("console_payment.html", payments),
                events=render_each("console_event.html", [self._event_row(row) for row in deliveries]),
                refusals=render_each("console_refusal.html", self._refusals())
                or render("console_no_refusal.html"),
            )

    def _refusals(self) -> list[dict[str, object]]:
        """The latest requests that a provider refused, newest first."""
        refused = [row for row in self._simulator.requests if row["reason"]][-MAX_REFUSALS:][::-1]
        return [
            {
                "time": datetime.fromtimestamp(row["at"], UTC).strftime("%H:%M:%S"),
                "provider": row["provider"],
                "call": f"{row['method']} {row['path']}",
                "status": row["status"],
                "reason": row["reason"],
                "cause": f"Injected by {row['fault']}" if row["fault"] else "",
            }
            for row in refused
        ]

    def _event_row(self, row: Json) -> dict[str, object]:
        event = self._simulator.store.table(f"{row['provider']}.event").get(row["event"], {})
        resource = event.get("data", {}).get("object") or event.get("resource", {})
        object_id = resource.get("id") or resource.get("dispute_id", "")
        responses = ", ".join(map(str, row["responses"])) or "none"
        state = f"{row['state']}, attempts: {row['attempts']}, responses: {responses}"
        return {"type": row["type"], "event": row["event"], "object_id": object_id, "state": state}


def format_totals(totals: dict[str, dict[str, int]]) -> str:
    """Return, for example, "captured 9999 usd, refunded nothing" (in minor units)."""

    def format_sums(sums: dict[str, int]) -> str:
        return " + ".join(f"{amount} {currency}" for currency, amount in sums.items()) or "nothing"

    return ", ".join(f"{name} {format_sums(sums)}" for name, sums in totals.items())
