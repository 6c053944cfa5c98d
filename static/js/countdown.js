// data-countdown on what holds one <time>: in its last hour the time that is left, second by second.
// Without scripts it says what the server said. Nothing announces it: a reader who asks hears what stands there.
(() => {
  const HOUR = 3600;

  const tick = () => {
    for (const holder of document.querySelectorAll("[data-countdown]")) {
      const time = holder.querySelector("time");
      const left = Math.ceil((Date.parse(time?.dateTime ?? "") - Date.now()) / 1000);
      if (Number.isNaN(left) || left >= HOUR) continue;
      const [minutes, seconds] = [Math.floor(left / 60), String(left % 60).padStart(2, "0")];
      time.textContent = left > 0 ? `in ${minutes}:${seconds}` : "now";
    }
  };

  tick();
  setInterval(tick, 1000);
  document.addEventListener("htmx:afterSettle", tick);
})();
