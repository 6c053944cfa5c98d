// The conversation in the frame. The page around it hands over the visitor's token; everything else is asked here.
(() => {
  "use strict";
  const at = (id) => document.getElementById(id);
  const main = document.querySelector("main");
  const widget = main.dataset.widget;
  const base = `/embed/${widget}/`;
  const config = JSON.parse(at("config").textContent);
  const { words } = config;
  const [log, form, field, send, stop, notice, person] = ["log", "form", "text", "send", "stop", "notice", "person"].map(at);
  for (const [name, value] of [["--w", config.colour], ["--on-w", config.on], ["--w-ink", config.ink]])
    document.documentElement.style.setProperty(name, value);

  const made = (name, className, ...inside) => {
    const one = document.createElement(name);
    if (className) one.className = className;
    one.append(...inside);
    return one;
  };
  const say = (text) => (notice.textContent = text);

  // The page around ---------------------------------------------------------------------------------------------------
  let parentOrigin = "";
  let token = "";
  let awaiting = [];
  let visitor = 0; // grows with whoever is named: what was asked for one is not shown to the next, nor sent as theirs
  const tell = (type) => parentOrigin && parent.postMessage({ facet: widget, type }, parentOrigin);

  addEventListener("message", ({ origin, source, data }) => {
    if (source !== parent || !config.origins.includes(origin)) return;
    if (data === null || typeof data !== "object" || data.facet !== widget) return;
    parentOrigin = origin;
    if (data.type === "token" && typeof data.token === "string") {
      const isFirst = !token;
      token = data.token;
      form.hidden = config.off;
      drawQuestions();
      say("");
      awaiting.splice(0).forEach((go) => go(true));
      if (isFirst) load();
    } else if (data.type === "refused" && typeof data.code === "string") {
      awaiting.splice(0).forEach((go) => go(false));
      say(words[data.code] ?? words.failed);
      if (["off", "identity_needed", "identity"].includes(data.code)) shut();
      // Nothing comes of what is held: it is not asked with again, and whoever is named next begins anew.
      if (data.code.startsWith("identity")) token = "";
    } else if (data.type === "forget") {
      token = "";
      if (!data.stays) visitor++;
      leave();
      clear();
      // What somebody began to write is theirs as what they said.
      if (!data.isSame) field.value = "";
      fit();
    } else if (data.type === "open") {
      isOpen = true;
      if (!data.isQuiet) (matchMedia("(pointer: fine)").matches ? field : at("close")).focus();
      if (token && !reading) follow();
    } else if (data.type === "closed") {
      isOpen = false;
      if (!isWaited()) leave();
    }
  });

  const renewed = () =>
    new Promise((go) => {
      awaiting.push(go);
      tell("renew");
    });

  const ask = async (path, body, isAgain, mine = visitor) => {
    if (mine !== visitor) throw { code: "refused" };
    const headers = { Authorization: `Bearer ${token}` };
    if (body) headers["Content-Type"] = "application/json";
    const response = await fetch(base + path, {
      method: body ? "POST" : "GET",
      credentials: "omit",
      headers,
      body: body && JSON.stringify(body),
      signal: path.startsWith("stream/") ? reading.signal : undefined,
    });
    if (response.status === 401 && !isAgain) {
      if (await renewed()) return ask(path, body, true, mine);
      throw { code: "refused" }; // and why has been said
    }
    const said = response.headers.get("Content-Type")?.startsWith("application/json") ? await response.json() : response;
    if (mine !== visitor) throw { code: "refused" }; // while the body came, too
    if (!response.ok) throw said.error;
    return said;
  };
  // What was pressed is gone or does nothing for now: the focus goes on to what comes next, without a keyboard in the way.
  const goOn = () => {
    const now = document.activeElement;
    if (!now || now === document.body || !now.checkVisibility()) (matchMedia("(pointer: fine)").matches ? field : log).focus();
  };
  const complain = (error) => {
    if (error?.code === "refused") return;
    if (error?.code === "off") shut();
    say(error?.code === "too_long" ? tooLong() : (error?.message && error.code && error.message) || words.lost);
  };

  // Turns -------------------------------------------------------------------------------------------------------------
  const known = new Map(); // id -> element
  let last = "";
  let isOpen = false;
  let isWriting = false;
  let who = { person: null, wanted: false };
  const isWaited = () => isWriting || who.person || who.wanted;

  const atEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  const toEnd = () => (log.scrollTop = log.scrollHeight);

  // Sanitised by the server, which lets nothing through that runs or is fetched.
  const put = (prose, html) => prose.insertAdjacentHTML("beforeend", html);

  const placeCaret = (prose) => {
    let inside = prose;
    while (inside.lastElementChild && !inside.lastElementChild.matches("pre, table, .caret"))
      inside = inside.lastElementChild;
    inside.append(made("span", "caret"));
  };

  const THUMB =
    "M7 10v12M15 5.88 14 10h5.83a2 2 0 0 1 1.92 2.56l-2.33 8A2 2 0 0 1 17.5 22H4a2 2 0 0 1-2-2v-8a2 2 0 0 1 2-2h2.76a2 2 0 0 0 1.79-1.11L12 2a3.13 3.13 0 0 1 3 3.88Z";
  const thumb = (className) => {
    const [icon, path] = ["svg", "path"].map((name) => document.createElementNS("http://www.w3.org/2000/svg", name));
    for (const [name, value] of Object.entries({ viewBox: "0 0 24 24", "aria-hidden": "true", class: className }))
      icon.setAttribute(name, value);
    path.setAttribute("d", THUMB);
    icon.append(path);
    return icon;
  };

  const rating = (turn) => {
    const yes = made("button", "", thumb("up"), words.yes);
    const no = made("button", "", thumb("down"), words.no);
    const press = (good) => {
      yes.setAttribute("aria-pressed", String(good === true));
      no.setAttribute("aria-pressed", String(good === false));
    };
    const rate = async (button, good) => {
      const value = button.getAttribute("aria-pressed") === "true" ? null : good;
      try {
        await ask(`messages/${turn.id}/feedback/`, { good: value });
        press(value);
      } catch (error) {
        complain(error);
      }
    };
    yes.type = no.type = "button";
    yes.onclick = () => rate(yes, true);
    no.onclick = () => rate(no, false);
    press(turn.rated);
    return made("p", "fb", made("span", "", words.helped), yes, no);
  };

  const sources = (turn) => {
    const list = made("ol", "src");
    list.setAttribute("aria-label", words.sources);
    for (const { n, name, heading } of turn.sources)
      list.append(made("li", "", made("b", "", n), made("span", "", heading ? `${name}: ${heading}` : name)));
    return list;
  };

  const trouble = (turn, element) => {
    const button = made("button", "", words.again);
    button.type = "button";
    button.onclick = async () => {
      button.disabled = true;
      try {
        const { turns } = await ask(`messages/${turn.id}/again/`, {});
        element.remove();
        known.delete(turn.id);
        begin(turns);
        goOn();
      } catch (error) {
        button.disabled = false;
        complain(error);
      }
    };
    return made("p", "trouble", made("span", "", turn.trouble), ...(who.person ? [] : [button]));
  };

  const show = (turn, isOld) => {
    const stays = atEnd();
    const mine = turn.role === "user";
    const element = mine ? made("p", "q", made("span", "vh", `${words.you}: `), turn.text) : made("div", "a");
    if (!mine) {
      element.append(turn.name ? made("p", "who", turn.name) : made("span", "vh", words.assistant));
      const prose = made("div", "prose");
      put(prose, turn.html);
      if (turn.writing) placeCaret(prose);
      element.append(prose);
      if (turn.sources.length) element.append(sources(turn));
      if (turn.trouble) element.append(trouble(turn, element));
      else if (!turn.writing && turn.html && turn.role === "assistant") element.append(rating(turn));
    }
    const before = known.get(turn.id);
    before ? before.replaceWith(element) : log.append(element);
    known.set(turn.id, element);
    last = turn.id;
    isWriting = turn.writing;
    drawState();
    drawQuestions();
    if (stays || mine) toEnd();
    if (isOld !== true && !isOpen && !mine && !turn.writing) tell("unread");
  };

  const grow = ({ id, fresh, whole, last: end }) => {
    const prose = known.get(id)?.querySelector(".prose");
    if (!prose) return;
    const stays = atEnd();
    const done = fresh ? 0 : Number(prose.dataset.done);
    while (prose.childNodes.length > done) prose.lastChild.remove();
    put(prose, whole);
    prose.dataset.done = prose.childNodes.length;
    put(prose, end);
    placeCaret(prose);
    if (stays) toEnd();
  };

  const drawState = () => {
    at("state").textContent = who.person ? words.answered_by.replace("{name}", who.person) : words.subtitle;
    person.hidden = !known.size || Boolean(who.person) || who.wanted;
    log.setAttribute("aria-busy", String(isWriting)); // read out when it is whole, not word by word
    send.disabled = send.hidden = isWriting;
    stop.hidden = !isWriting;
    if (who.wanted && !who.person && !at("wanted")) {
      const told = made("p", "trouble", words.wanted);
      told.id = "wanted";
      log.append(told);
      toEnd();
    } else if (who.person || !who.wanted) at("wanted")?.remove();
  };

  const drawQuestions = () => {
    const questions = at("questions");
    if (questions) questions.hidden = known.size > 0 || form.hidden;
  };

  const clear = () => {
    known.forEach((element) => element.remove());
    known.clear();
    drawQuestions();
    last = "";
    isWriting = false;
    who = { person: null, wanted: false };
    drawState();
    say("");
  };

  const shut = () => {
    leave();
    form.hidden = person.hidden = true;
    drawQuestions();
  };

  // Read along --------------------------------------------------------------------------------------------------------
  let reading = null; // the AbortController of the stream
  let tries = 0;
  const leave = () => {
    reading?.abort();
    reading = null;
  };

  const hear = (name, data) => {
    if (name === "turn") show(data);
    else if (name === "text") grow(data);
    else if (name === "state") {
      who = data;
      drawState();
    } else if (name === "off") {
      say(words.off);
      shut();
    } else if (name === "reset") load();
  };

  const follow = async () => {
    leave();
    if (!known.size) return;
    const mine = (reading = new AbortController());
    try {
      // What is being written is told from its beginning.
      const after = isWriting ? [...known.keys()].at(-2) : last;
      const response = await ask(`stream/${after ? `?after=${after}` : ""}`);
      const decoder = new TextDecoder();
      const reader = response.body.getReader();
      let rest = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done || reading !== mine) break;
        rest += decoder.decode(value, { stream: true });
        const events = rest.split("\n\n");
        rest = events.pop();
        for (const event of events) {
          const found = /^event: (\w+)\ndata: (.*)$/.exec(event);
          if (found && reading === mine) hear(found[1], JSON.parse(found[2]));
        }
        tries = 0;
      }
    } catch (error) {
      if (error?.code === "off") complain(error);
    }
    if (reading !== mine) return;
    reading = null;
    // The network broke, or the stream's time was up.
    if (isOpen || isWaited()) setTimeout(() => !reading && token && follow(), Math.min(1000 * 2 ** tries++, 30000));
  };

  let shown = 0; // grows with whatever is said, so that a reading from before it is not put in its place
  const begin = (turns) => {
    shown++;
    turns.forEach((turn) => show(turn));
    follow();
  };

  let loading = null;
  const load = () => (loading = read());
  const read = async () => {
    if (config.off) return hear("off");
    const before = shown;
    try {
      const said = await ask("conversation/");
      if (shown !== before) return;
      clear();
      who = said.state;
      said.turns.forEach((turn) => show(turn, true));
      drawState();
      toEnd();
      follow();
    } catch (error) {
      complain(error);
    }
  };

  // Write -------------------------------------------------------------------------------------------------------------
  const tooLong = () => words.too_long.replace("{length}", [...field.value.trim()].length).replace("{most}", config.most);

  const submit = async (text) => {
    if (isWriting || send.disabled) return;
    if (!text.trim()) return say(words.empty);
    if ([...text.trim()].length > config.most) return say(tooLong());
    say("");
    send.disabled = true;
    const mine = visitor;
    try {
      if (!token && !(await renewed())) return;
      await loading;
      const { turns } = await ask("messages/", { text }, false, mine);
      if (field.value === text) field.value = "";
      fit();
      begin(turns);
    } catch (error) {
      complain(error);
    } finally {
      send.disabled = isWriting;
      goOn();
    }
  };

  const fit = () => {
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight}px`;
  };
  field.addEventListener("input", fit);
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    submit(field.value);
  });
  send.addEventListener("click", () => submit(field.value));
  at("questions")?.addEventListener("click", ({ target }) => {
    if (target.matches("button")) submit(target.textContent);
  });
  stop.addEventListener("click", async () => {
    const id = last;
    try {
      const { turns } = await ask(`messages/${id}/stop/`, {});
      if (id === last) turns.forEach((turn) => show(turn));
      field.focus();
    } catch (error) {
      complain(error);
    }
  });
  person.addEventListener("click", async () => {
    try {
      who = (await ask("person/", {})).state;
      drawState();
      field.focus();
    } catch (error) {
      complain(error);
    }
  });
  at("close").addEventListener("click", () => tell("close"));
  // In Safari a frame of another site may give nothing the focus before its visitor did something in it: the first letter
  // is that, and belongs to the field.
  addEventListener("keydown", ({ key, ctrlKey, metaKey }) => {
    if (key === "Escape") tell("close");
    else if (/^\S$/.test(key) && !ctrlKey && !metaKey && document.activeElement === document.body) field.focus();
  });
  addEventListener("online", () => !reading && token && isOpen && follow());
  // Until here nobody heard what was typed or pressed: Enter would only have begun a line.
  field.readOnly = false;
  if (at("questions")) at("questions").inert = false;
  if (config.off) hear("off");
})();
