// The prompt editor: a partial goes in where the cursor is, and typing is not lost when the variables are swapped.
// Without this file both work by the server: the partial at the end, the variables when the form is sent.
(() => {
  let last = null;
  document.addEventListener("focusin", ({ target }) => {
    if (target.matches("#editor textarea.text-in")) last = target;
  });

  document.addEventListener(
    "click",
    (event) => {
      const button = event.target.closest("[data-insert]");
      if (!button) return;
      const from = button.form.elements[button.dataset.insert];
      const into = last?.isConnected ? last : document.querySelector("#editor textarea.text-in");
      event.preventDefault();
      event.stopImmediatePropagation();
      if (!from.value.trim()) {
        from.focus();
        return;
      }
      into.setRangeText(`{{> ${from.value.trim()}}}`, into.selectionStart, into.selectionEnd, "end");
      from.value = "";
      into.focus();
      into.dispatchEvent(new Event("input", { bubbles: true }));
    },
    true,
  );

  // What was typed into a variable's field while the answer was on its way stays.
  let kept = null;
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const field = document.activeElement;
    const isOurs = detail.target.id === "live" && field?.closest("#live") && "value" in field && field.name;
    kept = isOurs ? { name: field.name, value: field.value, start: field.selectionStart, end: field.selectionEnd } : null;
  });
  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    if (!kept || detail.target.id !== "live") return;
    const field = document.querySelector(`#live [name="${CSS.escape(kept.name)}"]`);
    if (field && field.type !== "checkbox" && field.value !== kept.value) field.value = kept.value;
    if (field && document.activeElement !== field) field.focus({ preventScroll: true });
    if (field && kept.start !== null && field.setSelectionRange) field.setSelectionRange(kept.start, kept.end);
    kept = null;
  });
})();
