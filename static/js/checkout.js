"use strict";

const same = document.getElementById("id_billing_same");
const billing = document.getElementById("billing");
if (same && billing) {
  const show = () => { billing.hidden = same.checked; };
  same.addEventListener("change", show);
  show();
}

// Countries have different fields, which the server knows. Focus and text typed in the meantime are kept, but no region
// of another country.
const replace = (page, name) => {
  const [before, after] = [document, page].map((tree) => tree.getElementById("place_" + name));
  const [typed, input] = [before, after].map((place) => place.querySelector("input"));
  const hasFocus = typed !== null && typed === document.activeElement;
  if (typed && input && !name.endsWith("region")) input.value = typed.value;
  before.replaceWith(after);
  if (hasFocus) input?.focus();
};

const relabel = async (form, prefix) => {
  const body = new FormData(form);
  body.set("change_country", "1");
  try {
    const answer = await fetch(form.action, { method: "POST", body });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const name of ["city", "region", "postal_code"]) replace(page, prefix + name);
    const shown = prefix + "shown_country";
    document.getElementById(shown).value = page.getElementById(shown).value;
  } catch {
    for (const button of document.querySelectorAll(".needs-no-js")) button.classList.remove("needs-no-js");
  }
};

for (const prefix of ["", "billing_"]) {
  const country = document.getElementById(`id_${prefix}country`);
  if (!country) continue;
  country.addEventListener("change", () => relabel(country.form, prefix));
  // Selected before this script had loaded, or restored by the browser.
  if (country.value !== document.getElementById(prefix + "shown_country").value) relabel(country.form, prefix);
}
