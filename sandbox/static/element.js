// Runs in an iframe of the sandbox's origin: the card form, and every API call that a browser makes.
// The shop's page sends messages {sandbox: "call", id, method, args} and receives {sandbox: "result", id, value}.
"use strict";

const form = document.getElementById("card");
const text = (name) => form.elements[name].value.trim();

function say(message) {
  window.parent.postMessage({ sandbox: "event", ...message }, "*");
}

async function api(method, path, key, params) {
  const body = new URLSearchParams();
  const add = (name, value) => {
    if (value === undefined || value === null) return;
    if (typeof value === "object") for (const [part, inner] of Object.entries(value)) add(`${name}[${part}]`, inner);
    else body.append(name, String(value));
  };
  for (const [name, value] of Object.entries({ ...params, key })) add(name, value);
  const address = method === "GET" ? `${path}?${body}` : path;
  try {
    const answer = await fetch(address, method === "GET" ? {} : { method, body });
    return await answer.json();
  } catch (problem) {
    return { error: { type: "api_connection_error", message: "We are experiencing issues connecting to our payments provider. Please try again." } };
  }
}

function kind(secret) {
  return secret.startsWith("seti_")
    ? { path: "setup_intents", name: "setupIntent", raw: "setup_intent" }
    : { path: "payment_intents", name: "paymentIntent", raw: "payment_intent" };
}

function outcome(found, answer) {
  return answer.error ? { error: answer.error } : { [found.name]: answer };
}

const incomplete = (code, message) => ({ error: { type: "validation_error", code, message } });

function check() {
  if (text("number").replace(/\D/g, "").length < 12) return ["number", incomplete("incomplete_number", "Your card number is incomplete.")];
  if (!/^\d{1,2}\s*\/\s*\d{2}(\d{2})?$/.test(text("expiry"))) return ["expiry", incomplete("incomplete_expiry", "Your card's expiration date is incomplete.")];
  if (!/^\d{3,4}$/.test(text("cvc"))) return ["cvc", incomplete("incomplete_cvc", "Your card's security code is incomplete.")];
  return null;
}

function show(field, error) {
  for (const name of ["number", "expiry", "cvc"]) {
    form.elements[name].setAttribute("aria-invalid", String(name === field));
  }
  document.getElementById("error").textContent = error ? error.message : "";
  if (field) form.elements[field].focus();
  resize();
}

function cardData() {
  const [month, year] = text("expiry").split("/").map((part) => part.trim());
  return { number: text("number").replace(/\s/g, ""), exp_month: month, exp_year: year, cvc: text("cvc") };
}

const FIELDS = { number: "number", exp_month: "expiry", exp_year: "expiry", cvc: "cvc" };

const methods = {
  // Reads the intent of the form, if there is one; "loaded" is Stripe's `ready` event.
  async load({ key, secret }) {
    const answer = secret ? await methods.retrieve({ key, secret }) : {};
    if (!answer.error) say({ type: "loaded" });
    return answer;
  },
  submit() {
    const wrong = check();
    show(wrong && wrong[0], wrong && wrong[1].error);
    return wrong ? wrong[1] : {};
  },
  async confirm({ key, secret, params, useForm }) {
    const found = kind(secret);
    const wanted = { ...params };
    if (useForm) {
      const missing = methods.submit();
      if (missing.error) return missing;
      const given = wanted.payment_method_data || {};
      wanted.payment_method_data = { ...given, type: "card", card: cardData() };
    }
    const id = secret.split("_secret_")[0];
    const answer = await api("POST", `/v1/${found.path}/${id}/confirm`, key, { ...wanted, use_stripe_sdk: true, client_secret: secret });
    if (useForm && answer.error) show(FIELDS[answer.error.param] || null, answer.error);
    return outcome(found, answer);
  },
  async retrieve({ key, secret }) {
    const found = kind(secret);
    const id = secret.split("_secret_")[0];
    return outcome(found, await api("GET", `/v1/${found.path}/${id}`, key, { client_secret: secret }));
  },
  async createPaymentMethod({ key, params }) {
    const wrong = methods.submit();
    if (wrong.error) return wrong;
    const answer = await api("POST", "/v1/payment_methods", key, { ...params, type: "card", card: cardData() });
    return answer.error ? { error: answer.error } : { paymentMethod: answer };
  },
  style({ variables, theme }) {
    const dark = { colorBackground: "#30313d", colorText: "#ffffff", colorPrimary: "#85d996", colorDanger: "#fe87a1" };
    const chosen = { ...(theme === "night" ? dark : {}), ...variables };
    for (const [name, value] of Object.entries(chosen)) document.documentElement.style.setProperty(`--${name}`, value);
    resize();
  },
  focus() { form.elements.number.focus(); },
};

window.addEventListener("message", async (event) => {
  if (event.source !== window.parent || !event.data || event.data.sandbox !== "call") return;
  const { id, method, args } = event.data;
  const value = Object.hasOwn(methods, method) ? await methods[method](args || {}) : null;
  if (window.parent === window) return; // the iframe was removed from its page
  window.parent.postMessage({ sandbox: "result", id, value }, event.origin);
});

function resize() {
  if (form) say({ type: "height", height: document.documentElement.scrollHeight });
}

if (form) {
  const changed = () => {
    const complete = check() === null;
    const empty = !text("number") && !text("expiry") && !text("cvc");
    say({ type: "change", value: { complete, empty, collapsed: false, elementType: "payment", value: { type: "card" } } });
  };
  form.elements.number.addEventListener("input", () => {
    const field = form.elements.number;
    field.value = field.value.replace(/\D/g, "").replace(/(\d{4})(?=\d)/g, "$1 ");
  });
  form.elements.expiry.addEventListener("input", () => {
    const field = form.elements.expiry;
    const digits = field.value.replace(/\D/g, "");
    if (digits.length > 2) field.value = `${digits.slice(0, 2)} / ${digits.slice(2, 4)}`;
  });
  form.addEventListener("input", changed);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("focusin", () => say({ type: "focus" }));
  form.addEventListener("focusout", () => say({ type: "blur" }));
  for (const button of form.querySelectorAll("button[data-number]")) {
    button.addEventListener("click", () => {
      form.elements.number.value = button.dataset.number.replace(/(\d{4})(?=\d)/g, "$1 ");
      form.elements.expiry.value = "12 / 34";
      form.elements.cvc.value = button.dataset.cvc;
      form.querySelector("details").open = false;
      show(null, null);
      changed();
      resize();
      form.elements.number.focus();
    });
  }
  form.querySelector("details").addEventListener("toggle", resize);
  new ResizeObserver(resize).observe(document.body);
}
say({ type: "ready" });
