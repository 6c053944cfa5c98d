// What a site loads: a launcher, Facet's frame when somebody opens it, and the visitor's token. No cookies.
// The site's security policy must allow this host for script-src, frame-src and connect-src; nothing here is inline.
(() => {
  "use strict";
  const config = __CONFIG__;
  // A loader that runs the text itself leaves no script to ask.
  const host = document.currentScript?.src ? new URL(document.currentScript.src).origin : config.host;
  const base = `${host}/embed/${config.id}/`;
  const facet = window.Facet?.widgets ? window.Facet : (window.Facet = api());
  // A page that mounts it again, or has put another body in place of the one it stood in.
  const there = facet.widgets.get(config.id);
  if (there) return there.begin();
  // The server and the browser enforce this; here it only spares a visitor a button that does nothing.
  if (!config.origins.includes(location.origin)) {
    console.info(`Facet: ${location.origin} is not among the origins of this widget.`);
    return;
  }

  function api() {
    const widgets = new Map();
    const which = (id) => (id ? [widgets.get(id)] : [...widgets.values()]).filter(Boolean);
    return {
      widgets,
      open: (id) => which(id)[0]?.open(),
      close: (id) => which(id).forEach((one) => one.close()),
      identify: (who, id) => Promise.all(which(id).map((one) => one.identify(who))),
      remove: (id) => which(id).forEach((one) => one.remove()),
    };
  }

  // The token, kept by the site's own storage: a frame's own is gone with each page in some browsers. -----------------
  const key = `facet:${config.id}`;
  let held = null;
  let identity = null; // whom the site vouches for, named anew with each token
  let refused = ""; // why the site's last word about its visitor did not count
  let era = 0; // grows with whoever sits in front of the page
  const stored = (storage, ...value) => {
    try {
      const place = window[storage];
      if (!value.length) return place.getItem(key);
      value[0] === null ? place.removeItem(key) : place.setItem(key, value[0]);
    } catch {
      // Storage is switched off: the conversation lasts as long as the page.
    }
    return null;
  };

  const mint = async (body) => {
    const mine = era;
    const response = await fetch(`${base}visitor/`, {
      method: "POST",
      credentials: "omit",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const said = await response.json();
    if (mine !== era) return token();
    if (!response.ok) throw said.error;
    held = said.token;
    // A shared computer must not remember whom the site vouches for: it names them on every page.
    if (!identity) stored("localStorage", held);
    return held;
  };

  // The same request for everybody who wants a token at the same time.
  let minting = null;
  const token = (isFresh) => {
    if (held && !isFresh) return Promise.resolve(held);
    const before = held || (config.signed ? null : stored("localStorage"));
    if (minting) return minting;
    const mine = mint(identity ? { identity } : before ? { token: before } : {}).finally(() => {
      if (minting === mine) minting = null;
    });
    return (minting = mine);
  };

  // What is seen ------------------------------------------------------------------------------------------------------
  const root = document.createElement("div");
  const shadow = root.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    :host { all: initial; position: static }
    button, iframe { position: fixed; z-index: 2147483000; border: 0; margin: 0 }
    button { bottom: calc(24px + var(--nth) * 68px); ${config.side}: 24px; width: 56px; height: 56px; padding: 0;
      border-radius: 50%; background: ${config.colour}; color: ${config.on}; cursor: pointer; display: grid;
      place-items: center; box-shadow: 0 8px 24px -6px rgb(0 0 0 / .4), 0 0 0 1px rgb(0 0 0 / .06) }
    button:focus-visible { outline: 3px solid ${config.colour}; outline-offset: 3px; box-shadow: 0 0 0 3px #fff }
    svg { width: 26px; height: 26px; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round;
      stroke-linejoin: round }
    i { position: absolute; top: 0; right: 0; width: 15px; height: 15px; border-radius: 50%; background: #c62828;
      border: 2px solid #fff; box-sizing: border-box }
    iframe { bottom: 24px; ${config.side}: 24px; width: 384px; height: min(640px, calc(100dvh - 48px));
      border-radius: 16px; background: #fff; color-scheme: light;
      box-shadow: 0 24px 60px -12px rgb(0 0 0 / .35), 0 0 0 1px rgb(0 0 0 / .1) }
    [hidden] { display: none }
    span { position: fixed; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
    @media (max-width: 600px) { iframe { inset: 0; width: 100%; height: 100%; border-radius: 0; box-shadow: none } }
    @media print { button, iframe { display: none } }
    @media (prefers-reduced-motion: no-preference) {
      iframe { animation: rise .18s ease-out } @keyframes rise { from { opacity: 0; transform: translateY(12px) } }
      button { transition: transform .15s } button:hover { transform: scale(1.05) } }`);
  shadow.adoptedStyleSheets = [sheet];
  const drawn = (name, attributes, ...inside) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [one, value] of Object.entries(attributes)) made.setAttribute(one, value);
    made.append(...inside);
    return made;
  };
  const path = "M7.9 20A9 9 0 1 0 4 16.1L2 22Z";
  const launcher = document.createElement("button");
  launcher.type = "button";
  launcher.append(drawn("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, drawn("path", { d: path })));
  const dot = document.createElement("i");
  dot.hidden = true;
  launcher.append(dot);
  const me = { side: config.side };
  const others = () => [...facet.widgets.values()].filter((one) => one !== me);
  const beside = others().filter((one) => one.side === config.side).map((one) => one.nth);
  const nth = [...beside, 0].findIndex((_, place) => !beside.includes(place));
  // Two that are open in one place would lie upon each other, and on a small screen there is one place only.
  const isInPlaceOf = (one) => one.side === config.side || innerWidth <= 600;
  root.style.setProperty("--nth", nth);
  // Said to who does not see the dot.
  const news = document.createElement("span");
  news.setAttribute("role", "status");
  shadow.append(launcher, news);

  const label = () => {
    launcher.setAttribute("aria-label", `${config.title}: ${config.words.open}${dot.hidden ? "" : `, ${config.words.unread}`}`);
    launcher.setAttribute("aria-expanded", String(Boolean(frame && !frame.hidden)));
  };

  // The frame ---------------------------------------------------------------------------------------------------------
  let frame = null;
  let isReady = false;
  let isOpen = false;
  let isQuiet = false;
  let isAside = false; // another is open in its place

  const tell = (type, more) => {
    if (isReady && root.isConnected) frame.contentWindow.postMessage({ facet: config.id, type, ...more }, host);
  };
  const give = (isFresh) =>
    token(isFresh).then(
      (value) => tell("token", { token: value }),
      // A visitor whom the site named, and wrongly, is not told to sign in there.
      (error) => tell("refused", { code: (error?.code === "identity_needed" && refused) || String(error?.code ?? "lost") }),
    );

  const heard = ({ origin, source, data }) => {
    if (!frame || origin !== host || source !== frame.contentWindow) return;
    if (data === null || typeof data !== "object" || data.facet !== config.id) return;
    if (data.type === "renew") give(true);
    if (data.type === "close") close();
    if (data.type === "unread" && !isOpen) {
      dot.hidden = false;
      news.textContent = `${config.title}: ${config.words.unread}`;
      label();
    }
  };

  const mount = () => {
    frame = document.createElement("iframe");
    frame.title = config.title;
    frame.addEventListener("load", () => {
      isReady = true;
      give(false);
      if (isOpen) tell("open", { isQuiet });
    });
    frame.src = base;
    addEventListener("message", heard);
    shadow.append(frame);
  };

  const open = (isAgain) => {
    if (!frame) mount();
    others().filter(isInPlaceOf).forEach((one) => one.stepAside());
    isOpen = true;
    isAside = false;
    frame.hidden = false;
    launcher.hidden = dot.hidden = true;
    news.textContent = "";
    label();
    // One that was open on the page before leaves the focus where the page has it.
    isQuiet = isAgain === true;
    if (!isQuiet) frame.focus();
    tell("open", { isQuiet });
    stored("sessionStorage", "open");
  };

  const shut = () => {
    if (!isOpen) return false;
    isOpen = false;
    frame.hidden = true;
    tell("closed");
    stored("sessionStorage", null);
    return true;
  };
  const showLauncher = () => {
    isAside = false;
    launcher.hidden = isOpen;
    label();
  };
  const close = () => {
    if (!shut()) return;
    showLauncher();
    launcher.focus();
    others().forEach((one) => one.comeBack());
  };
  const stepAside = () => {
    shut();
    isAside = launcher.hidden = true;
    label();
  };

  // Somebody signed in (or, with null, out): what was said before stays with whoever said it.
  const identify = async (who) => {
    const mine = ++era;
    const stays = Boolean(identity) && identity.id === who?.id; // named again, as sites do with each of their pages
    const isSame = !identity || stays;
    held = minting = null;
    refused = "";
    stored("localStorage", null);
    identity = who ? { id: who.id, signature: who.signature, expires: who.expires, name: who.name || undefined } : null;
    if (identity)
      await token(true).catch((error) => {
        if (error?.code && mine === era) {
          identity = null; // refused, and not only out of reach
          refused = error.code;
        }
        console.warn(`Facet: ${error?.detail ?? "identify() could not reach the server."}`);
      });
    tell("forget", { isSame, stays });
    if (frame) await give(false);
  };

  const begin = () => {
    if (!root.isConnected) {
      isReady = false; // a frame that is put in again is loaded again
      document.body.append(root);
    }
    if (isCovered()) stepAside();
    document.dispatchEvent(new CustomEvent("facet:ready", { detail: { id: config.id } }));
    // A conversation goes on from page to page, but not over a whole small screen.
    if (stored("sessionStorage") && innerWidth > 600 && !isOpen) open(true);
  };
  const remove = () => {
    const wasOpen = isOpen;
    removeEventListener("message", heard);
    root.remove();
    facet.widgets.delete(config.id);
    if (wasOpen) others().forEach((one) => one.comeBack());
  };
  const isCovered = () => others().some((one) => one.isOpen() && isInPlaceOf(one));
  const comeBack = () => {
    if (isAside && !isCovered()) showLauncher();
  };

  launcher.addEventListener("click", () => open());
  Object.assign(me, { nth, open: () => open(), close, identify, begin, remove, isOpen: () => isOpen, stepAside, comeBack });
  facet.widgets.set(config.id, me);
  label();
  document.body ? begin() : addEventListener("DOMContentLoaded", begin);
})();
