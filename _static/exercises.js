// A field under every exercise: it judges a number without a kernel. The keys come from utils/exercises.
(() => {
  const close = (got, want, rtol) => Math.abs(got - want) <= rtol * (Math.abs(want) || 1);

  // A number or a quotient of two, with a decimal point or comma; NaN for anything else.
  function parse(text) {
    const parts = text.trim().replaceAll("−", "-").replaceAll(",", ".").split("/");
    if (parts.length > 2 || parts.some((part) => !part.trim())) return NaN;
    return parts.map(Number).reduce((a, b) => a / b);
  }

  function judge(key, text) {
    const got = parse(text);
    if (!Number.isFinite(got)) return ["open", "Type a number, such as 0.25 or 1/4."];
    if (close(got, key.value, key.rtol)) return ["right", "Right."];
    const known = key.mistakes.find(([value]) => close(got, value, key.rtol));
    return ["wrong", `Not yet. ${known ? known[1] : key.hint}`];
  }

  function field(host) {
    const key = JSON.parse(host.dataset.key);
    const form = document.createElement("form");
    form.noValidate = true;
    form.innerHTML = `<label>Your answer, <span></span> <input type="text" inputmode="text" autocomplete="off" size="9"></label>
      <button type="submit">Check</button> <output aria-live="polite"></output>`;
    form.querySelector("span").textContent = `${key.ask}:`;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const [state, words] = judge(key, form.querySelector("input").value);
      form.dataset.state = state;
      form.querySelector("output").textContent = words;
      if (state === "right") host.dispatchEvent(new CustomEvent("book:solved", { bubbles: true, detail: host.dataset.exercise }));
    });
    host.replaceChildren(form);
  }

  const start = () => document.querySelectorAll("[data-exercise][data-key]").forEach(field);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
