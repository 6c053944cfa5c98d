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

  field.addEventListener("input", () => {
    fit();
    keep();
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    // While an answer is written, what is typed waits for it.
    if ((field.value.trim() || form.elements.files?.files.length) && !document.querySelector("[data-follow]")) form.requestSubmit(form.querySelector(".chat-send"));
  });
  form.addEventListener("htmx:afterRequest", ({ detail }) => {
    // A 422 says why it was not sent; for htmx that is a success, too.
    if (detail.elt !== form || !detail.successful || detail.xhr.status === 422) return;
    form.reset();
    document.getElementById("cannot-send").replaceChildren();
    field.value = "";
    fit();
    keep();
    field.focus();
  });
  fit();
})();
