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
  if (target) {
    event.preventDefault();
    if (isTyping(target)) target.focus(); else target.click();
  }
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

// Editors show what the text will look like while it is typed; the server draws it, as it will the page.
for (const form of document.querySelectorAll("form[data-preview]")) {
  let timer = null;
  let asked = 0;
  const draw = async () => {
    const mine = ++asked;
    const body = new URLSearchParams(new FormData(form));
    body.set("preview", "on");
    const answer = await fetch(form.action, { method: "POST", body, headers: { accept: "text/html" } });
    if (!answer.ok && answer.status !== 422) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[data-preview-part]");
    const shown = document.querySelector("[data-preview-part]");
    // A text that cannot be read yet keeps the last picture; saving says what is wrong.
    if (mine === asked && fresh?.firstElementChild && shown) shown.replaceChildren(...fresh.childNodes);
  };
  form.addEventListener("input", (event) => {
    if (event.target.tagName !== "TEXTAREA") return;
    clearTimeout(timer);
    timer = setTimeout(() => draw().catch(() => {}), 400);
  });
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
  const input = make("input", {
    type: "search", placeholder: "Go to, or search", "aria-label": "Go to, or search", autocomplete: "off",
    role: "combobox", "aria-autocomplete": "list", "aria-expanded": "true", "aria-controls": "palette-list",
  });
  const list = make("ul", { role: "listbox", id: "palette-list", "aria-label": "Places and results" });
  const count = make("p", { role: "status", class: "visually-hidden" });
  dialog.append(input, list, count);
  document.body.append(dialog);
  let selected = 0;
  let asked = 0;
  const mark = () => [...list.children].forEach((li, i) => {
    li.setAttribute("aria-selected", String(i === selected));
    if (i !== selected) return;
    input.setAttribute("aria-activedescendant", li.id);
    li.scrollIntoView({ block: "nearest" });
  });
  const show = (items) => {
    selected = 0;
    input.removeAttribute("aria-activedescendant");
    count.textContent = `${items.length} to choose from`;
    list.replaceChildren(...items.map((item, i) => {
      const li = make("li", { role: "option", id: `palette-${i}` });
      const a = make("a", { href: item.url, tabindex: "-1" });
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
      const all = { title: `All results for "${text}"`, url: `/search?stay=1&q=${encodeURIComponent(text)}`, kind: "search" };
      show([...jump, ...commands(text), ...found.items, all]);
    } catch { /* offline: the commands stay */ }
  };
  let timer;
  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(look, 120); });
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8, Tab: event.shiftKey ? -1 : 1 }[event.key];
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
  // A search field takes Escape to empty itself; here it means to leave.
  dialog.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    dialog.close();
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  show(commands(""));
  dialog.showModal();
};

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") { event.preventDefault(); openPalette(); }
});
// Live pages: the server only says that something changed; the page asks again (for itself, or only for its parts) and takes
// over the parts (data-live-part). A part in which somebody types waits until they leave it, and what
// they typed is carried over into its new form.
const isChanged = (field) => {
  if (field.type === "hidden" || field.type === "submit" || field.type === "button") return false;
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.tagName === "SELECT") return Boolean(field.dataset.touched);
  return field.value !== field.defaultValue;
};
document.addEventListener("change", (event) => { if (event.target.tagName === "SELECT") event.target.dataset.touched = "yes"; });

const isBusy = (part) =>
  (part.contains(document.activeElement) && isTyping(document.activeElement)) ||
  [...part.querySelectorAll("input[type=file]")].some((f) => f.files.length > 0);

/** What was typed in a part: by form, then by field. */
const typedIn = (part) => {
  const all = [];
  for (const [i, form] of [...part.querySelectorAll("form")].entries()) {
    for (const field of form.elements) {
      if (field.name && isChanged(field)) all.push({ form: form.getAttribute("action"), i, name: field.name, field });
    }
  }
  return all;
};

/** Puts it into the part's new forms; tells of what has no place there any more. */
const carryOver = (part, typed) => {
  const lost = [];
  const forms = [...part.querySelectorAll("form")];
  for (const { form, i, name, field } of typed) {
    const same = forms.filter((f) => f.getAttribute("action") === form);
    const target = (same.includes(forms[i]) ? forms[i] : same[0])?.elements;
    const fields = target ? [...target].filter((f) => f.name === name) : [];
    const next = fields.find((f) => f.type === field.type && (field.type !== "radio" || f.value === field.value));
    if (!next) {
      if (field.value && field.type !== "checkbox" && field.type !== "radio") lost.push(field.value);
    } else if (next.type === "checkbox" || next.type === "radio") {
      next.checked = field.checked;
    } else if (next.tagName === "SELECT") {
      if ([...next.options].some((o) => o.value === field.value)) { next.value = field.value; next.dataset.touched = "yes"; }
    } else {
      next.value = field.value;
    }
  }
  if (lost.length === 0) return;
  const note = document.createElement("div");
  note.className = "notice notice-warn";
  note.setAttribute("role", "status");
  note.append("Somebody changed this meanwhile, and the form that you were filling in is gone. What you typed:");
  for (const text of lost) note.append(Object.assign(document.createElement("pre"), { textContent: text }));
  part.prepend(note);
};

const shownHtml = new WeakMap();
const stale = new Set();

const takeOver = (part, next) => {
  const html = next.innerHTML;
  if (shownHtml.get(part) === html) return;
  const typed = typedIn(part);
  const opened = new Set([...part.querySelectorAll("details[open] > summary")].map((s) => s.textContent));
  part.replaceChildren(...next.cloneNode(true).childNodes);
  part.hidden = next.hidden;
  shownHtml.set(part, html);
  for (const summary of part.querySelectorAll("details > summary")) {
    if (opened.has(summary.textContent)) summary.parentElement.open = true;
  }
  carryOver(part, typed);
  localTimes(part);
};

const refreshParts = async () => {
  const answer = await fetch(document.body.dataset.liveFrom ?? location.href, { headers: { accept: "text/html" }, credentials: "same-origin" });
  if (!answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live-part]")) {
    const next = fresh.querySelector(`[data-live-part="${CSS.escape(part.dataset.livePart)}"]`);
    if (!next) continue;
    if (isBusy(part)) { stale.add(part); continue; }
    stale.delete(part);
    takeOver(part, next);
  }
};

const topics = document.body.dataset.live;
if (topics && window.EventSource) {
  const state = document.querySelector("[data-live-state]");
  const say = (text, kind) => { if (state) { state.hidden = false; state.textContent = text; state.dataset.liveState = kind; } };
  let waiting = null;
  let failed = false;
  // Many watchers spread their questions a little, and a burst of changes asks once.
  const soon = () => {
    waiting ??= setTimeout(async () => {
      waiting = null;
      try {
        await refreshParts();
        if (failed) { failed = false; say("Live", "on"); }
      } catch {
        // What was announced is not forgotten: ask again until it is shown.
        failed = true;
        say("Not up to date: the server does not answer", "off");
        setTimeout(soon, 2_000);
      }
    }, 80 + Math.random() * 170);
  };
  // Focus moves on after the event.
  document.addEventListener("focusout", () => setTimeout(() => { if ([...stale].some((p) => !isBusy(p))) soon(); }, 0));
  let wait = 1_000;
  // Since when this page may have missed something; the browser itself says it after a break.
  let since = document.body.dataset.liveSince ?? "";
  const listen = () => {
    const source = new EventSource(`/live?topics=${encodeURIComponent(topics)}&since=${encodeURIComponent(since)}`);
    source.addEventListener("changed", (event) => { since = event.lastEventId || since; soon(); });
    source.addEventListener("open", () => { wait = 1_000; say("Live", "on"); });
    source.addEventListener("error", () => {
      if (source.readyState !== EventSource.CLOSED) { say("Reconnecting…", "wait"); return; }
      // Refused: signed out, or a proxy in the way. Ask again, ever more rarely.
      say("Not live: reload the page to see what is new", "off");
      setTimeout(listen, wait);
      wait = Math.min(wait * 2, 60_000);
    });
  };
  listen();
}

// What is being written survives a reload, a crash and a sign-in: forms with data-keep hold it in this
// tab until the server has taken it.
for (const form of document.querySelectorAll("form[data-keep]")) {
  const key = `faultline:${form.dataset.keep}`;
  const fields = [...form.elements].filter((f) => f.name && ["TEXTAREA", "INPUT"].includes(f.tagName) && ["textarea", "text"].includes(f.type));
  const store = { get: () => { try { return JSON.parse(sessionStorage.getItem(key)); } catch { return null; } } };
  store.set = (value) => { try { value ? sessionStorage.setItem(key, JSON.stringify(value)) : sessionStorage.removeItem(key); } catch { /* full or forbidden: the page still works */ } };
  const kept = store.get();
  if (kept?.sent && document.querySelector(".flash")) {
    store.set(null);
  } else if (kept && fields.every((f) => f.value === f.defaultValue && (f.tagName !== "TEXTAREA" || f.value === ""))) {
    for (const field of fields) if (kept.values[field.name]) field.value = kept.values[field.name];
  }
  const keep = (sent) => {
    const values = Object.fromEntries(fields.filter((f) => f.value !== f.defaultValue && f.value.length < 200_000).map((f) => [f.name, f.value]));
    store.set(Object.keys(values).length > 0 ? { values, sent } : null);
  };
  form.addEventListener("input", () => keep(false));
  form.addEventListener("submit", () => keep(true));
}

// A box that knows its limit says so before anything is sent, and keeps the text.
const sayTooLong = (box, length) => {
  box.setCustomValidity(`This has ${length.toLocaleString()} characters; at most ${Number(box.dataset.limit).toLocaleString()} are kept. Attach it as a file instead.`);
  box.reportValidity();
  box.addEventListener("input", () => box.setCustomValidity(""), { once: true });
};
document.addEventListener("submit", (event) => {
  for (const box of event.target.querySelectorAll?.("textarea[data-limit]") ?? []) {
    box.setCustomValidity("");
    if (box.value.length <= Number(box.dataset.limit)) continue;
    event.preventDefault();
    sayTooLong(box, box.value.length);
  }
}, true);
// A little too much can be cut in the box; a whole log would only bring the browser to its knees.
document.addEventListener("paste", (event) => {
  const box = event.target.closest?.("textarea[data-limit]");
  const length = box ? (event.clipboardData?.getData("text/plain").length ?? 0) : 0;
  if (!box || length <= 10 * Number(box.dataset.limit)) return;
  event.preventDefault();
  sayTooLong(box, length);
});

// Images and files that are pasted or dropped into a box are uploaded, and shown where the cursor is.
const uploadInto = async (box, files) => {
  const body = new FormData();
  for (const file of files) body.append("file", file, file.name || "pasted image");
  const place = `⟨uploading ${files.length === 1 ? files[0].name || "image" : `${files.length} files`}…⟩`;
  box.setRangeText(place, box.selectionStart, box.selectionEnd, "end");
  const put = (text) => {
    box.value = box.value.replace(place, () => text);
    box.dispatchEvent(new Event("input", { bubbles: true }));
  };
  try {
    const answer = await fetch(box.dataset.upload, { method: "POST", body, headers: { accept: "application/json" }, credentials: "same-origin" });
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.errors?.[0]?.message ?? told.detail ?? answer.statusText);
    put(told.markdown);
  } catch (error) {
    put("");
    let note = box.parentElement.querySelector("[data-upload-error]");
    if (!note) {
      note = Object.assign(document.createElement("p"), { className: "field-error" });
      note.dataset.uploadError = "yes";
      note.setAttribute("role", "alert");
      box.after(note);
    }
    note.textContent = `Not uploaded: ${error.message}`;
  }
};
for (const box of document.querySelectorAll("textarea[data-upload]")) {
  box.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    // Text with a picture of itself (from a spreadsheet) is pasted as text.
    if (files.length === 0 || event.clipboardData.types.includes("text/plain")) return;
    event.preventDefault();
    uploadInto(box, files);
  });
  box.addEventListener("dragover", (event) => { if (event.dataTransfer?.types.includes("Files")) event.preventDefault(); });
  box.addEventListener("drop", (event) => {
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    uploadInto(box, files);
  });
}
