// Words for what goes wrong with a passkey, and one question at a time; the exchange itself is the library's
// (mfa/js/webauthn.js).
(() => {
  const button = document.getElementById("passkey-button");
  if (!button) return;
  const isAdding = "adds" in button.dataset;

  const wordsFor = (exception) => {
    // Without a secure address browsers have no passkeys at all; for a number they refuse each.
    if (!window.PublicKeyCredential || exception?.name === "SecurityError")
      return "Browsers have passkeys only at https addresses with a name, and at http://localhost: not at this one.";
    if (exception?.name === "InvalidStateError") return "This device or key is among yours already.";
    if (exception?.name === "NotAllowedError" || exception?.name === "AbortError")
      return isAdding
        ? "Nothing was added: the browser was cancelled, the key is among yours already, or it cannot check that it is you."
        : "Nothing happened: the browser was cancelled, or knows no passkey for this address.";
    return isAdding ? "That key could not be added." : "That passkey could not be used here. Sign in another way.";
  };

  // Browsers refuse a second question while the first waits for the finger: the button that was pressed is busy until then.
  button.addEventListener(
    "click",
    (event) => {
      if (button.getAttribute("aria-busy") === "true") {
        event.preventDefault();
        event.stopImmediatePropagation();
      } else button.setAttribute("aria-busy", "true");
    },
    true,
  );
  window.addEventListener("pageshow", () => button.removeAttribute("aria-busy"));

  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    button.removeAttribute("aria-busy");
    const text = wordsFor(event.detail.exception);
    document.dispatchEvent(new CustomEvent("toast", { detail: { text, tone: "bad" } }));
  });
})();
