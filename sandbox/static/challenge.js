// Tells the page that opened this window (a dialog of sandbox.js) that the buyer has answered.
if (window.parent !== window) {
  window.parent.postMessage({ sandbox: "challenge-answered" }, "*");
}
