// Words for what goes wrong with a passkey; the exchange itself is the library's (mfa/js/webauthn.js).
document.addEventListener("allauth.error", (event) => {
  const { exception } = event.detail;
  event.preventDefault();
  const isCancelled = exception?.name === "NotAllowedError" || exception?.name === "AbortError";
  const text = isCancelled
    ? "Nothing happened: the browser was cancelled, or knows no passkey for this address."
    : "That passkey could not be used here. Sign in another way.";
  document.dispatchEvent(new CustomEvent("toast", { detail: { text, tone: "bad" } }));
});
