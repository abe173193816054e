// Makes pages livelier. Everything works without it: each action is a link or a form.

// Times in the reader's own zone; the exact moment stays on hover.
const localTimes = (root) => {
  for (const el of root.querySelectorAll("time[datetime]")) {
    const at = new Date(el.dateTime);
    if (Number.isNaN(at.getTime()) || el.dataset.local) continue;
    el.dataset.local = "yes";
    el.title = `${at.toLocaleString()} · ${el.dateTime}`;
    const pad = (n) => String(n).padStart(2, "0");
    const day = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
    el.textContent = `${day} ${pad(at.getHours())}:${pad(at.getMinutes())}`;
  }
};

// Forms that cannot be undone ask first.
document.addEventListener("submit", (event) => {
  const question = event.target.dataset?.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});

// Single keys open what carries them (data-key), never while somebody types.
const isTyping = (el) => el && (el.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(el.tagName));
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (event.key === "/") {
    const search = document.querySelector("[data-palette]");
    if (search) { event.preventDefault(); search.focus(); }
    return;
  }
  const target = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (target) { event.preventDefault(); target.click(); }
});

localTimes(document);

// A button that copies each block of code.
for (const block of document.querySelectorAll(".prose pre.code, pre.snippet")) {
  const text = block.textContent;
  const button = Object.assign(document.createElement("button"), { type: "button", className: "btn copy", textContent: "Copy" });
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Press Ctrl+C";
    }
  });
  block.append(button);
}

// Command palette on Ctrl+K: pages and whatever the search finds. Without scripts there is /search.
const paletteCommands = () => [
  ...[...document.querySelectorAll(".nav a, [data-key='c']")].map((a) => ({ title: a.textContent, url: a.getAttribute("href"), kind: "page" })),
  { title: "Settings", url: "/settings", kind: "page" },
];

const openPalette = () => {
  if (!document.querySelector(".top-search") || document.querySelector("dialog.palette")) return;
  const make = (tag, attributes = {}, text = "") => {
    const el = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) el.setAttribute(name, value);
    el.textContent = text;
    return el;
  };
  const dialog = make("dialog", { class: "palette", "aria-label": "Go to" });
  const input = make("input", { type: "search", placeholder: "Go to, or search", "aria-label": "Go to, or search" });
  const list = make("ul", { role: "listbox" });
  dialog.append(input, list);
  document.body.append(dialog);
  let selected = 0;
  let asked = 0;
  const mark = () => [...list.children].forEach((li, i) => {
    li.setAttribute("aria-selected", String(i === selected));
    if (i === selected) li.scrollIntoView({ block: "nearest" });
  });
  const show = (items) => {
    selected = 0;
    list.replaceChildren(...items.map((item) => {
      const li = make("li", { role: "option" });
      const a = make("a", { href: item.url });
      a.append(make("span", {}, item.title), make("span", { class: "badge" }, item.kind));
      li.append(a);
      return li;
    }));
    mark();
  };
  const commands = (text) => paletteCommands().filter((c) => c.title.toLowerCase().includes(text.toLowerCase()));
  const look = async () => {
    const text = input.value.trim();
    const mine = ++asked;
    if (!text) return show(commands(""));
    show(commands(text));
    try {
      const answer = await fetch(`/api/v1/search?limit=8&q=${encodeURIComponent(input.value)}`, { headers: { accept: "application/json" } });
      if (!answer.ok || mine !== asked) return;
      const found = await answer.json();
      const jump = found.jump ? [{ title: text, url: found.jump, kind: "go to" }] : [];
      show([...jump, ...commands(text), ...found.items]);
    } catch { /* offline: the commands stay */ }
  };
  let timer;
  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(look, 120); });
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      selected = Math.max(0, Math.min(list.children.length - 1, selected + step));
      mark();
    } else if (event.key === "Enter") {
      event.preventDefault();
      const a = list.children[selected]?.querySelector("a");
      window.location.assign(a ? a.getAttribute("href") : `/search?q=${encodeURIComponent(input.value)}`);
    }
  });
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  show(commands(""));
  dialog.showModal();
};

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") { event.preventDefault(); openPalette(); }
});
// Live pages: the server only says that something changed; the page asks for itself again and takes
// over the parts (data-live-part) that nobody is working in. What is being typed is never touched.
const touched = (part) =>
  part.contains(document.activeElement) && isTyping(document.activeElement) ||
  [...part.querySelectorAll("input:not([type=hidden]), textarea")].some((f) =>
    f.type === "checkbox" || f.type === "radio" ? f.checked !== f.defaultChecked : f.value !== f.defaultValue) ||
  [...part.querySelectorAll("select")].some((s) => [...s.options].some((o) => o.selected !== o.defaultSelected && s.dataset.touched)) ||
  part.querySelector("details[open]:not([data-open])");
document.addEventListener("change", (event) => { if (event.target.tagName === "SELECT") event.target.dataset.touched = "yes"; });

const refreshParts = async () => {
  const answer = await fetch(location.href, { headers: { accept: "text/html" }, credentials: "same-origin" });
  if (!answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live-part]")) {
    const next = fresh.querySelector(`[data-live-part="${CSS.escape(part.dataset.livePart)}"]`);
    if (!next || next.innerHTML === part.dataset.liveHtml) continue;
    if (touched(part)) { part.dataset.liveStale = "yes"; continue; }
    const html = next.innerHTML;
    part.replaceChildren(...next.childNodes);
    part.dataset.liveHtml = html;
    delete part.dataset.liveStale;
    localTimes(part);
  }
};

const topics = document.body.dataset.live;
if (topics && window.EventSource) {
  let waiting = null;
  let greeted = false;
  // Many watchers spread their questions a little, and a burst of changes asks once.
  const soon = () => { waiting ??= setTimeout(() => { waiting = null; refreshParts().catch(() => {}); }, 80 + Math.random() * 170); };
  const source = new EventSource(`/live?topics=${encodeURIComponent(topics)}`);
  source.addEventListener("changed", soon);
  source.addEventListener("hello", () => { if (greeted) soon(); greeted = true; });
}
