"""The page for people under /_sandbox/: what the sandbox holds, and buttons that make things happen."""

from datetime import UTC, datetime

from sandbox.http_messages import Json, Request, Response, page_response, redirect
from sandbox.simulator import Program
from sandbox.templates import many, page
from sandbox.webhook_delivery import DELIVERIES

SHOWN = 60


class Console:
    def __init__(self, program: Program) -> None:
        self._program = program

    def answer(self, request: Request) -> Response:
        if request.method == "POST":
            return self._act(request.arguments.get("act", ""), request.arguments.get("id", ""))
        return page_response(self._page())

    def _act(self, act: str, object_id: str) -> Response:
        program = self._program
        match act:
            case "hold" | "on":
                program.postman.switch({"mode": act})
            case "send" | "resend":
                with program.lock:
                    keys = (
                        program.postman.held() if act == "send" else program.postman.deliveries_of(object_id)
                    )
                for key in keys:
                    program.postman.deliver(key)
            case "jobs":
                program.run_jobs()
            case "release":
                program.faults.remove()
            case "refund" | "dispute" | "cancel":
                return self._ask_faces(act, object_id)
        with program.lock:
            program.store.commit()
        return redirect("/_sandbox/")

    def _ask_faces(self, act: str, object_id: str) -> Response:
        """Each provider finds the id under the name that it gives to a payment."""
        problem = "Nothing has this id."
        for face in self._program.faces:
            try:
                face.control(act, {"payment_intent": object_id, "order": object_id})
            except LookupError:
                continue
            except ValueError as reason:
                problem = str(reason)
            else:
                return redirect("/_sandbox/")
        return page_response(
            page("message.html", title="Not possible", heading="Not possible", text=problem), 409
        )

    def _page(self) -> str:
        program = self._program
        with program.lock:
            payments = [
                {"id": row["id"], "amount": f"{row['amount']} {row['currency']}", "status": row["status"]}
                for face in program.faces
                for row in face.overview()
            ]
            deliveries = list(program.store.table(DELIVERIES).values())[-SHOWN:][::-1]
            return page(
                "console.html",
                title="Console",
                clock=datetime.fromtimestamp(program.now(), UTC).isoformat(" ", "seconds"),
                mode=program.postman.switches["mode"],
                held=len(program.postman.held()),
                totals="; ".join(
                    f"{face.name} {in_words(program.journal.totals(face.name))}" for face in program.faces
                ),
                payments=many("console_payment.html", payments),
                events=many("console_event.html", [self._told(row) for row in deliveries]),
            )

    def _told(self, row: Json) -> dict[str, object]:
        event = self._program.store.table(f"{row['face']}.event").get(row["event"], {})
        thing = event.get("data", {}).get("object") or event.get("resource", {})
        about = thing.get("id") or thing.get("dispute_id", "")
        state = f"{row['state']} after {row['tries']} tries: {', '.join(map(str, row['answers']))}"
        return {"type": row["type"], "event": row["event"], "about": about, "state": state}


def in_words(totals: dict[str, dict[str, int]]) -> str:
    """captured 9999 usd, refunded nothing (in minor units, as the journal has them)."""

    def said(sums: dict[str, int]) -> str:
        return " + ".join(f"{amount} {currency}" for currency, amount in sums.items()) or "nothing"

    return ", ".join(f"{name} {said(sums)}" for name, sums in totals.items())
