// The audit log: short addresses, the live view that rests when nobody looks, and the row that belongs to the drawer.
(() => {
  // The list scrolls in a column of its own, which browsers do not remember: who comes back finds it where it was.
  const list = document.querySelector(".audit-main");
  const place = () => `audit${location.search}`;
  addEventListener("pagehide", () => list && sessionStorage.setItem(place(), list.scrollTop));
  if (list && performance.getEntriesByType("navigation")[0].type !== "navigate") list.scrollTop = sessionStorage.getItem(place());

  const filters = document.querySelector("[data-filters]");

  // An empty field is no filter; without it addresses stay readable.
  filters?.addEventListener("submit", () => {
    for (const field of filters.elements) if (field.name && !field.value) field.disabled = true;
  });
  addEventListener("pageshow", () => {
    for (const field of filters?.elements ?? []) if (field.name) field.disabled = false;
  });

  // A hidden tab asks for nothing, and rows do not move while somebody edits a filter.
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target.id !== "tail") return;
    if (document.hidden || filters?.contains(document.activeElement)) event.preventDefault();
  });

  document.addEventListener("htmx:afterSettle", () => {
    const open = document.getElementById("drawer")?.dataset.record;
    for (const row of document.querySelectorAll("tr[data-id]")) {
      if (row.dataset.id === open) row.setAttribute("aria-selected", "true");
      else row.removeAttribute("aria-selected");
    }
  });
})();
