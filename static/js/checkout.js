"use strict";

const same = document.getElementById("id_billing_same");
const billing = document.getElementById("billing");
if (same && billing) {
  const show = () => { billing.hidden = same.checked; };
  same.addEventListener("change", show);
  show();
}

// Countries have different fields, which the server knows. Focus and text typed in the meantime are kept.
const replace = (page, id) => {
  const [before, after] = [document.getElementById(id), page.getElementById(id)];
  if (!before || !after) return;
  const hasFocus = before === document.activeElement;
  after.value = before.value;
  before.closest(".field").replaceWith(after.closest(".field"));
  if (hasFocus) after.focus();
};

const relabel = async (form, prefix) => {
  const body = new FormData(form);
  body.set("change_country", "1");
  try {
    const answer = await fetch(form.action, { method: "POST", body });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const name of ["city", "region", "postal_code"]) replace(page, "id_" + prefix + name);
  } catch {
    for (const button of document.querySelectorAll(".needs-no-js")) button.classList.remove("needs-no-js");
  }
};

for (const prefix of ["", "billing_"]) {
  document.getElementById(`id_${prefix}country`)?.addEventListener("change", (event) => relabel(event.target.form, prefix));
}
