// Dialogs, drawers and the theme button, by attribute: data-open="#id", data-close, data-autoopen, data-dismiss,
// data-theme-toggle. Native <dialog> and popover do the rest, Esc included.
(() => {
  // Where the focus goes when a dialog closes. The browser gives it back to what had it, which may be gone by then: an item
  // of a menu that closed, or a button of the dialog that this one took the place of.
  const openers = new WeakMap();
  let last = null;
  // Safari gives what is pressed no focus, so that is told.
  const openerNow = (pressed) => {
    const now = pressed ?? document.activeElement;
    const menu = now?.closest("[popover]");
    if (menu) return document.querySelector(`[popovertarget="${menu.id}"]`);
    const around = now?.closest("dialog");
    if (around) return openers.get(around);
    return now && now !== document.body ? now : last;
  };

  const open = (dialog, pressed) => {
    if (!dialog || dialog.open) return;
    last = openerNow(pressed);
    openers.set(dialog, last);
    dialog.showModal();
    // A part that scrolls is no place to begin: its first field is.
    if (document.activeElement?.matches("dialog, section")) {
      dialog.querySelector("section :is(input:not([type=hidden]), select, textarea, button, a[href])")?.focus();
    }
    dialog.dispatchEvent(new CustomEvent("dialog-open", { bubbles: true }));
  };

  document.addEventListener(
    "close",
    ({ target }) => {
      const now = document.activeElement;
      if (openers.has(target) && (!now || now === document.body || target.contains(now))) openers.get(target)?.focus();
    },
    true,
  );

  const openWaiting = (root) => {
    if (root.matches?.("dialog[data-autoopen]")) open(root);
    root.querySelectorAll?.("dialog[data-autoopen]").forEach((dialog) => open(dialog));
  };

  const switchTheme = () => {
    const isDark = document.documentElement.classList.toggle("dark");
    try {
      localStorage.setItem("theme", isDark ? "dark" : "light");
    } catch {
      // Without storage the choice lasts until the next page.
    }
    document.dispatchEvent(new Event("theme-change"));
  };

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open]");
    if (opener) {
      event.preventDefault();
      open(document.querySelector(opener.dataset.open), opener);
      return;
    }
    if (event.target.closest("[data-close]")) event.target.closest("dialog")?.close();
    if (event.target.closest("[data-theme-toggle]")) switchTheme();
    // A click on the backdrop closes, unless the dialog shows something that is never shown again.
    if (event.target.matches("dialog[open]:not([data-keep])")) event.target.close();
  });

  // A dialog that must not be lost (a key shown once) is not closed by Esc, and says what it waits for instead.
  document.addEventListener("keydown", ({ key, target }) => {
    const kept = key === "Escape" && target.closest("dialog[data-keep]");
    if (kept && (kept.querySelector("form")?.reportValidity() ?? true)) kept.querySelector("footer .btn").focus();
  });
  document.addEventListener(
    "cancel",
    (event) => {
      if (event.target.matches("dialog[data-keep]")) event.preventDefault();
    },
    true,
  );

  document.addEventListener("theme-switch", switchTheme);
  document.addEventListener("htmx:load", (event) => openWaiting(event.target));
  openWaiting(document);
})();
