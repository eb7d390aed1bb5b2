"use strict";

const same = document.getElementById("id_billing_same");
const billing = document.getElementById("billing");
if (same && billing) {
  const show = () => { billing.hidden = same.checked; };
  same.addEventListener("change", show);
  show();
}

// Another country may want other fields. The server knows which; the focus stays where it is.
const fieldOf = (page, name) => page.getElementById("id_" + name)?.closest(".field");

const relabel = async (form, prefix) => {
  const body = new FormData(form);
  body.set("change_country", "1");
  try {
    const answer = await fetch(form.action, { method: "POST", body });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const name of ["city", "region", "postal_code"]) {
      fieldOf(document, prefix + name)?.replaceWith(fieldOf(page, prefix + name) ?? "");
    }
  } catch {
    for (const button of document.querySelectorAll(".needs-no-js")) button.classList.remove("needs-no-js");
  }
};

for (const prefix of ["", "billing_"]) {
  document.getElementById(`id_${prefix}country`)?.addEventListener("change", (event) => relabel(event.target.form, prefix));
}
