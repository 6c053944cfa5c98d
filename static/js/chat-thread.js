// The thread: stays at its end while somebody is there, gives code a copy button, and opens the list on small screens.
(() => {
  const NEAR = 80;
  const thread = () => document.querySelector("[data-stick]");
  let isAtEnd = true;

  // Who reads further up is led back by a button.
  const back = document.querySelector("[data-to-newest]");
  const toEnd = () => {
    const one = thread();
    if (one && isAtEnd) one.scrollTop = one.scrollHeight;
  };
  document.addEventListener(
    "scroll",
    ({ target }) => {
      if (target !== thread()) return;
      isAtEnd = target.scrollHeight - target.scrollTop - target.clientHeight < NEAR;
      if (back) back.hidden = isAtEnd;
    },
    true,
  );
  back?.addEventListener("click", () => {
    isAtEnd = true;
    toEnd();
    thread().focus({ preventScroll: true });
  });
  document.addEventListener("chat-grew", toEnd);
  document.addEventListener("htmx:beforeRequest", ({ detail }) => {
    if (detail.elt.matches?.("[data-composer]")) isAtEnd = true;
  });

  // Turns that come in above push nothing down.
  let before = null;
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const one = thread();
    before = one && detail.requestConfig?.path?.includes("before=") ? one.scrollHeight - one.scrollTop : null;
  });

  const withCopy = () => {
    for (const block of document.querySelectorAll(".msg:not([aria-busy]) .prose pre:not(.has-copy)")) {
      block.classList.add("has-copy");
      const button = document.createElement("button");
      button.type = "button";
      button.className = "code-copy";
      button.textContent = "Copy";
      button.addEventListener("click", async () => {
        const text = block.querySelector("code").textContent;
        try {
          await navigator.clipboard.writeText(text);
          button.textContent = "Copied";
        } catch {
          getSelection().selectAllChildren(block.querySelector("code"));
          button.textContent = "Press Ctrl C";
        }
        setTimeout(() => (button.textContent = "Copy"), 2000);
      });
      block.before(button);
    }
  };

  // Where what was pressed is gone (stopped, asked again, another branch), one goes on writing, or, on a phone, reading.
  let hasPressed = false;
  document.addEventListener("htmx:beforeRequest", ({ detail }) => {
    if (detail.requestConfig.verb === "post") hasPressed = true;
  });
  for (const deed of ["pointerdown", "keydown"]) document.addEventListener(deed, () => (hasPressed = false), true);

  document.addEventListener("htmx:afterSettle", () => {
    const one = thread();
    const now = document.activeElement;
    if (hasPressed && (now === document.body || !now.checkVisibility() || now.matches(":disabled"))) {
      (matchMedia("(pointer: fine)").matches ? document.querySelector("[data-composer] textarea") : one)?.focus();
      hasPressed = false;
    }
    if (before !== null && one) {
      one.scrollTop = one.scrollHeight - before;
      before = null;
    } else toEnd();
    withCopy();
  });

  document.addEventListener("click", ({ target }) => {
    if (!target.closest("[data-open-list], [data-close-list]")) return;
    const isOpen = document.querySelector(".chat-grid").classList.toggle("shows-list");
    if (isOpen) document.querySelector(".chat-list input")?.focus();
    else document.querySelector("[data-open-list]")?.focus();
  });

  withCopy();
  toEnd();
})();
