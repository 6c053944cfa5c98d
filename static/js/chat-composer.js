// The field one writes in: Enter sends, it grows with its text, and is emptied once what it held is on its way.
(() => {
  const form = document.querySelector("[data-composer]");
  if (!form) return;
  const field = form.elements.text;

  const fit = () => {
    field.rows = Math.min(12, Math.max(1, field.value.split("\n").length));
  };

  // What is typed in a conversation outlives a reload; only its owner comes to its address.
  const draft = document.querySelector("[data-conversation]") ? `draft ${location.pathname}` : "";
  const keep = () => {
    try {
      if (draft && field.value) sessionStorage.setItem(draft, field.value);
      else if (draft) sessionStorage.removeItem(draft);
    } catch {
      // Without storage a reload forgets it.
    }
  };
  try {
    if (draft && !field.value) field.value = sessionStorage.getItem(draft) ?? "";
  } catch {
    // The same.
  }

  // Trouble on the way is said where the words are: under the field, or at the turn that is asked anew.
  const WORDS = {
    0: "The console could not be reached. What you typed is kept; send it again in a moment.",
    403: "You may not do that here any more. What you typed is kept.",
    429: "That was a lot at once. What you typed is kept; wait a moment and send it again.",
  };
  const complain = (event) => {
    const { elt, target, xhr, requestConfig } = event.detail;
    if (requestConfig.verb === "get") {
      // What follows an answer tries again by itself.
      if (target?.closest("[data-thread]")) event.stopPropagation();
      return;
    }
    const place = elt === form ? document.getElementById("cannot-send") : elt.closest("article")?.querySelector("[role=alert]");
    if (!place || xhr.status === 401) return;
    event.stopPropagation();
    const note = document.querySelector("[data-cannot-send]").content.cloneNode(true);
    note.querySelector("p").textContent = WORDS[xhr.status] ?? "The console cannot take that right now. What you typed is kept; send it again in a moment.";
    place.replaceChildren(note);
  };
  // Where a visitor is answered there is no such place; there, trouble is said as on every page.
  const grid = form.closest(".chat-grid");
  grid?.addEventListener("htmx:sendError", complain);
  grid?.addEventListener("htmx:responseError", complain);

  field.addEventListener("input", () => {
    fit();
    keep();
  });
  field.addEventListener("keydown", (event) => {
    // Safari ends a composition before the Enter that ends it: that one has the number 229.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    // While an answer is written, what is typed waits for it.
    if ((field.value.trim() || form.elements.files?.files.length) && !document.querySelector("[data-follow]")) form.requestSubmit(form.querySelector(".chat-send"));
  });
  // What one writes while it is on its way is the next message.
  let sent = "";
  form.addEventListener("htmx:beforeRequest", ({ detail }) => {
    if (detail.elt === form) sent = field.value;
  });
  form.addEventListener("htmx:afterRequest", ({ detail }) => {
    // A 422 says why it was not sent; for htmx that is a success, too.
    if (detail.elt !== form || !detail.successful || detail.xhr.status === 422) return;
    const next = field.value.startsWith(sent) ? field.value.slice(sent.length) : field.value;
    form.reset();
    document.getElementById("cannot-send")?.replaceChildren();
    field.value = next;
    fit();
    keep();
    field.focus();
  });
  fit();
})();
