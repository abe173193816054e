// Taking incidents in and out in a browser: the dry run, a page that reads offline, and the palette by keyboard.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { after, before, test } from "node:test";
import { launch, setUp, signIn, startFaultline, watch } from "./support.mjs";

let faultline, browser, folder;
const problems = [];
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "faultline-portable-"));
  faultline = await startFaultline();
  browser = await launch();
  const page = await browser.newPage();
  await setUp(page, faultline);
  await page.close();
});
after(async () => { await browser?.close(); await faultline?.stop(); await rm(folder, { recursive: true, force: true }); });

const open = async (options = {}) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, acceptDownloads: true, ...options });
  const page = await context.newPage();
  watch(page, problems);
  await signIn(page, faultline);
  return page;
};

const past = "Key,Name,Priority,Started,Closed at\nOPS-1,Checkout timed out,P1,2025-03-04 09:58,2025-03-04 11:20\nOPS-2,Never ended,P9,2025-03-05 10:00,2025-03-05 09:00\n";

test("past incidents are seen before they are imported, without JavaScript", async () => {
  const page = await open({ javaScriptEnabled: false });
  await page.goto(`${faultline.url}/incidents`);
  await page.getByRole("link", { name: "Import" }).click();
  await page.setInputFiles("#f-file", { name: "old.csv", mimeType: "text/csv", buffer: Buffer.from(past) });
  await page.getByRole("button", { name: "See what would happen" }).click();
  await page.waitForURL(/\/incidents\/import\/[0-9a-f]{32}$/);
  const bad = page.locator("#rows tr.row-bad");
  assert.equal(await bad.count(), 1);
  assert.match(await bad.textContent(), /3[\s\S]*severity[\s\S]*column Priority[\s\S]*P9/);
  await page.getByLabel(/Leave out the 1/).check();
  await page.getByRole("button", { name: "Import 1" }).click();
  await page.waitForURL(/\/incidents\/INC-1$/);
  assert.match(await page.locator(".flash").textContent(), /1 incident imported, 1 left out/);
});

test("an exported page reads offline and asks for nothing", async () => {
  const page = await open();
  await page.goto(`${faultline.url}/incidents/INC-1`);
  await page.getByRole("link", { name: "Export" }).click();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Save as HTML" }).click()]);
  const file = join(folder, download.suggestedFilename());
  await download.saveAs(file);
  const context = await browser.newContext({ offline: true });
  const alone = await context.newPage();
  const asked = [];
  alone.on("request", (r) => { if (!r.url().startsWith("file:")) asked.push(r.url()); });
  const refused = [];
  alone.on("console", (m) => { if (m.type() === "error") refused.push(m.text()); });
  await alone.goto(pathToFileURL(file).href);
  assert.equal(await alone.locator("h1").textContent(), "Checkout timed out");
  // Its one style sheet is allowed by its own policy.
  assert.notEqual(await alone.locator(".card").first().evaluate((el) => getComputedStyle(el).borderTopStyle), "none");
  assert.deepEqual(asked, []);
  assert.deepEqual(refused, []);
});

test("the palette is reached, read and left by keyboard", async () => {
  const page = await open();
  await page.goto(`${faultline.url}/services`);
  await page.keyboard.press("Control+k");
  const box = page.getByRole("combobox", { name: "Go to, or search" });
  await box.fill("checkout timed");
  const option = page.getByRole("option", { name: /Checkout timed out/ });
  await option.waitFor();
  // The chosen option is announced, and moves with the arrows.
  const first = await box.getAttribute("aria-activedescendant");
  await page.keyboard.press("ArrowDown");
  assert.notEqual(await box.getAttribute("aria-activedescendant"), first);
  await page.keyboard.press("ArrowUp");
  assert.equal(await box.getAttribute("aria-activedescendant"), first);
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/incidents\/INC-1$/);
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Go to, or search" }).fill("INC-1");
  await page.getByRole("option", { name: /go to/ }).waitFor();
  await page.keyboard.press("Escape");
  await page.locator("dialog.palette").waitFor({ state: "hidden" });
});

test("nothing went wrong in the browser", () => assert.deepEqual(problems, []));
