"use strict";

// The card goes into the element that the provider serves; if its script does not load, their page stays available.
const form = document.getElementById("card-form");
const hosted = document.getElementById("card-hosted");
const problem = document.getElementById("card-problem");
const button = document.getElementById("card-pay");

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

if (form && typeof Stripe === "function") {
  const stripe = Stripe(form.dataset.key);
  const elements = stripe.elements({ clientSecret: form.dataset.secret });
  const element = elements.create("payment");
  form.hidden = false;
  hosted.hidden = true;
  element.on("ready", () => document.getElementById("card-element").removeAttribute("aria-busy"));
  element.on("loaderror", () => { form.hidden = true; hosted.hidden = false; });
  element.mount("#card-element");

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-disabled")) return;
    if (!navigator.onLine) return tell(form.dataset.offline);
    tell("");
    busy(form.dataset.progress);
    const { error } = await stripe.confirmPayment({ elements, confirmParams: { return_url: form.dataset.return } });
    busy("");
    // The element reports incomplete fields itself. A decline is explained by our own page.
    if (error && error.type === "validation_error") return tell(error.message);
    location.assign(form.dataset.return);
  });
}
