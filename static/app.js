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
for (const block of document.querySelectorAll(".prose pre.code")) {
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
