// The playground: every set-up of the form is asked at once, and its answer written as it comes in. Ctrl Enter runs.
// The server sends events named start, text, end and error; their words are only ever set as text.
(() => {
  const form = document.getElementById("bench");
  if (!form) return;
  const run = form.querySelector("[data-run]");
  const stop = form.querySelector("[data-stop]");
  let running = null;

  const parts = (column) => ({
    answer: column.querySelector("[data-answer]"),
    kept: column.querySelector("[data-kept]"),
    empty: column.querySelector("[data-empty]"),
    error: column.querySelector("[data-error]"),
    record: column.querySelector("[data-record]"),
    request: column.querySelector("[data-request]"),
    ratings: () => column.querySelector("[data-ratings]"),
    figure: (name) => column.querySelector(`[data-figure="${name}"]`),
  });

  const unrated = (ratings, isHidden) => {
    ratings.hidden = isHidden;
    ratings.querySelector("input").value = "";
    for (const button of ratings.querySelectorAll("button")) button.setAttribute("aria-pressed", "false");
  };

  const clear = ({ answer, kept, empty, error, record, request, ratings, figure }) => {
    request.value = "";
    unrated(ratings(), true);
    answer.textContent = kept.value = "";
    answer.setAttribute("aria-busy", "true");
    empty.hidden = error.hidden = true;
    if (record) record.hidden = true;
    for (const name of ["first", "total", "tokens", "cost", "note"]) figure(name).textContent = "";
  };

  const fail = (part, words) => {
    part.error.querySelector("p").textContent = words;
    part.error.hidden = false;
  };

  const SHOW = {
    start: () => {},
    text: (part, { text }) => part.answer.append(text),
    end: (part, said) => {
      for (const name of ["first", "total", "tokens", "cost", "note"]) part.figure(name).textContent = said[name];
      part.request.value = said.request;
      unrated(part.ratings(), false);
      if (!part.record) return;
      part.record.href = part.record.dataset.record.replace("REQUEST", said.request);
      part.record.hidden = false;
    },
    error: (part, { message }) => fail(part, message),
  };

  // One event is some `name: value` lines and a blank one.
  const read = (block) => {
    const event = { name: "", data: "" };
    for (const line of block.split("\n")) {
      if (line.startsWith("event: ")) event.name = line.slice(7);
      if (line.startsWith("data: ")) event.data = line.slice(6);
    }
    return event;
  };

  const follow = async (response, part) => {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    let isOver = false;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      for (const { name, data } of blocks.map(read)) {
        if (!(name in SHOW)) continue;
        SHOW[name](part, JSON.parse(data));
        isOver ||= name === "end" || name === "error";
      }
    }
    if (!isOver) fail(part, "The answer was cut off. The audit log shows how it ended.");
  };

  // Asked again meanwhile, the column is the new answer's.
  const ask = async (column, body, mine) => {
    const part = parts(column);
    clear(part);
    try {
      const address = `${form.dataset.stream}?set-up=${column.dataset.setUp}`;
      const response = await fetch(address, { method: "POST", body, signal: mine.signal, redirect: "manual" });
      if (response.ok) await follow(response, part);
      else {
        document.dispatchEvent(new Event("session-lost"));
        fail(part, "You are signed out, or the console cannot answer right now. Run it again.");
      }
    } catch (problem) {
      if (running !== mine) return;
      if (problem.name === "AbortError") part.figure("note").textContent = "Stopped.";
      else fail(part, "The console cannot be reached.");
    } finally {
      if (running === mine) {
        part.answer.removeAttribute("aria-busy");
        part.kept.value = part.answer.textContent;
        part.empty.hidden = Boolean(part.answer.textContent) || !part.error.hidden;
      }
    }
  };

  const start = async () => {
    running?.abort();
    const mine = (running = new AbortController());
    const body = new FormData(form);
    for (const column of form.querySelectorAll("[data-set-up]")) body.delete(`${column.dataset.setUp}-answer`);
    stop.hidden = false;
    run.setAttribute("aria-busy", "true");
    await Promise.all([...form.querySelectorAll("[data-set-up]")].map((column) => ask(column, body, mine)));
    if (running !== mine) return;
    running = null;
    stop.hidden = true;
    run.removeAttribute("aria-busy");
    form.dispatchEvent(new CustomEvent("answered"));
  };

  form.addEventListener("submit", (event) => {
    if (event.submitter?.value !== "run") return;
    event.preventDefault();
    start();
  });
  // Files are read at once, and stand on the page then: what is run has none of them beside it.
  form.querySelector("[data-attach]")?.addEventListener("change", (event) => {
    if (event.target.files.length) form.requestSubmit(form.querySelector('[value="attach"]'));
  });
  stop.addEventListener("click", () => running?.abort());
  addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    start();
  });
})();
