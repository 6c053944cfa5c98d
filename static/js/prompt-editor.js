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

  // What was typed into the variables while an answer was on its way stays: by variable and field, for rows may have moved.
  // One request at a time (hx-sync), so the next one sends what stands here now.
  const fields = () => [...document.querySelectorAll("#live :is(input, select)[name]:not([type=hidden])")];
  const key = (field) => `${field.closest("li")?.id} ${field.name.replace(/^v-\d+-/, "")}`;
  let kept = null;
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    if (detail.target.id !== "live") return;
    const focused = document.activeElement?.closest("#live [name]");
    kept = {
      values: new Map(fields().map((field) => [key(field), field.type === "checkbox" ? field.checked : field.value])),
      focus: focused && { key: key(focused), start: focused.selectionStart, end: focused.selectionEnd },
    };
  });
  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    if (detail.target.id !== "live" || !kept) return;
    for (const field of fields()) {
      const value = kept.values.get(key(field));
      if (value === undefined) continue;
      if (field.type === "checkbox") field.checked = value;
      else if (field.value !== value) field.value = value;
      if (kept.focus?.key !== key(field)) continue;
      if (document.activeElement !== field) field.focus({ preventScroll: true });
      if (typeof kept.focus.start === "number") field.setSelectionRange(kept.focus.start, kept.focus.end);
    }
    kept = null;
  });
})();
