// A purchase by card and a refund, as a client writes it. It is compiled only: what the types promise is the test.
import createClient from "openapi-fetch";
import type { components, paths } from "./alley.js";

type Payment = components["schemas"]["Payment"];
type Problem = components["schemas"]["Problem"];

const shop = (token: string) =>
  createClient<paths>({
    baseUrl: "http://127.0.0.1:8000",
    headers: { Authorization: `Bearer ${token}` },
  });

export async function buy(token: string, productId: string): Promise<Payment> {
  const me = shop(token);
  const cart = await me.POST("/carts/", { body: { items: [{ product_id: productId, quantity: 1 }] } });
  if (cart.error) throw refused(cart.error);

  const order = await me.POST("/carts/{id}/checkout", {
    params: { path: { id: cart.data.id }, header: { "Idempotency-Key": crypto.randomUUID() } },
    body: { shipping_address: "123 Test St, Test City, TC 12345", payment_method: "credit_card", note: "" },
  });
  if (order.error) throw refused(order.error);
  const payment = order.data.payment;
  if (payment === null) throw new Error("An order by card has a payment.");

  const paid = await me.POST("/payments/confirm", {
    body: { payment_intent_id: payment.id, payment_method_id: "pm_card_visa" },
  });
  if (paid.error) throw refused(paid.error);
  return paid.data;
}

export async function giveBack(token: string, payment: Payment): Promise<string> {
  const staffClient = shop(token);
  const refund = await staffClient.POST("/payments/refunds", {
    body: { payment_id: payment.id, amount: "10.00", reason: "A chip in the glaze." },
  });
  if (refund.error) throw refused(refund.error);
  if ("approval_id" in refund.data) throw new Error("The refund waits for a second person.");
  const status: "REQUESTED" | "PROCESSING" | "COMPLETED" | "FAILED" = refund.data.status;
  return status;
}

export function nextStep(payment: Payment): string {
  const action = payment.next_action;
  if (action === null) return "Nothing is left to do.";
  return action.url ?? action.client_secret ?? action.text?.join(" ") ?? action.type;
}

function refused(problem: Problem): Error {
  return new Error(`${problem.code} (${problem.request_id}): ${problem.detail}`);
}

// What the description forbids must not compile.
export async function wrong(token: string): Promise<void> {
  // @ts-expect-error there is no such path
  await shop(token).GET("/nothing");
  // @ts-expect-error an intent names its order
  await shop(token).POST("/payments/intents", { body: { payment_method: "credit_card" } });
}
