// Wide equations, and figures on a phone, scroll in a box of their own: let the keyboard reach it.
addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  const mark = () => {
    for (const box of document.querySelectorAll("div.math, figure")) {
      const wide = box.scrollWidth > box.clientWidth;
      box.toggleAttribute("tabindex", wide);
      if (wide) box.tabIndex = 0;
    }
  };
  mark();
  addEventListener("resize", mark);
});
