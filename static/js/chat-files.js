// Files to send: chosen, dropped or pasted; each can be taken out again. The input holds them, so forms send as ever.
(() => {
  const form = document.querySelector("[data-composer]");
  if (!form) return;
  const input = form.elements.files;
  const list = form.querySelector("[data-chosen]");
  const template = form.querySelector("[data-chosen-file]");
  const said = document.getElementById("cannot-send");
  let chosen = [];

  const say = (text) => {
    const note = document.createElement("p");
    note.className = "note";
    note.dataset.tone = "bad";
    note.textContent = text;
    said.replaceChildren(note);
  };

  const sizeOf = (bytes) => (bytes < 1024 * 1024 ? `${Math.max(1, Math.round(bytes / 1024))} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`);

  const show = () => {
    const held = new DataTransfer();
    chosen.forEach((file) => held.items.add(file));
    input.files = held.files;
    list.replaceChildren(
      ...chosen.map((file, place) => {
        const item = template.content.firstElementChild.cloneNode(true);
        item.querySelector("span").textContent = `${file.name}, ${sizeOf(file.size)}`;
        const button = item.querySelector("button");
        button.setAttribute("aria-label", `Take out ${file.name}`);
        button.addEventListener("click", () => {
          chosen.splice(place, 1);
          show();
          (list.querySelectorAll("button")[Math.min(place, chosen.length - 1)] ?? input).focus();
        });
        return item;
      }),
    );
    list.hidden = !chosen.length;
  };

  const add = (files) => {
    said.replaceChildren();
    for (const file of files) {
      const most = Number(input.dataset.mostBytes);
      if (file.size > most) say(`${file.name} is larger than ${sizeOf(most)}. Attach the part that matters.`);
      else if (chosen.length >= Number(input.dataset.mostFiles)) say(`A message may have ${input.dataset.mostFiles} files.`);
      else chosen.push(file);
    }
    show();
  };

  // A second choice adds to the first; the input alone would forget it.
  input.addEventListener("change", () => add([...input.files]));
  // Those that are sent are taken out; what was chosen meanwhile is of the next message.
  let sent = [];
  form.addEventListener("htmx:beforeRequest", ({ detail }) => {
    if (detail.elt === form) sent = [...chosen];
  });
  form.addEventListener("reset", () => {
    chosen = chosen.filter((file) => !sent.includes(file));
    queueMicrotask(show); // the event comes before the input is emptied
  });
  form.addEventListener("paste", (event) => {
    if (!event.clipboardData.files.length) return;
    event.preventDefault();
    add([...event.clipboardData.files]);
  });
  const area = form.closest(".chat-main") ?? form;
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  area.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    form.classList.add("is-over");
  });
  area.addEventListener("dragleave", (event) => {
    if (!area.contains(event.relatedTarget)) form.classList.remove("is-over");
  });
  area.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    form.classList.remove("is-over");
    add([...event.dataTransfer.files]);
  });
})();
