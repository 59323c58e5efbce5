// A wide equation scrolls in its own box: let the keyboard reach that box.
addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  const mark = () => {
    for (const box of document.querySelectorAll("div.math")) {
      const wide = box.scrollWidth > box.clientWidth;
      box.toggleAttribute("tabindex", wide);
      if (wide) box.tabIndex = 0;
    }
  };
  mark();
  addEventListener("resize", mark);
});
