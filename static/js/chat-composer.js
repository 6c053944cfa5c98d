// The field one writes in: Enter sends, it grows with its text, and is emptied once what it held is on its way.
(() => {
  const form = document.querySelector("[data-composer]");
  if (!form) return;
  const field = form.elements.text;

  const fit = () => {
    field.rows = Math.min(12, Math.max(1, field.value.split("\n").length));
  };

  field.addEventListener("input", fit);
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    // While an answer is written, what is typed waits for it.
    if (field.value.trim() && !document.querySelector("[data-follow]")) form.requestSubmit(form.querySelector(".chat-send"));
  });
  form.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (!detail.successful || detail.elt !== form) return;
    form.reset();
    field.value = "";
    fit();
    field.focus();
  });
  fit();
})();
