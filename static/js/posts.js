// A plain form leaves the page, and with nobody there the browser shows its own page of trouble in place of what was typed.
// So it asks first whether the console answers, and says so here when it does not.
(() => {
  const PATIENCE_MS = 3000;
  const asking = new WeakSet();
  const sent = new WeakSet();

  // Slow is not gone: what takes long is sent, and the browser waits for it as it always does.
  const isThere = async () => {
    try {
      const answer = await fetch("/health/live", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
      return answer.status < 500;
    } catch (error) {
      return error.name === "TimeoutError";
    }
  };

  // On the window, so that whoever handles a form by itself was asked before.
  addEventListener("submit", async (event) => {
    const { target: form, submitter } = event;
    // By attribute: a field named "method" hides the form's own.
    const method = submitter?.getAttribute("formmethod") ?? form.getAttribute("method") ?? "get";
    if (event.defaultPrevented || method.toLowerCase() !== "post") return;
    if (sent.delete(form)) return;
    event.preventDefault();
    if (asking.has(form)) return;
    asking.add(form);
    const busy = setTimeout(() => submitter?.setAttribute("aria-busy", "true"), 200);
    const there = await isThere();
    clearTimeout(busy);
    submitter?.removeAttribute("aria-busy");
    asking.delete(form);
    const say = (text) => document.dispatchEvent(new CustomEvent("toast", { detail: { text, tone: "bad" } }));
    if (there && !form.isConnected) return say("The page changed meanwhile, and nothing was sent. Look and press again.");
    if (there) {
      sent.add(form);
      form.requestSubmit(submitter?.isConnected ? submitter : null);
      sent.delete(form);
      return;
    }
    say("The console cannot be reached. Nothing was sent, and what you typed is still here. Try again in a moment.");
  });
})();
