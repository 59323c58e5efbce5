// Wide formulas, and figures on a phone, scroll in a box of their own: let the keyboard reach it.
addEventListener("load", () => {
  // In a line of text the scroll width also counts what is there for screen readers alone.
  const width = (box) => (box.matches("span") && box.firstElementChild ? box.firstElementChild.offsetWidth : box.scrollWidth);
  const mark = () => {
    const boxes = [...document.querySelectorAll(".math, figure")];
    const wide = boxes.map((box) => width(box) > box.clientWidth + 1);
    boxes.forEach((box, i) => (wide[i] ? (box.tabIndex = 0) : box.removeAttribute("tabindex")));
  };
  mark();
  addEventListener("resize", mark);
  addEventListener("click", () => requestAnimationFrame(mark)); // a proof that opens has formulas, too
});
