"use strict";

// The card is entered in the provider's element, to pay or to save it (`data-confirm`). If the element is not ready in
// time, whatever the reason, the fallback of the page is shown instead and stays.
const LOAD_LIMIT = 10_000;
const SLOW_AFTER = 20_000;
const form = document.getElementById("card-form");
const fallback = document.getElementById("card-fallback");
const late = document.getElementById("card-late");
const slow = document.getElementById("card-slow");
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

const showForm = () => {
  form.hidden = button.hidden = false;
  document.getElementById("card-loading").hidden = true;
  document.getElementById("card-element").removeAttribute("aria-busy");
};

const showFallback = () => {
  form.remove();
  fallback.hidden = false;
  if (late) late.hidden = false;
};

// For the shop's figures; nothing depends on it. The page itself sends no referrer, which Django would refuse.
const report = (code) => {
  const page = document.querySelector("[data-problems]");
  if (!page) return;
  const csrf = document.querySelector("[name=csrfmiddlewaretoken]");
  const body = new URLSearchParams({ code, order: page.dataset.order, csrfmiddlewaretoken: csrf.value });
  fetch(page.dataset.problems, { method: "POST", body, keepalive: true, referrerPolicy: "origin" }).catch(() => {});
};

const load = (address) => new Promise((resolve, reject) => {
  const script = document.createElement("script");
  Object.assign(script, { src: address, onload: resolve, onerror: reject });
  document.head.append(script);
});

const limit = () => new Promise((resolve, reject) => { setTimeout(reject, LOAD_LIMIT, "script_slow"); });

// A script that arrived in part leaves no Stripe function: calling it is an error like any other here.
const open = async () => {
  await load(form.dataset.script).catch(() => Promise.reject("script_blocked"));
  const stripe = Stripe(form.dataset.key);
  const elements = stripe.elements({ clientSecret: form.dataset.secret });
  const element = elements.create("payment");
  const ready = new Promise((resolve, reject) => {
    element.on("ready", resolve);
    element.on("loaderror", reject);
  });
  element.mount("#card-element");
  await ready;
  return { stripe, elements };
};

// For risk scoring and disputes.
const payer = Object.fromEntries(["name", "email"].filter((part) => form.dataset[part]).map((part) => [part, form.dataset[part]]));

const confirm = async ({ stripe, elements }) => {
  const confirmParams = { return_url: form.dataset.return, payment_method_data: { billing_details: payer } };
  const { error } = await stripe[form.dataset.confirm]({ elements, confirmParams });
  // The element reports incomplete fields itself. A decline is explained here, or else by the page we return to.
  if (error && error.type === "validation_error") showMessage(error.message);
  else if (form.dataset.refused) showMessage(error ? form.dataset.refused : "");
  else location.assign(form.dataset.return);
};

let stored = Promise.resolve(true); // whether the shop knows the last choice; paying waits for it
// Whether the card is saved is a property of the payment: the element shows the terms that belong to it.
const storeChoice = async (elements, box) => {
  showMessage("");
  try {
    const body = new URLSearchParams(box.checked ? { save: "on" } : {});
    const { ok } = await fetch(box.dataset.url, { method: "POST", body });
    if (!ok) throw new Error("refused");
    await elements.fetchUpdates();
    return true;
  } catch {
    box.checked = !box.checked;
    showMessage(box.dataset.failed);
    return false;
  }
};

const start = (opened) => {
  showForm();
  const box = form.dataset.confirm === "confirmPayment" && document.getElementById("card-remember");
  if (box) box.addEventListener("change", () => {
    const choice = stored.then(() => storeChoice(opened.elements, box));
    stored = choice;
    choice.then(() => { if (stored === choice) stored = Promise.resolve(true); }); // a failure was shown and undone
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-disabled")) return;
    if (!navigator.onLine) {
      addEventListener("online", () => report("offline"), { once: true });
      return showMessage(form.dataset.offline);
    }
    showMessage("");
    document.getElementById("decline")?.remove();
    busy(form.dataset.progress);
    const wait = setTimeout(() => { slow.hidden = false; }, SLOW_AFTER);
    try {
      if (!(await stored)) return;
      await confirm(opened);
    } finally {
      clearTimeout(wait);
      slow.hidden = true;
      busy("");
    }
  });
};

form.hidden = false;
fallback.hidden = true;
Promise.race([open(), limit()]).then(start).catch((reason) => {
  report(typeof reason === "string" ? reason : "element_error");
  showFallback();
});
