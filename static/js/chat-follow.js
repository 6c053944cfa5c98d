// Answers as they are written: each [data-follow] is read from its stream, and swapped for its final self at the end.
(() => {
  const followed = new WeakMap();
  const tabs = "BroadcastChannel" in window ? new BroadcastChannel("facet-chat") : null;

  const caretOf = () => Object.assign(document.createElement("span"), { className: "caret" });

  // The caret stands behind the last words, wherever they are nested.
  const placeCaret = (prose) => {
    let last = prose;
    while (last.lastElementChild && !last.lastElementChild.matches("pre, table, .caret")) last = last.lastElementChild;
    last.append(caretOf());
  };

  const show = (prose, { fresh, whole, last }) => {
    if (fresh) prose.replaceChildren();
    const done = fresh ? 0 : Number(prose.dataset.done);
    while (prose.children.length > done) prose.lastElementChild.remove();
    prose.insertAdjacentHTML("beforeend", whole);
    prose.dataset.done = prose.children.length;
    prose.insertAdjacentHTML("beforeend", last);
    placeCaret(prose);
    document.dispatchEvent(new Event("chat-grew"));
  };

  // Without a network nothing is swapped, and it is tried again.
  const swap = (url, target, how) => htmx.ajax("GET", url, { target, swap: how }).catch(() => {});

  // Swaps in what became of it, which may be that it is still being written: then the new turn is followed.
  const finish = (article) => {
    if (!article.isConnected) return;
    swap(article.dataset.ended, article, "outerHTML");
    const thread = article.closest("[data-conversation]");
    if (thread) tabs?.postMessage(thread.dataset.conversation);
  };

  const follow = (article) => {
    const url = article.dataset.follow;
    if (followed.get(article) === url) return;
    followed.set(article, url);
    const prose = article.querySelector("[data-answer]");
    const source = new EventSource(url);
    // A swap may have ended it already: a stop, say.
    const isOver = () => !article.isConnected || article.dataset.follow !== url;
    source.addEventListener("text", (event) => {
      if (isOver()) return source.close();
      show(prose, JSON.parse(event.data));
    });
    source.addEventListener("end", () => {
      source.close();
      if (!isOver()) finish(article);
    });
    // The browser reconnects by itself after a break; a stream that was refused stays closed.
    source.addEventListener("error", () => {
      if (source.readyState !== EventSource.CLOSED) return;
      const look = () => {
        if (isOver()) return;
        if (navigator.onLine) finish(article);
        setTimeout(look, 3000); // until it could be asked
      };
      setTimeout(look, 3000);
    });
  };

  const followAll = () => document.querySelectorAll("[data-follow]").forEach(follow);
  document.addEventListener("htmx:afterSettle", followAll);
  followAll();

  // Another tab said something, or this one was away: show what there is now. What is typed stays.
  const catchUp = () => {
    const thread = document.querySelector("[data-thread]");
    if (!thread || thread.querySelector("[data-follow], details[open]")) return;
    swap(thread.dataset.thread, "#thread", "morph:outerHTML");
  };
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    const thread = document.querySelector("[data-conversation]");
    if (thread && detail.successful && detail.requestConfig.verb === "post") tabs?.postMessage(thread.dataset.conversation);
  });
  tabs?.addEventListener("message", ({ data }) => {
    if (document.querySelector("[data-conversation]")?.dataset.conversation === data) catchUp();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") catchUp();
  });
  addEventListener("online", catchUp);
})();
