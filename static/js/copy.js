// Copy buttons: data-copy="#id" copies the text or the value of that element, and says so.
(() => {
  const say = (text, tone) => document.dispatchEvent(new CustomEvent("toast", { detail: { text, tone } }));

  const select = (element) => {
    if ("select" in element) return element.select();
    getSelection().selectAllChildren(element);
  };

  // Buttons that stand within what is copied are no part of it; a ticked box is written as it was.
  const words = (element) => {
    if ("value" in element) return element.value;
    const copy = element.cloneNode(true);
    for (const button of copy.querySelectorAll("button")) button.remove();
    for (const box of copy.querySelectorAll("input[type=checkbox]")) box.replaceWith(box.checked ? "[x] " : "[ ] ");
    return copy.textContent;
  };

  // The words about it may stand far away, so the pressed button shows it too, for a moment.
  const tick = (button) => {
    const icon = button.querySelector("use");
    const draw = (from, to) => icon?.setAttribute("href", icon.getAttribute("href").replace(from, to));
    draw("#copy", "#check");
    setTimeout(draw, 2000, "#check", "#copy");
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const source = document.querySelector(button.dataset.copy);
    if (!source) return;
    try {
      await navigator.clipboard.writeText(words(source));
      tick(button);
      say("Copied to the clipboard.", "ok");
    } catch {
      // Without TLS browsers give no clipboard; the selected text is one key away from it.
      select(source);
      say("Your browser does not let this page copy. The text is selected: press Ctrl C.", "bad");
    }
  });
})();
