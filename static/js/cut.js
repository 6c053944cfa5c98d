// Text that is cut says all of itself in a title: .truncate and the breadcrumb. Only where it is cut, and no title was written.
(() => {
  const ours = new WeakSet();

  document.addEventListener("mouseover", ({ target }) => {
    const text = target.closest?.(".truncate, .crumbs > *");
    if (!text || (text.closest("[title]") && !ours.has(text)) || text.querySelector("[title]")) return;
    ours.add(text);
    if (text.scrollWidth > text.clientWidth) text.title = text.textContent.trim().replace(/\s+/g, " ");
    else text.removeAttribute("title");
  });
})();
