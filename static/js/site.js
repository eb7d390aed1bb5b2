"use strict";

document.documentElement.classList.add("js");

const say = (text) => {
  const region = document.getElementById("live");
  region.textContent = "";
  setTimeout(() => { region.textContent = text; }, 50);
};

const focusErrors = () => document.querySelector(".error-summary, [data-focus]")?.focus();

// A form with data-busy is sent once: the button says so, and comes back when the browser returns to the page.
document.addEventListener("submit", (event) => {
  const form = event.target;
  const busy = form.dataset.busy;
  if (busy === undefined || event.defaultPrevented) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  if (!navigator.onLine) {
    event.preventDefault();
    form.querySelector(".offline").hidden = false;
    say(form.querySelector(".offline").textContent);
    return;
  }
  form.dataset.sent = "yes";
  const button = event.submitter ?? form.querySelector("[type=submit]");
  button.dataset.label = button.textContent;
  button.textContent = busy;
  button.setAttribute("aria-disabled", "true");
});

addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("[aria-disabled]")) {
      button.textContent = button.dataset.label;
      button.removeAttribute("aria-disabled");
    }
  }
});

document.addEventListener("click", async (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  const button = event.target.closest("button");
  if (button?.dataset.copy !== undefined) {
    await navigator.clipboard.writeText(button.dataset.copy);
    const { copied } = document.getElementById("live").dataset;
    button.label ??= [...button.childNodes];
    say(copied);
    button.textContent = copied;
    setTimeout(() => button.replaceChildren(...button.label), 2000);
  }
  if (button?.dataset.print !== undefined) print();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

if (navigator.clipboard) {
  for (const button of document.querySelectorAll("button[data-copy]")) button.hidden = false;
}
for (const button of document.querySelectorAll("button[data-print]")) button.hidden = false;
if (document.querySelector("[data-waiting]")) setTimeout(() => location.reload(), 4000);
focusErrors();
