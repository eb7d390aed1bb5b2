"use strict";

const main = document.getElementById("main");
let queue = Promise.resolve();
let waiting = 0;
let timer;

// The server answers every cart form with the whole cart page; its main part and the count are put in place.
const show = (page) => {
  const focused = document.activeElement?.id;
  main.replaceChildren(...page.getElementById("main").childNodes);
  document.getElementById("cart-link").replaceChildren(...page.getElementById("cart-link").childNodes);
  (document.getElementById(focused) ?? main).focus();
  const messages = [...main.querySelectorAll(".message-text")].map((node) => node.textContent.trim());
  say([...messages, document.getElementById("cart-state").textContent.trim()].join(" "));
};

const send = async (action, body) => {
  try {
    const answer = await fetch(action, { method: "POST", body });
    if (!answer.ok || new URL(answer.url).pathname !== location.pathname) throw new Error(answer.url);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    waiting -= 1;
    if (!waiting) show(page);
  } catch {
    location.reload();
  }
  main.classList.toggle("is-busy", waiting > 0);
};

document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-cart]")) return;
  event.preventDefault();
  clearTimeout(timer);
  const { action } = event.target;
  const body = new FormData(event.target, event.submitter);
  waiting += 1;
  main.classList.add("is-busy");
  queue = queue.then(() => send(action, body));
});

document.addEventListener("input", (event) => {
  if (!event.target.matches("form[data-cart] input[name=quantity]")) return;
  clearTimeout(timer);
  timer = setTimeout(() => {
    if (event.target.value !== "" && event.target.reportValidity()) event.target.form.requestSubmit();
  }, 600);
});
