// Notifies the page that opened this window (a dialog of stripe.js) that the challenge is finished.
if (window.parent !== window) {
  window.parent.postMessage({ sandbox: "challenge-finished" }, "*");
}
