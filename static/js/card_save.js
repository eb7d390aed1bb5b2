"use strict";

// The card is typed into the provider's element; this page only says when to save it, and what went wrong.
const form = document.getElementById("card-form");
const missing = document.getElementById("card-missing");
const problem = document.getElementById("card-problem");
const button = document.getElementById("card-save");

const tell = (text) => {
  problem.textContent = text;
  problem.hidden = !text;
};

const busy = (text) => {
  button.dataset.label ??= button.textContent;
  button.textContent = text || button.dataset.label;
  if (text) button.setAttribute("aria-disabled", "true");
  else button.removeAttribute("aria-disabled");
};

if (typeof Stripe === "function") {
  const stripe = Stripe(form.dataset.key);
  const elements = stripe.elements({ clientSecret: form.dataset.secret });
  const element = elements.create("payment");
  form.hidden = false;
  element.on("ready", () => document.getElementById("card-element").removeAttribute("aria-busy"));
  element.on("loaderror", () => { form.hidden = true; missing.hidden = false; });
  element.mount("#card-element");

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-disabled")) return;
    if (!navigator.onLine) return tell("You seem to be offline. Nothing was saved; try again when you are back.");
    tell("");
    busy("Saving…");
    const { error } = await stripe.confirmSetup({ elements, confirmParams: { return_url: form.dataset.return } });
    busy("");
    // Incomplete fields are told by the element itself; a refusal is told in the shop's words.
    if (error) tell(error.type === "validation_error" ? error.message : form.dataset.refused);
  });
} else {
  missing.hidden = false;
}
