// The list of everything that is checked, narrowed by chapter, kind of check and rivals. The choice stands in the address.
(() => {
  const filter = document.querySelector(".verified-filter");
  if (!filter) return;
  const controls = [...filter.querySelectorAll("select, input")];
  const entries = [...document.querySelectorAll(".verified")];
  const sections = new Set(entries.map((entry) => entry.closest("section")));
  const value = (control) => (control.type === "checkbox" && !control.checked ? "" : control.value);

  function show() {
    const [chapter, method, rivals] = controls.map(value);
    const checked = (kind) => kind.startsWith(method) && (!rivals || kind.endsWith("+"));
    for (const entry of entries) {
      const { chapter: home, checks } = entry.dataset;
      entry.hidden = (chapter && home !== chapter) || !checks.split(" ").some(checked);
    }
    for (const section of sections) section.hidden = !section.querySelector(".verified:not([hidden])");
    const shown = entries.filter((entry) => !entry.hidden).length;
    filter.querySelector("output").textContent = `${shown} of ${entries.length} equations shown`;
  }

  // An address that holds no choice, such as that of a chapter's section, shows everything.
  function read() {
    const kept = new URLSearchParams(location.hash.slice(1));
    for (const control of controls) {
      const wanted = kept.get(control.name) ?? "";
      if (control.type === "checkbox") control.checked = wanted === control.value;
      else control.value = [...control.options].some((option) => option.value === wanted) ? wanted : "";
    }
    show();
  }

  filter.addEventListener("change", () => {
    show();
    const kept = new URLSearchParams(controls.filter(value).map((control) => [control.name, control.value]));
    history.replaceState(null, "", `${location.pathname}${location.search}${`${kept}` && `#${kept}`}`);
  });
  addEventListener("hashchange", () => {
    read();
    document.getElementById(location.hash.slice(1))?.scrollIntoView();
  });
  filter.hidden = false;
  read();
})();
