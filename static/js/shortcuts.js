// The keyboard. Ctrl K is always there; single letters only outside fields, and only while the profile allows them.
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const opener = (id) => $(`[data-open="#${id}"]`);
  const chords = JSON.parse(document.body.dataset.chords || "{}");
  const allowsLetters = "shortcuts" in document.body.dataset;
  const CHORD_MS = 1200;
  let chordAt = -Infinity;

  const isTyping = (element) =>
    element.closest("input, textarea, select, [contenteditable=true], [role=combobox]") !== null;
  const isFloating = () => $("dialog[open], [popover]:popover-open") !== null;

  // Rows of the page's list, and approvals: those with a real link in them. J and K move the focus from link to link.
  const rows = () =>
    [...document.querySelectorAll("tbody tr, [data-approval]")].filter(
      (row) => $("a[href]", row) && (row.offsetParent || row.closest(".ap-row")),
    );
  const moveRow = (step) => {
    const all = rows();
    if (!all.length) return;
    const now = all.findIndex(
      (row) => row.contains(document.activeElement) || row.getAttribute("aria-selected") === "true",
    );
    const next = now < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(now + step, 0), all.length - 1);
    // All approvals but the first are folded up.
    const fold = all[next].closest(".ap-row");
    if (fold) fold.open = true;
    $("a[href]", all[next]).focus();
    all[next].scrollIntoView({ block: "nearest" });
  };

  // A and R go to the button of the approval one is in, else of the first. Pressing it decides, nothing before.
  const decide = (decision) => {
    const card = document.activeElement.closest("[data-approval]") ?? $("[data-approval]");
    const button = card && $(`button[name=decision][value=${decision}]`, card);
    button?.focus();
    button?.scrollIntoView({ block: "nearest" });
  };

  const letters = {
    "/": () => $("[data-search], input[type=search]")?.focus(),
    "?": () => opener("keys")?.click(),
    j: () => moveRow(1),
    k: () => moveRow(-1),
    a: () => decide("approve"),
    r: () => decide("reject"),
    t: () => document.dispatchEvent(new Event("theme-switch")),
    g: () => (chordAt = performance.now()),
  };

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      opener("palette")?.click();
      return;
    }
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      $("[data-quick]", event.target.closest("section, form") ?? document.body)?.click();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && !isFloating() && (!isTyping(event.target) || event.target.closest("tr"))) {
      $(":is(.drawer-side:not([hidden]), tr) [data-dismiss]")?.click();
      return;
    }
    const menu = /^Arrow(Up|Down)$/.test(event.key) && !isTyping(event.target) && $(".menu:popover-open:has(.menu-item)");
    if (menu) {
      event.preventDefault();
      const items = [...menu.querySelectorAll(".menu-item")].filter((item) => item.checkVisibility());
      const now = items.indexOf(document.activeElement);
      items.at(event.key === "ArrowDown" ? (now + 1) % items.length : Math.max(now, 0) - 1).focus();
      return;
    }
    // From what is searched to what was found.
    if (event.key === "ArrowDown" && event.target.matches("main input[type=search]") && rows().length) {
      event.preventDefault();
      moveRow(1);
    }
    if (isTyping(event.target)) return;
    if (!allowsLetters || isFloating()) return;
    const key = event.key.toLowerCase();
    if (performance.now() - chordAt < CHORD_MS && chords[key]) {
      event.preventDefault();
      location.href = chords[key];
      return;
    }
    chordAt = -Infinity;
    if (letters[key]) {
      event.preventDefault();
      letters[key]();
    }
  });
})();
