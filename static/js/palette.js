// The palette: a combobox. The server fills the list; this moves the active option and opens it.
(() => {
  const dialog = document.getElementById("palette");
  if (!dialog) return;
  const input = dialog.querySelector("input");
  const list = document.getElementById("palette-list");
  const options = () => [...list.querySelectorAll("[role=option]")];
  const active = () => list.querySelector("[aria-selected=true]");
  let listed = null; // the words the list answers
  let isAwaited = false; // Enter came before the list for what is typed

  const activate = (option) => {
    for (const other of options()) other.setAttribute("aria-selected", String(other === option));
    if (option) {
      input.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    } else {
      input.removeAttribute("aria-activedescendant");
    }
  };

  const move = (to) => {
    const all = options();
    if (all.length) activate(all[Math.min(Math.max(to, 0), all.length - 1)]);
  };

  dialog.addEventListener("dialog-open", () => {
    input.select();
    htmx.trigger(input, "palette-open");
  });
  list.addEventListener("htmx:afterSwap", (event) => {
    listed = event.detail.requestConfig.parameters.q;
    move(0);
    if (isAwaited) open();
  });
  list.addEventListener("mousemove", (event) => {
    const option = event.target.closest("[role=option]");
    if (option && option !== active()) activate(option);
  });
  // An action that opens a dialog of this page leaves the palette first.
  list.addEventListener("click", (event) => event.target.closest("a") && dialog.close());

  const open = () => {
    isAwaited = listed !== input.value;
    if (!isAwaited) active()?.click();
  };

  input.addEventListener("input", () => (isAwaited = false));
  input.addEventListener("keydown", (event) => {
    const now = options().indexOf(active());
    const steps = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: Infinity };
    if (event.key in steps) {
      event.preventDefault();
      move(steps[event.key] === Infinity ? options().length - 1 : steps[event.key]);
    }
  });
  dialog.querySelector("form").addEventListener("submit", (event) => {
    if (!active()) return;
    event.preventDefault();
    open();
  });
})();
