// Simulates the parts of Stripe.js that card payments need. The card form is in an iframe of the sandbox.
// The shop's content security policy must allow the sandbox's origin in script-src and frame-src, not in connect-src.
(() => {
  "use strict";

  const LOAD_SECONDS = 15;
  const UNREACHABLE = { error: { type: "api_connection_error", message: "We are experiencing issues connecting to our payments provider. Please try again." } };
  const ORIGIN = new URL(document.currentScript.src).origin;

  class IntegrationError extends Error {
    constructor(message) {
      super(message);
      this.name = "IntegrationError";
    }
  }

  const demand = (truth, message) => {
    if (!truth) throw new IntegrationError(message);
  };

  // An iframe of the sandbox that handles calls through messages.
  class Frame {
    constructor(path, title) {
      this.waiting = new Map();
      this.count = 0;
      this.listeners = new Map();
      this.node = document.createElement("iframe");
      this.node.src = ORIGIN + path;
      this.node.title = title;
      this.node.style.border = "0";
      this.ready = new Promise((resolve) => { this.isReady = resolve; });
      this.listener = (event) => this.receive(event);
      window.addEventListener("message", this.listener);
    }

    receive(event) {
      if (event.origin !== ORIGIN || event.source !== this.node.contentWindow || !event.data) return;
      if (event.data.sandbox === "result") {
        const resolve = this.waiting.get(event.data.id);
        this.waiting.delete(event.data.id);
        if (resolve) resolve(event.data.value);
      } else if (event.data.sandbox === "event") {
        if (event.data.type === "ready") this.isReady();
        for (const listener of this.listeners.get(event.data.type) || []) listener(event.data);
      }
    }

    on(type, listener) {
      this.listeners.set(type, [...(this.listeners.get(type) || []), listener]);
    }

    async call(method, args) {
      await this.ready;
      const id = ++this.count;
      return new Promise((resolve) => {
        this.waiting.set(id, resolve);
        this.node.contentWindow.postMessage({ sandbox: "call", id, method, args }, ORIGIN);
      });
    }

    remove() {
      window.removeEventListener("message", this.listener);
      this.node.remove();
    }
  }

  class Element {
    constructor(elements, type) {
      this.elements = elements;
      this.type = type;
      this.frame = new Frame("/v3/element", "Secure payment input frame");
      this.frame.node.style.width = "100%";
      this.frame.node.style.height = "18rem";
      this.frame.on("height", ({ height }) => { this.frame.node.style.height = `${height + 4}px`; });
      this.loadErrors = [];
    }

    // The form is ready once it has read its intent; a frame that does not come fails after LOAD_SECONDS.
    async load() {
      const late = new Promise((resolve) => { setTimeout(resolve, LOAD_SECONDS * 1000, UNREACHABLE); });
      const { key, clientSecret, appearance } = this.elements;
      const loaded = this.frame.ready
        .then(() => this.frame.call("style", appearance))
        .then(() => this.frame.call("load", { key, secret: clientSecret }));
      const { error } = await Promise.race([loaded, late]);
      if (!error) return;
      this.failure = { elementType: this.type, error };
      for (const listener of this.loadErrors) listener(this.failure);
    }

    mount(place) {
      const node = typeof place === "string" ? document.querySelector(place) : place;
      demand(node, `The selector you specified (${place}) applies to no DOM elements that are currently on the page.`);
      node.replaceChildren(this.frame.node);
      this.load();
    }

    on(type, listener) {
      if (type === "loaderror") {
        this.loadErrors.push(listener);
        if (this.failure) listener(this.failure);
        return this;
      }
      this.frame.on(type === "ready" ? "loaded" : type, (said) => listener({ elementType: this.type, ...(said.value || {}) }));
      return this;
    }

    focus() { this.frame.call("focus"); }
    blur() { this.frame.node.blur(); }
    update() {}
    collapse() {}
    unmount() { this.frame.node.remove(); }

    destroy() {
      this.frame.remove();
      this.elements.element = null;
    }
  }

  class Elements {
    constructor(key, options) {
      this.key = key;
      this.clientSecret = options.clientSecret;
      this.appearance = { variables: {}, theme: "stripe", ...options.appearance };
      this.element = null;
    }

    create(type) {
      demand(type === "payment" || type === "card", `The sandbox does not simulate the ${type} element.`);
      demand(!this.element, "Can only create one Element of type payment through one Elements instance.");
      this.element = new Element(this, type);
      return this.element;
    }

    getElement() { return this.element; }

    update(options) {
      this.appearance = { ...this.appearance, ...options.appearance };
      if (this.element) this.element.frame.call("style", this.appearance);
    }

    async submit() { return this.element.frame.call("submit"); }
    async fetchUpdates() { return {}; }
  }

  // Shows the bank's page in a dialog; resolves when the buyer completes or closes it.
  function challenge(address) {
    return new Promise((resolve) => {
      const dialog = document.createElement("dialog");
      const frame = document.createElement("iframe");
      frame.src = `${address}?window=1`;
      frame.title = "3-D Secure authentication";
      Object.assign(frame.style, { border: "0", width: "min(32rem, 80vw)", height: "24rem" });
      Object.assign(dialog.style, { padding: "0", border: "0" });
      dialog.setAttribute("aria-label", "3-D Secure authentication");
      dialog.append(frame);
      document.body.append(dialog);
      const done = () => {
        window.removeEventListener("message", hear);
        dialog.remove();
        resolve();
      };
      const hear = (event) => {
        const mine = event.origin === ORIGIN && event.source === frame.contentWindow;
        if (mine && event.data && event.data.sandbox === "challenge-finished") done();
      };
      window.addEventListener("message", hear);
      dialog.addEventListener("close", done);
      dialog.showModal();
    });
  }

  function isSetup(secret) {
    return secret.startsWith("seti_");
  }

  class StripeClient {
    constructor(key) {
      demand(typeof key === "string" && key.startsWith("pk_test_"), "Please call Stripe() with your publishable key. The sandbox takes pk_test_ keys only.");
      this.key = key;
      this.hidden = null;
    }

    elements(options = {}) {
      return new Elements(this.key, options);
    }

    controller() {
      if (!this.hidden) {
        this.hidden = new Frame("/v3/controller", "Sandbox controller");
        this.hidden.node.hidden = true;
        this.hidden.node.setAttribute("aria-hidden", "true");
        document.body.append(this.hidden.node);
      }
      return this.hidden;
    }

    retrievePaymentIntent(secret) { return this.controller().call("retrieve", { key: this.key, secret }); }
    retrieveSetupIntent(secret) { return this.controller().call("retrieve", { key: this.key, secret }); }

    async createPaymentMethod({ elements, params = {} }) {
      return elements.element.frame.call("createPaymentMethod", { key: this.key, params });
    }

    confirmPayment(options) { return this.confirm(options); }
    confirmSetup(options) { return this.confirm(options); }

    async confirm({ elements, clientSecret, confirmParams = {}, redirect = "always" }) {
      const secret = clientSecret || (elements && elements.clientSecret);
      demand(secret, "In order to confirm, you must pass a clientSecret or an Elements instance that has one.");
      demand(redirect === "if_required" || confirmParams.return_url, "You must provide a return_url in confirmParams when redirect is 'always'.");
      const useForm = Boolean(elements && elements.element && !confirmParams.payment_method);
      const frame = useForm ? elements.element.frame : this.controller();
      const result = await frame.call("confirm", { key: this.key, secret, params: confirmParams, useForm });
      const finished = await this.follow(result, secret);
      if (finished.error || redirect === "if_required") return finished;
      this.leave(confirmParams.return_url, secret, finished);
      return new Promise(() => {});
    }

    // Handles next_action; a failed authentication is returned as an error, as in Stripe.js.
    async follow(result, secret) {
      const intent = result.paymentIntent || result.setupIntent;
      const action = intent && intent.status === "requires_action" && intent.next_action;
      if (!action) return result;
      const address = action.type === "redirect_to_url" ? action.redirect_to_url.url : action.use_stripe_sdk.stripe_js;
      await challenge(address);
      const after = await this.controller().call("retrieve", { key: this.key, secret });
      const now = after.paymentIntent || after.setupIntent;
      const failure = now && (now.last_payment_error || now.last_setup_error);
      if (now && now.status === "requires_payment_method" && failure) {
        return { error: { ...failure, [isSetup(secret) ? "setup_intent" : "payment_intent"]: now } };
      }
      if (now && now.status === "requires_action") {
        return { error: { type: "invalid_request_error", code: "payment_intent_authentication_failure", message: "Authentication was not completed. Please try again.", payment_intent: now } };
      }
      return after;
    }

    async handleNextAction({ clientSecret }) {
      const current = await this.controller().call("retrieve", { key: this.key, secret: clientSecret });
      return this.follow(current, clientSecret);
    }

    leave(address, secret, { paymentIntent, setupIntent }) {
      const name = setupIntent ? "setup_intent" : "payment_intent";
      const intent = setupIntent || paymentIntent;
      const target = new URL(address, window.location.href);
      target.searchParams.set(name, intent.id);
      target.searchParams.set(`${name}_client_secret`, secret);
      target.searchParams.set("redirect_status", intent.status === "processing" ? "pending" : "succeeded");
      window.location.assign(target);
    }
  }

  window.Stripe = (key) => new StripeClient(key);
  window.Stripe.version = "sandbox";
})();
