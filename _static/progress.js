// What was read and solved is remembered in this browser and nowhere else: marks in the contents and on the cards.
(() => {
  const root = () => new URL(document.documentElement.dataset.content_root || "./", location.href);
  const CHAPTER = /^chapters\/[^/]+\/(?!index\.html)[^/]+\.html$/;
  const AWHILE = 1000; // milliseconds for which the end is in view before a chapter counts as read

  const key = () => `book-progress:${root().pathname}`;
  const chapter = (url) => {
    const path = new URL(url, location.href).href.split(/[?#]/)[0].replace(root().href, "");
    return CHAPTER.test(path) ? path : null;
  };

  // Storage may be blocked, full, or hold what somebody else wrote.
  function load() {
    try {
      const kept = JSON.parse(localStorage.getItem(key()));
      return kept && typeof kept === "object" ? kept : {};
    } catch { return {}; }
  }
  function save(all) {
    try {
      if (all) localStorage.setItem(key(), JSON.stringify(all));
      else localStorage.removeItem(key());
    } catch { /* nothing is remembered, then */ }
  }

  const here = chapter(location.href);

  function remember(change) {
    const all = load();
    all[here] = { read: false, solved: [], ...all[here] };
    change(all[here]);
    all[here].of = document.querySelectorAll("[data-exercise][data-key]").length;
    save(all);
    show();
  }

  function words({ read, solved = [], of }) {
    const exercises = solved.length ? `${solved.length} of ${of} exercises solved` : "";
    return [read ? "read" : "", exercises].filter(Boolean).join(", ");
  }

  function mark(a, said) {
    a.querySelector(".progress-mark")?.remove();
    if (!said) return;
    const sign = document.createElement("span");
    sign.className = "progress-mark";
    sign.setAttribute("role", "img");
    sign.setAttribute("aria-label", said);
    sign.title = said;
    sign.textContent = said.startsWith("read") ? "●" : "◐";
    (a.querySelector(".gallery-title") ?? a).append(" ", sign);
  }

  function show() {
    const all = load();
    for (const a of document.querySelectorAll("nav.bd-links a[href], a.gallery-card")) {
      const page = chapter(a.href);
      if (page) mark(a, all[page] ? words(all[page]) : "");
    }
    for (const host of document.querySelectorAll("[data-exercise][data-key]"))
      host.dataset.solved = Boolean(here && all[here]?.solved?.includes(host.dataset.exercise));
    const place = document.querySelector("[data-progress]");
    if (place) summary(place, Object.values(all));
  }

  function summary(place, kept) {
    const read = kept.filter((one) => one.read).length;
    const solved = kept.reduce((sum, one) => sum + (one.solved?.length ?? 0), 0);
    const count = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;
    const line = document.createElement("p");
    line.className = "progress-summary";
    if (!read && !solved) line.textContent = "A chapter that you have read to its end is marked here, and so are exercises that you have solved. The marks stay in this browser.";
    else {
      const forget = Object.assign(document.createElement("button"), { type: "button", textContent: "Forget" });
      forget.addEventListener("click", () => { save(null); show(); });
      line.append(`You have read ${count(read, "chapter")} and solved ${count(solved, "exercise")}. Only this browser knows. `, forget);
    }
    place.replaceChildren(line);
  }

  // The end of a chapter is its last section before the references.
  function watch() {
    const end = document.querySelector("section#references, section[id^=references]") ?? document.querySelector(".prev-next-footer");
    if (!end || !("IntersectionObserver" in window)) return;
    let timer;
    const observer = new IntersectionObserver(([{ isIntersecting }]) => {
      clearTimeout(timer);
      if (!isIntersecting) return;
      timer = setTimeout(() => {
        observer.disconnect();
        remember((one) => { one.read = true; });
      }, AWHILE);
    });
    observer.observe(end);
  }

  function start() {
    show();
    if (!here) return;
    addEventListener("book:solved", ({ detail }) => remember((one) => {
      if (!one.solved.includes(detail)) one.solved.push(detail);
    }));
    watch();
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
