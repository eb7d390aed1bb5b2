"use strict";

// The card is typed into the provider's frame; this page only says when to save it, and what went wrong.
{
  const form = document.getElementById("card-form");
  const problem = document.getElementById("card-problem");
  const button = form.querySelector("button");

  const tell = (text) => {
    problem.textContent = text;
    problem.hidden = !text;
  };

  const save = async (stripe, elements) => {
    tell("");
    button.disabled = true;
    const checked = await elements.submit();
    const done = checked.error
      ? checked
      : await stripe.confirmSetup({ elements, confirmParams: { return_url: form.dataset.return } });
    tell(done.error ? done.error.message || "The card could not be saved. Please try again." : "");
    button.disabled = false;
  };

  if (window.Stripe) {
    const stripe = window.Stripe(form.dataset.key);
    const elements = stripe.elements({ clientSecret: form.dataset.secret });
    elements.create("payment").mount("#card-element");
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      save(stripe, elements).catch(() => {
        tell("The card could not be saved. Please try again.");
        button.disabled = false;
      });
    });
  } else {
    document.getElementById("card-missing").hidden = false;
  }
}
