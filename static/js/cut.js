// What is cut. A part of a row that scrolls comes into sight whole with the focus. Text says all of itself in a title:
// .truncate, the breadcrumb and a pin, only where it is cut, and no title was written.
(() => {
  const ours = new WeakSet();

  document.addEventListener("focusin", ({ target }) => {
    if (target.closest(".filters, .tabs-line")) target.scrollIntoView({ block: "nearest", inline: "nearest" });
  });

  document.addEventListener("mouseover", ({ target }) => {
    const text = target.closest?.(".truncate, .crumbs > *, .pin > span");
    if (!text || (text.closest("[title]") && !ours.has(text)) || text.querySelector("[title]")) return;
    ours.add(text);
    if (text.scrollWidth > text.clientWidth) text.title = text.textContent.trim().replace(/\s+/g, " ");
    else text.removeAttribute("title");
  });
})();
