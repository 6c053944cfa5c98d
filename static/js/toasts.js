// Toasts. Any script or HX-Trigger header says it with one event: toast, {text, tone: "ok" | "bad"}.
// Good news goes after five seconds, unless somebody is reading it; bad news stays until closed.
(() => {
  const region = document.getElementById("toasts");
  if (!region) return;

  const leaveSoon = (card) => {
    if (card.dataset.tone === "bad") return;
    const timer = setInterval(() => {
      if (card.matches(":hover, :focus-within")) return;
      clearInterval(timer);
      card.remove();
    }, 5000);
  };

  document.addEventListener("toast", ({ detail }) => {
    const tone = detail.tone === "bad" ? "bad" : "ok";
    const card = document.getElementById(`toast-${tone}`).content.firstElementChild.cloneNode(true);
    card.querySelector("p").textContent = detail.text;
    // A dialog in the top layer would cover the region, so the toast goes where it can be seen.
    (document.querySelector("dialog[open] .toasts") ?? region).append(card);
    leaveSoon(card);
  });

  document.addEventListener("click", (event) => {
    event.target.closest("[data-close-toast]")?.closest(".toast-card").remove();
  });

  region.querySelectorAll(".toast-card").forEach(leaveSoon);
})();
