"use strict";

// The card is entered in the provider's element, to pay or to save it (`data-confirm`). The fallback of the page is
// shown if the provider's script or the element does not load.
const form = document.getElementById("card-form");
const fallback = document.getElementById("card-fallback");
const problem = document.getElementById("card-problem");
const button = form.querySelector("button");

const showMessage = (text) => {
  problem.textContent = text;
  problem.hidden = !text;
};

const busy = (text) => {
  button.dataset.label ??= button.textContent;
  button.textContent = text || button.dataset.label;
  if (text) button.setAttribute("aria-disabled", "true");
  else button.removeAttribute("aria-disabled");
};

const showForm = (loaded) => {
  form.hidden = !loaded;
  fallback.hidden = loaded;
};

showForm(typeof Stripe === "function");
if (!form.hidden) {
  const stripe = Stripe(form.dataset.key);
  const elements = stripe.elements({ clientSecret: form.dataset.secret });
  const element = elements.create("payment");
  element.on("ready", () => document.getElementById("card-element").removeAttribute("aria-busy"));
  element.on("loaderror", () => showForm(false));
  element.mount("#card-element");
  // For risk scoring and disputes.
  const payer = Object.fromEntries(["name", "email"].filter((part) => form.dataset[part]).map((part) => [part, form.dataset[part]]));
  const confirmParams = { return_url: form.dataset.return, payment_method_data: { billing_details: payer } };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-disabled")) return;
    if (!navigator.onLine) return showMessage(form.dataset.offline);
    showMessage("");
    busy(form.dataset.progress);
    const { error } = await stripe[form.dataset.confirm]({ elements, confirmParams });
    busy("");
    // The element reports incomplete fields itself. A decline is explained here, or else by the page we return to.
    if (error && error.type === "validation_error") showMessage(error.message);
    else if (form.dataset.refused) showMessage(error ? form.dataset.refused : "");
    else location.assign(form.dataset.return);
  });
}
