// Before the first paint, so that a dark page never flashes light: blocking, and external because inline is forbidden.
(() => {
  const root = document.documentElement;
  let wanted = null;
  try {
    wanted = localStorage.getItem("theme");
  } catch {
    // Storage may be switched off; the system's preference then decides.
  }
  // Other words than these two are not ours: Django's admin keeps "auto" under the same name.
  const isDark = wanted === "dark" || (wanted !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.classList.add("js");
  root.classList.toggle("dark", isDark);

  // Paper is light, charts as well.
  let wasDark = false;
  addEventListener("beforeprint", () => {
    wasDark = root.classList.contains("dark");
    root.classList.remove("dark");
    if (wasDark) document.dispatchEvent(new Event("theme-change"));
  });
  addEventListener("afterprint", () => {
    root.classList.toggle("dark", wasDark);
    if (wasDark) document.dispatchEvent(new Event("theme-change"));
  });
})();
