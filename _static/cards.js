// Looking back without leaving: a reference to an equation, a figure, a theorem, an exercise, a term or a paper
// shows it in a card. The page it stands on is fetched once, and only the piece that is asked for is parsed.
(() => {
  const KNOWN = /^(equation|fig|thm|lem|prp|cor|alg|ex|term|footcite)-/;
  const PIECE = 200_000; // characters of a page that hold any one of these
  const PATIENCE = 250; // milliseconds before a pointer means it, and before a card goes
  const root = () => new URL(document.documentElement.dataset.content_root || "./", location.href);
  const page = (url) => url.href.split("#")[0];
  const texts = new Map();
  let card, link, timer, touched;

  // The address of a link to something that has a card.
  function target(a) {
    if (!a?.hash || !a.matches(".reference.internal, .footnote-reference, .first-use a") || a.closest(".verified, nav")) return null;
    return KNOWN.test(decodeURIComponent(a.hash.slice(1))) ? new URL(a.href) : null;
  }

  async function elsewhere(url, id) {
    const address = page(url);
    if (!texts.has(address)) texts.set(address, fetch(address).then((answer) => (answer.ok ? answer.text() : "")));
    const text = await texts.get(address).catch(() => "");
    const start = text.lastIndexOf("<", text.indexOf(` id="${id}"`));
    if (start < 0) return {};
    const piece = new DOMParser().parseFromString(text.slice(start, start + PIECE), "text/html");
    return { found: piece.getElementById(id), title: text.match(/<title>([^]*?)(?: &#8212; | — |<)/)?.[1] };
  }

  // What a card shows: a copy without anchors, at home on this page.
  async function content(url) {
    const id = decodeURIComponent(url.hash.slice(1));
    const here = page(url) === page(location);
    const { found, title } = here ? { found: document.getElementById(id) } : await elsewhere(url, id);
    if (!found) return null;
    const whole = found.localName === "dt" ? nextDefinition(found) : found;
    const copy = document.importNode(whole, true);
    copy.querySelectorAll(".headerlink, .check-mark, .fn-bracket, [role=doc-backlink], .term-uses").forEach((e) => e.remove());
    for (const e of [copy, ...copy.querySelectorAll("*")]) {
      for (const name of ["id", "tabindex", "loading"]) e.removeAttribute(name);
      for (const name of ["src", "srcset", "href"])
        if (e.hasAttribute(name) && e.namespaceURI.endsWith("xhtml")) e.setAttribute(name, new URL(e.getAttribute(name), url).href);
    }
    return { copy, title, name: found.localName === "dt" ? found.textContent.replace(/#\s*$/, "").trim() : "" };
  }

  function nextDefinition(dt) {
    let next = dt.nextElementSibling;
    while (next && next.localName !== "dd") next = next.nextElementSibling;
    return next ?? dt;
  }

  // A page without formulas does not bring their style sheet.
  function dress(copy) {
    if (!copy.querySelector("mjx-container") || document.querySelector('link[href*="formulas.css"]')) return;
    const sheet = document.head.appendChild(document.createElement("link"));
    Object.assign(sheet, { rel: "stylesheet", href: new URL("_static/mathjax/formulas.css", root()) });
  }

  function make(tapped) {
    const box = document.createElement("div");
    box.id = "card";
    box.className = "card-of";
    box.setAttribute("role", tapped ? "dialog" : "tooltip");
    if (tapped) Object.assign(box, { tabIndex: -1 }).setAttribute("aria-label", "What the link refers to");
    box.addEventListener("pointerenter", () => clearTimeout(timer));
    box.addEventListener("pointerleave", later);
    return document.body.appendChild(box);
  }

  function place(a) {
    const gap = 6, edge = 12, width = document.documentElement.clientWidth;
    const line = a.getClientRects()[0] ?? a.getBoundingClientRect();
    const left = Math.max(edge, Math.min(line.left - 24, width - card.offsetWidth - edge));
    const below = innerHeight - line.bottom > card.offsetHeight + gap || line.top < card.offsetHeight + gap;
    const top = below ? line.bottom + gap : line.top - card.offsetHeight - gap;
    Object.assign(card.style, { left: `${left + scrollX}px`, top: `${top + scrollY}px` });
  }

  async function show(a, tapped = false) {
    clearTimeout(timer);
    if (a === link && card) return;
    hide();
    link = a;
    const shown = await content(target(a));
    if (link !== a || !shown) return;
    dress(shown.copy);
    card = make(tapped);
    if (shown.name) card.append(Object.assign(document.createElement("p"), { className: "card-name", textContent: shown.name }));
    const body = card.appendChild(Object.assign(document.createElement("div"), { className: "card-body" }));
    // What a definition or an entry of a list holds is shown; anything else as it is.
    if (/^(DD|ASIDE)$/.test(shown.copy.tagName)) body.append(...shown.copy.childNodes);
    else body.append(shown.copy);
    if (shown.title) {
      const where = document.createElement("p");
      where.className = "card-where";
      where.textContent = `in ${new DOMParser().parseFromString(shown.title, "text/html").body.textContent.trim()}`;
      if (!shown.name) card.append(where);
    }
    if (tapped) {
      const go = Object.assign(document.createElement("a"), { href: a.href, className: "card-go", textContent: "Go there" });
      go.addEventListener("click", () => hide());
      card.append(go);
      for (const box of card.querySelectorAll("div.math")) if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
      place(a);
      card.focus({ preventScroll: true });
    } else {
      a.setAttribute("aria-describedby", "card");
      place(a);
    }
  }

  function hide() {
    clearTimeout(timer);
    link?.removeAttribute("aria-describedby");
    const back = card?.contains(document.activeElement) ? link : null;
    card?.remove();
    card = link = undefined;
    back?.focus({ preventScroll: true });
  }

  function later() {
    clearTimeout(timer);
    timer = setTimeout(hide, PATIENCE);
  }

  const anchor = (event) => event.target.closest?.("main a[href]");
  addEventListener("pointerdown", (event) => { touched = event.pointerType === "touch"; }, true);
  addEventListener("pointerover", (event) => {
    const a = event.pointerType !== "touch" && anchor(event);
    if (!a || !target(a)) return;
    clearTimeout(timer);
    timer = setTimeout(show, PATIENCE, a);
  });
  addEventListener("pointerout", (event) => {
    if (event.pointerType === "touch" || !anchor(event)) return;
    if (card) later();
    else if (timer) { clearTimeout(timer); link = undefined; }
  });
  addEventListener("focusin", (event) => {
    const a = anchor(event);
    if (a && target(a) && a.matches(":focus-visible")) show(a);
    else if (card && !card.contains(event.target)) hide();
  });
  addEventListener("keydown", (event) => { if (event.key === "Escape" && (card || link)) hide(); });
  addEventListener("click", (event) => {
    const a = anchor(event);
    if (a && touched && target(a) && !(a === link && card) && !card?.contains(a)) {
      event.preventDefault();
      show(a, true);
    } else if (card && !card.contains(event.target)) hide();
  });
  addEventListener("resize", () => card && hide());
})();
