// Toasts. Any script or HX-Trigger header says it with one event: toast, {text, tone: "ok" | "bad", once}.
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

  // Behind an open dialog nobody sees trouble, nor can close it: there it is said above the dialog's buttons.
  const placeOf = (tone) => {
    const dialog = tone === "bad" && [...document.querySelectorAll("dialog[open]")].at(-1);
    if (!dialog) return region;
    const there = dialog.querySelector(".toasts");
    if (there) return there;
    const place = Object.assign(document.createElement("div"), { className: "toasts" });
    const footer = dialog.querySelector("footer");
    if (footer) footer.before(place);
    else (dialog.firstElementChild ?? dialog).append(place);
    return place;
  };

  document.addEventListener("toast", ({ detail }) => {
    const tone = detail.tone === "bad" ? "bad" : "ok";
    const place = placeOf(tone);
    // The same trouble again is one card: said anew where somebody tried again, left alone where the page asks by itself.
    const same = [...place.children].find((card) => card.querySelector("p")?.textContent === detail.text);
    if (same && detail.once) return;
    same?.remove();
    const card = document.getElementById(`toast-${tone}`).content.firstElementChild.cloneNode(true);
    card.querySelector("p").textContent = detail.text;
    place.append(card);
    leaveSoon(card);
  });

  document.addEventListener("click", (event) => {
    event.target.closest("[data-close-toast]")?.closest(".toast-card").remove();
  });

  document.addEventListener("close", ({ target }) => region.append(...target.querySelectorAll(".toast-card")), true);

  region.querySelectorAll(".toast-card").forEach(leaveSoon);
})();
