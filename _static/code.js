// The switch "text · code" opens or folds all code of a page, and the next page opens as this one was left.
(() => {
  const buttons = [...document.querySelectorAll("[data-show]")];
  const folds = document.querySelectorAll("details.code-fold");
  const stored = (use) => {
    try {
      return use(localStorage);
    } catch {
      return null; // storage is blocked: the choice lasts as long as the page
    }
  };

  function show(state) {
    folds.forEach((fold) => { fold.open = state === "code"; });
    buttons.forEach((button) => button.setAttribute("aria-pressed", button.dataset.show === state));
  }

  // What stands at the top of the screen stays there, whatever opens or folds above it.
  function still(change) {
    const edge = document.querySelector(".bd-header-article")?.getBoundingClientRect().bottom ?? 0;
    const blocks = document.querySelectorAll(".bd-article :is(h1, h2, h3, p, li, pre, summary, figure, div.math, div.check)");
    const place = (block) => block.getBoundingClientRect();
    const folded = (block) => block.matches("details:not([open]) > :not(summary) *");
    const first = [...blocks].find((block) => !folded(block) && place(block).bottom > edge + 1);
    const line = first?.closest("details.code-fold")?.firstElementChild ?? first;
    // A line whose code is read, and folded, comes to the top.
    const before = line && (line === first ? place(line).top : Math.max(edge, place(line).top));
    change();
    if (line) scrollBy({ top: place(line).top - before, behavior: "instant" });
  }

  // The whole line of a check opens its code, but for its link and what is being marked.
  addEventListener("click", ({ target }) => {
    const line = target.closest?.(".evidence > .check");
    const fold = line?.parentElement.querySelector("details");
    if (fold && !target.closest("a") && getSelection().isCollapsed) fold.open = !fold.open;
  });

  for (const button of buttons)
    button.addEventListener("click", () => {
      still(() => show(button.dataset.show));
      stored((storage) => storage.setItem("show", button.dataset.show));
    });
  if (buttons.length && stored((storage) => storage.getItem("show")) === "code") still(() => show("code"));
})();
