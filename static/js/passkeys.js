"use strict";

// A form with data-passkey gets its credential from the browser, then is sent. Bytes travel as base64url.
const toBytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (sign) => sign.charCodeAt(0));
const toText = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

const known = (credentials = []) => credentials.map((one) => ({ ...one, id: toBytes(one.id) }));

const asked = {
  create: ({ creation_options: { publicKey } }) => navigator.credentials.create({
    publicKey: {
      ...publicKey,
      challenge: toBytes(publicKey.challenge),
      user: { ...publicKey.user, id: toBytes(publicKey.user.id) },
      excludeCredentials: known(publicKey.excludeCredentials),
    },
  }),
  get: ({ request_options: { publicKey } }) => navigator.credentials.get({
    publicKey: {
      ...publicKey,
      challenge: toBytes(publicKey.challenge),
      allowCredentials: known(publicKey.allowCredentials),
    },
  }),
};

const sent = ({ id, rawId, type, response }, extensions) => {
  const parts = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  const texts = parts.filter((name) => response[name]).map((name) => [name, toText(response[name])]);
  return { id, type, rawId: toText(rawId), response: Object.fromEntries(texts), clientExtensionResults: extensions };
};

const sentences = { NotAllowedError: "notAllowed", InvalidStateError: "invalidState", SecurityError: "security" };

for (const form of document.querySelectorAll("[data-passkey]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const note = form.querySelector("[data-passkey-error]");
    note.hidden = true;
    try {
      const options = JSON.parse(document.getElementById("passkey-options").textContent);
      const credential = await asked[form.dataset.passkey](options);
      form.elements.credential.value = JSON.stringify(sent(credential, credential.getClientExtensionResults()));
      form.submit();
    } catch (error) {
      note.textContent = note.dataset[sentences[error.name] ?? "unsupported"];
      note.hidden = false;
    }
  });
}
