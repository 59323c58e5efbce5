// Brings explorers to life on the site, where no kernel is: a small model plays the part of anywidget's.
(() => {
  class Model {
    #state;
    #listeners = new Map();
    constructor(state) { this.#state = { ...state }; }
    get(key) { return this.#state[key]; }
    set(key, value) {
      const changes = typeof key === "object" ? key : { [key]: value };
      const changed = Object.keys(changes).filter((name) => this.#state[name] !== changes[name]);
      Object.assign(this.#state, changes);
      for (const name of changed) this.#emit(`change:${name}`, this, changes[name]);
      if (changed.length) this.#emit("change", this);
    }
    on(event, listener) {
      if (!this.#listeners.has(event)) this.#listeners.set(event, new Set());
      this.#listeners.get(event).add(listener);
    }
    off(event, listener) {
      if (!event) this.#listeners.clear();
      else if (!listener) this.#listeners.delete(event);
      else this.#listeners.get(event)?.delete(listener);
    }
    save_changes() {}
    #emit(event, ...details) {
      for (const listener of [...(this.#listeners.get(event) ?? [])]) listener(...details);
    }
  }

  const root = () => new URL(document.documentElement.dataset.content_root || "./", location.href);

  async function mount(host) {
    const slug = host.dataset.explorer;
    host.dataset.explorerState = "loading";
    try {
      const module = await import(new URL(`_static/explorers/${slug}.mjs`, root()));
      const model = new Model({ ...module.defaults, ...JSON.parse(host.dataset.params || "{}") });
      const el = document.createElement("div");
      await module.default.render({ model, el });
      // The picture gives way in one step, after all that can fail has succeeded.
      host.replaceChildren(el);
      host.dataset.explorerState = "ready";
    } catch (error) {
      host.dataset.explorerState = "error";
      console.error(`explorer ${slug}:`, error);
    }
  }

  function explain(host) {
    const note = document.createElement("p");
    note.className = "explorer-note";
    note.textContent = "This figure is interactive when the book is read through a web server: run “make serve”, or read it online.";
    host.append(note);
    host.dataset.explorerState = "file";
  }

  function start() {
    const hosts = document.querySelectorAll("[data-explorer]");
    // Browsers refuse to load modules from file://.
    if (location.protocol === "file:") return hosts.forEach(explain);
    const observer = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        observer.unobserve(target);
        mount(target);
      }
    }, { rootMargin: "600px" });
    hosts.forEach((host) => observer.observe(host));
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
