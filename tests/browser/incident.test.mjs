// Two people in one incident at once: each sees what the other does, and neither loses what they type.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { command, launch, setUp, signIn, startFaultline, watch } from "./support.mjs";

let faultline, browser;
const problems = [];
const GRACE = { email: "grace@example.org", password: "copper lantern field 3" };
before(async () => {
  faultline = await startFaultline();
  browser = await launch();
  const page = await browser.newPage();
  await setUp(page, faultline);
  await page.close();
  await command(faultline.env, ["user", "add", GRACE.email, "--role", "commander"], `${GRACE.password}\n`);
});
after(async () => { await browser?.close(); await faultline?.stop(); });

const open = async (who, options = {}, complaints = problems) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  watch(page, complaints);
  await (who ? signIn(page, faultline, who.email, who.password) : signIn(page, faultline));
  await page.getByRole("link", { name: "Declare", exact: true }).waitFor();
  await page.waitForLoadState("load");
  return page;
};

/** Ada declares; both stand on the incident's page. */
const together = async (title, ofGrace = problems) => {
  const [ada, grace] = [await open(), await open(GRACE, {}, ofGrace)];
  await ada.keyboard.press("c");
  await ada.waitForURL("**/incidents/new");
  await ada.getByLabel("What is wrong?").fill(title);
  await ada.getByRole("button", { name: "Declare", exact: true }).click();
  await ada.waitForURL("**/incidents/INC-*");
  await grace.goto(ada.url());
  await grace.locator('[data-live-state="on"]').waitFor();
  await ada.locator('[data-live-state="on"]').waitFor();
  return { ada, grace, path: new URL(ada.url()).pathname };
};

const write = async (page, text) => {
  await page.locator("#entry-text").fill(text);
  await page.getByRole("button", { name: "Add", exact: true }).last().click();
};

test("what one does, the other sees, and what she types stays", async () => {
  const { ada, grace, path } = await together("Checkout fails");
  await grace.locator("#entry-text").fill("I am looking at the");
  await write(ada, "Rolled back **cart**");
  await grace.locator("#timeline .prose strong", { hasText: "cart" }).waitFor();
  assert.equal(await grace.locator("#entry-text").inputValue(), "I am looking at the");
  // While she types into the form that Ada's change renders again, it waits; then it carries her text over.
  await grace.locator("#status input[name=reason]").fill("the release");
  await write(ada, "/status identified it leaks connections");
  await grace.locator(".facts .status-identified").waitFor();
  assert.equal(await grace.locator("#status input[name=reason]").inputValue(), "the release");
  await grace.locator("#entry-text").focus();
  await grace.locator('#status option[value="monitoring"]').first().waitFor({ state: "attached" });
  await grace.waitForFunction(() => ![...document.querySelectorAll("#status option")].some((o) => o.value === "identified"));
  assert.equal(await grace.locator("#status input[name=reason]").inputValue(), "the release");
  assert.equal(await grace.locator("#entry-text").inputValue(), "I am looking at the");
  // A reload does not lose it either.
  await grace.goto(faultline.url + path);
  assert.equal(await grace.locator("#entry-text").inputValue(), "I am looking at the");
  await grace.getByRole("button", { name: "Add", exact: true }).last().click();
  await ada.locator("#timeline", { hasText: "I am looking at the" }).waitFor();
  await grace.goto(faultline.url + path);
  assert.equal(await grace.locator("#entry-text").inputValue(), "");
  assert.deepEqual(problems, []);
});

test("two edits of one text: the second is told, and both texts are shown", async () => {
  const { ada, grace, path } = await together("Search is slow");
  await ada.goto(`${faultline.url}${path}/edit`);
  await grace.goto(`${faultline.url}${path}/edit`);
  await ada.getByLabel("Summary").fill("Ada's words");
  await ada.getByRole("button", { name: "Save" }).click();
  await ada.waitForURL(faultline.url + path);
  await grace.getByLabel("Summary").fill("Grace's words");
  await grace.getByRole("button", { name: "Save" }).click();
  await grace.getByText("changed this incident while you were typing").waitFor();
  await grace.getByText("Ada's words").first().waitFor();
  assert.equal(await grace.getByLabel("Summary").inputValue(), "Grace's words");
  await grace.getByLabel("Summary").fill("Ada's words, and Grace's");
  await grace.getByRole("button", { name: "Save" }).click();
  await grace.waitForURL(faultline.url + path);
  // Ada did not touch her page since she saved.
  await ada.locator('[data-live-part="summary"]', { hasText: /Ada.s words, and Grace.s/ }).waitFor();
});

test("a page that was away catches up", async () => {
  // Being cut off is what this test does on purpose.
  const cutOff = [];
  const { ada, grace } = await together("Mail is late", cutOff);
  await grace.context().setOffline(true);
  await grace.evaluate(() => new Promise((done) => setTimeout(done, 200)));
  await write(ada, "Queue drained");
  await ada.locator("#timeline .prose", { hasText: "Queue drained" }).waitFor();
  await grace.context().setOffline(false);
  await grace.locator("#timeline .prose", { hasText: "Queue drained" }).waitFor({ timeout: 20_000 });
  assert.deepEqual(cutOff.filter((p) => !p.includes("ERR_INTERNET_DISCONNECTED")), []);
});

test("an image is pasted into the box and stands in the entry", async () => {
  const { ada, grace } = await together("Graph looks odd");
  const paste = (name, type, base64) => ada.evaluate(([name, type, base64]) => {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name, { type }));
    const box = document.querySelector("#entry-text");
    box.focus();
    box.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
  }, [name, type, base64]);
  const dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
  await paste("graph.png", "image/png", dot);
  await ada.waitForFunction(() => document.querySelector("#entry-text").value.includes("/raw)"));
  await ada.getByRole("button", { name: "Add", exact: true }).last().click();
  const image = grace.locator("#timeline .prose img");
  await image.waitFor();
  assert.equal(await image.evaluate((i) => i.complete && i.naturalWidth), 1);
  // What is no image although it says so is refused beside the box, and nothing typed is lost.
  await ada.locator("#entry-text").fill("before ");
  await paste("fake.png", "image/png", btoa("<script>"));
  await ada.getByText("Not uploaded: fake.png").waitFor();
  assert.equal(await ada.locator("#entry-text").inputValue(), "before ");
});

test("a huge paste is refused before it is sent, and kept", async () => {
  const { ada } = await together("Log flood");
  const box = ada.locator("#entry-text");
  await box.evaluate((it) => { it.value = "x".repeat(30_000); });
  await ada.getByRole("button", { name: "Add", exact: true }).last().click();
  assert.match(await box.evaluate((it) => it.validationMessage), /30,000 characters; at most 20,000 are kept/);
  assert.equal(await box.evaluate((it) => it.value.length), 30_000);
  // 100 MiB never get into the box; what stood there stays.
  await box.fill("before");
  const taken = await box.evaluate((it) => {
    const data = new DataTransfer();
    data.setData("text/plain", "x".repeat(100 * 1024 * 1024));
    return it.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
  });
  assert.equal(taken, false);
  assert.match(await box.evaluate((it) => it.validationMessage), /104,857,600 characters; at most 20,000 are kept/);
  assert.equal(await box.inputValue(), "before");
});

test("without scripts the box and its commands work, too", async () => {
  const { path } = await together("No scripts");
  const page = await open(GRACE, { javaScriptEnabled: false });
  await page.goto(faultline.url + path);
  await write(page, "/severity 1 all of Europe");
  await page.getByText("Severity changed from SEV3 to SEV1: all of Europe").first().waitFor();
  await write(page, "/stauts resolved");
  await page.getByText("/stauts is not a command").waitFor();
  assert.equal(await page.locator("#entry-text").inputValue(), "/stauts resolved");
  await page.locator("#timeline input[type=file]").setInputFiles({ name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("one") });
  await page.locator("#entry-text").fill("See the notes");
  await page.getByRole("button", { name: "Add", exact: true }).last().click();
  await page.getByRole("link", { name: "notes.txt", exact: true }).first().waitFor();
});

test("the page fits a phone", async () => {
  const { path } = await together("On the phone");
  const page = await open(GRACE, { viewport: { width: 390, height: 800 } });
  await page.goto(faultline.url + path);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(overflow <= 0, `the page is ${overflow} px too wide`);
  // One test above cuts the line on purpose.
  assert.deepEqual(problems, []);
});
