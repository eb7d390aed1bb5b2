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
    if (!navigator.onLine) return tell(form.dataset.offline);
    tell("");
    busy(form.dataset.progress);
    const { error } = await stripe.confirmSetup({ elements, confirmParams: { return_url: form.dataset.return } });
    busy("");
    // The element reports incomplete fields itself; a decline is explained in our own words.
    if (error) tell(error.type === "validation_error" ? error.message : form.dataset.refused);
  });
} else {
  missing.hidden = false;
}
