// What htmx leaves to us: focus after a swap, busy buttons, and words for what failed.
(() => {
  const say = (text, { verb } = {}) =>
    document.dispatchEvent(new CustomEvent("toast", { detail: { text, tone: "bad", once: verb === "get" } }));

  const AWAY = "The console cannot be reached.";
  const signedOut = document.getElementById("signed-out");
  const WORDS = {
    403: "Your role does not allow that. Nothing was changed.",
    404: "It is not there any more. Reload the page to see what is.",
    409: "Somebody else changed it first. Reload the page and look again.",
    413: "That is too large. Nothing was changed.",
    429: "Too many requests. Wait a moment and try again.",
    503: "The console cannot do that right now. Nothing was changed; try again in a moment.",
  };

  document.addEventListener("htmx:responseError", ({ detail: { xhr, requestConfig } }) => {
    if (xhr.status === 401 || xhr.status === 403) askedAt = 0;
    if (xhr.status === 401) return signedOut.open || signedOut.showModal();
    // The server's own sentence, when it sent one as a toast, is shown already.
    if (xhr.getResponseHeader("HX-Trigger")?.includes('"toast"')) return;
    say(WORDS[xhr.status] ?? `Something broke on our side (${xhr.status}). Nothing was changed.`, requestConfig);
  });

  // An answer that is lost on its way back looks like this too, so nobody knows what came of what was sent.
  document.addEventListener("htmx:sendError", ({ detail: { requestConfig } }) =>
    say(
      `${AWAY} ${requestConfig.verb === "get" ? "Try again in a moment." : "What you typed is still here; look whether it was done before you try again."}`,
      requestConfig,
    ),
  );
  document.addEventListener("htmx:timeout", () =>
    say("The console took too long to answer. Look before you try again."),
  );

  // The pressed button is busy until its request ends; htmx's own class is on whatever made the request.
  const pressed = (detail) => {
    const trigger = detail.requestConfig?.triggeringEvent?.submitter ?? detail.elt;
    return trigger.matches?.("button, a.btn") ? trigger : trigger.querySelector?.("button:not([type=button])");
  };
  const timers = new WeakMap(); // of each request: two may be under way
  document.addEventListener("htmx:beforeRequest", ({ detail }) => {
    if (detail.requestConfig.verb === "get") return;
    const button = pressed(detail);
    // Below 200 ms nothing: a spinner that flashes is worse than none.
    timers.set(detail.requestConfig, setTimeout(() => button?.setAttribute("aria-busy", "true"), 200));
  });
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    clearTimeout(timers.get(detail.requestConfig));
    pressed(detail)?.removeAttribute("aria-busy");
  });

  // Without a session, or with the token of an older one, what was typed is lost: a page that stood for a while asks first.
  // Signed out, it looks again when somebody is back.
  const { session, person } = document.body.dataset;
  let askedAt = Date.now();
  const isOld = (most = 300000) => session && Date.now() - askedAt > most;
  // Whether it may be sent: what one person wrote is not sent in the name of another who signed in meanwhile.
  const ask = async () => {
    const page = await fetch(session, { redirect: "manual" }).catch(() => null);
    if (page?.type === "opaqueredirect") return void (signedOut.open || signedOut.showModal());
    const text = page?.ok && (await page.text());
    if (!text) return say(`${AWAY} What you typed is still here.`);
    signedOut.close();
    if (!text.includes(`data-person="${person}"`))
      return say("Somebody else is signed in here by now. Nothing was sent; reload the page.");
    askedAt = Date.now();
    const headers = /hx-headers='(.+?)'/.exec(text)[1];
    document.body.setAttribute("hx-headers", headers);
    for (const field of document.getElementsByName("csrfmiddlewaretoken")) field.value = JSON.parse(headers)["X-CSRFToken"];
    return true;
  };
  document.addEventListener("htmx:confirm", async (event) => {
    if (event.detail.verb === "get" || !isOld()) return;
    event.preventDefault();
    if (await ask()) event.detail.issueRequest(true);
  });
  document.addEventListener("session-lost", ask);
  addEventListener("focus", () => signedOut.open && ask());

  // A form is sent once, however often it is pressed. After ten seconds it may be tried again, save an upload.
  const unlock = (form) => {
    form.removeAttribute("data-sent");
    for (const one of form.elements) one.removeAttribute("aria-busy"); // its button may stand outside of it
  };
  document.addEventListener("submit", async (event) => {
    const { target: form, submitter } = event;
    if (event.defaultPrevented || form.getAttribute("method") !== "post") return;
    if (form.hasAttribute("data-sent")) return event.preventDefault();
    if (isOld(navigator.onLine ? undefined : 5000)) {
      event.preventDefault();
      if (await ask()) form.requestSubmit(submitter);
      return;
    }
    form.toggleAttribute("data-sent", true);
    setTimeout(() => form.hasAttribute("data-sent") && submitter?.setAttribute("aria-busy", "true"), 200);
    if (form.enctype !== "multipart/form-data") setTimeout(unlock, 10000, form);
  });
  addEventListener("pageshow", ({ persisted }) => {
    if (persisted) askedAt = 0;
    document.querySelectorAll("[data-sent]").forEach(unlock);
  });

  // Who asked may be gone when the answer comes, replaced by another swap. From there htmx would find neither how to swap
  // nor its extensions, and put the answer inside its target: so we remember how, and swap it from where the target is.
  const ways = new WeakMap();
  document.addEventListener("htmx:beforeRequest", ({ detail: { requestConfig } }) => {
    ways.set(requestConfig, requestConfig.elt.closest("[hx-swap]")?.getAttribute("hx-swap"));
  });
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const { requestConfig, serverResponse, target, xhr } = detail;
    if (!detail.shouldSwap || requestConfig.elt.isConnected) return;
    detail.shouldSwap = false;
    if (!target.isConnected) return;
    const way = xhr.getResponseHeader("HX-Reswap") ?? ways.get(requestConfig) ?? htmx.config.defaultSwapStyle;
    const how = { swapStyle: way.split(" ")[0], swapDelay: 0, settleDelay: htmx.config.defaultSettleDelay };
    htmx.swap(target, serverResponse, how, { contextElement: target, eventInfo: detail });
  });

  // A refused page opens at its first wrong field, else at what is wrong with all of it. Most fields have the focus without us.
  const first = document.querySelector("main [aria-invalid=true]") ?? document.querySelector("main [role=alert][data-focus]");
  if (first && document.activeElement === document.body) first.focus();

  // Focus follows what was swapped in: the first wrong field, else what asks for it (a drawer's heading).
  document.addEventListener("htmx:afterSettle", ({ detail }) => {
    const root = detail.elt;
    const wrong = root.matches?.("[aria-invalid=true]") ? root : root.querySelector?.("[aria-invalid=true]");
    const wanted = wrong ?? (root.matches?.("[data-focus]") ? root : root.querySelector?.("[data-focus]"));
    // What was refused is scrolled to: whoever pressed a button far below would not see that nothing happened.
    wanted?.focus({ preventScroll: !wrong && wanted.getAttribute("role") !== "alert" });
  });

  // Newer and Older: reading goes on at the first of the rows that came, and so does the next Tab.
  const paged = new WeakSet();
  document.addEventListener("htmx:beforeRequest", ({ detail: { elt, requestConfig } }) => {
    if (elt.closest(".pager")) paged.add(requestConfig);
  });
  document.addEventListener("htmx:afterSettle", ({ detail: { requestConfig, target } }) => {
    if (!paged.has(requestConfig)) return;
    target.querySelector("[tabindex='0'], table a[href]")?.focus({ preventScroll: true });
    target.scrollIntoView({ block: "start" });
  });

  // What opened in a row and is closed gives the focus back to the row.
  let backTo = "";
  document.addEventListener("htmx:beforeRequest", ({ detail: { elt } }) => {
    backTo = elt.closest("tr[id]")?.id ?? "";
  });
  document.addEventListener("htmx:afterSettle", () => {
    const now = document.activeElement;
    if (!backTo || (now && now !== document.body)) return;
    document.getElementById(backTo)?.querySelector("a[href], button")?.focus({ preventScroll: true });
  });

  // Whoever had the focus on something that a swap replaces finds it on the same again: a rating, a filter, a row's menu.
  const nameOf = (element) => element.getAttribute("aria-label") || element.name || element.textContent.trim();
  let held = null;
  // A button that is off while its request runs has lost the focus before the swap; refused, it has it again.
  const askers = new WeakMap();
  document.addEventListener("htmx:beforeRequest", ({ detail: { requestConfig } }) => {
    if (requestConfig.elt.closest("[hx-disabled-elt]")) askers.set(requestConfig, document.activeElement);
  });
  document.addEventListener("htmx:afterRequest", ({ detail: { requestConfig } }) => {
    if (document.activeElement === document.body) askers.get(requestConfig)?.focus({ preventScroll: true });
  });
  document.addEventListener("htmx:beforeSwap", ({ detail: { requestConfig, target } }) => {
    const asker = askers.get(requestConfig);
    const now = asker?.disabled && document.activeElement === document.body ? asker : document.activeElement;
    const isGoing = now !== document.body && target.contains(now);
    held = isGoing ? { within: now.closest("[id]")?.id, tag: now.tagName, name: nameOf(now) } : null;
  });
  document.addEventListener("htmx:afterSettle", () => {
    if (!held || document.activeElement !== document.body) return;
    const within = document.getElementById(held.within);
    const all = within ? [within, ...within.querySelectorAll(held.tag)] : [];
    all.find((one) => one.tagName === held.tag && nameOf(one) === held.name)?.focus({ preventScroll: true });
    held = null;
  });

  // A field that narrows a long list in the page, where a look-up on the server would lose what is ticked and typed in it.
  document.addEventListener("input", ({ target }) => {
    const list = target.dataset.narrows && document.querySelector(target.dataset.narrows);
    if (!list) return;
    const part = target.value.trim().toLowerCase();
    for (const row of list.children) row.hidden = !row.textContent.toLowerCase().includes(part);
  });

  // A closed drawer gives the focus back to its row.
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-dismiss]")) return;
    const row = document.querySelector('tr[aria-selected="true"]');
    row?.setAttribute("aria-selected", "false");
    (row?.querySelector("a") ?? row)?.focus();
  });
  document.addEventListener("htmx:beforeRequest", ({ detail }) => {
    const row = detail.elt.closest?.("tr");
    if (!row || detail.requestConfig.verb !== "get" || detail.target?.id !== "drawer") return;
    for (const other of row.parentElement.children) other.setAttribute("aria-selected", String(other === row));
  });
})();
