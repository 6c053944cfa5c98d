// Dialogs, drawers and the theme button, by attribute: data-open="#id", data-close, data-autoopen, data-dismiss,
// data-theme-toggle. Native <dialog> and popover do the rest, focus and Esc included.
(() => {
  const open = (dialog) => {
    if (!dialog || dialog.open) return;
    dialog.showModal();
    dialog.dispatchEvent(new CustomEvent("dialog-open", { bubbles: true }));
  };

  const openWaiting = (root) => {
    if (root.matches?.("dialog[data-autoopen]")) open(root);
    root.querySelectorAll?.("dialog[data-autoopen]").forEach(open);
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
      opener.closest("[popover]:popover-open")?.hidePopover();
      open(document.querySelector(opener.dataset.open));
      return;
    }
    if (event.target.closest("[data-close]")) event.target.closest("dialog")?.close();
    if (event.target.closest("[data-theme-toggle]")) switchTheme();
    // A click on the backdrop closes, unless the dialog shows something that is never shown again.
    if (event.target.matches("dialog[open]:not([data-keep])")) event.target.close();
  });

  // A dialog that must not be lost (a key shown once) ignores Esc until its own button closes it.
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
