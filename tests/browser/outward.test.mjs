// What is shown outward, in a browser: a notice from its draft to the public page and the feed, and a
// rotation with an override; the public page also on a phone and in the dark.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, setUp, signIn, startFaultline, watch } from "./support.mjs";

let faultline, browser;
const problems = [];
before(async () => {
  faultline = await startFaultline();
  browser = await launch();
  const page = await browser.newPage();
  await setUp(page, faultline);
  await page.close();
});
after(async () => { await browser?.close(); await faultline?.stop(); });

const open = async () => {
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
  watch(page, problems);
  await signIn(page, faultline);
  return page;
};

const visitor = async (options = {}) => {
  const page = await (await browser.newContext(options)).newPage();
  watch(page, problems);
  return page;
};

test("a notice goes from its draft to the public page and the feed", async () => {
  const page = await open();
  await page.goto(`${faultline.url}/status-page/components`);
  await page.getByLabel("Public name").fill("Payments");
  await page.getByLabel("Group").fill("Shop");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("link", { name: "Payments" }).waitFor();

  await page.goto(`${faultline.url}/status-page/notices/new`);
  await page.getByLabel("Title").fill("Cards are declined");
  await page.getByLabel("Text", { exact: true }).fill("We look into it.\nMore at noon.");
  await page.getByLabel("Payments").selectOption("partial_outage");
  await page.getByLabel("Begin (UTC)").fill("-30m");
  await page.getByRole("button", { name: "Keep as draft" }).click();
  await page.locator("#preview").getByText("More at noon.").waitFor();

  const reader = await visitor();
  await reader.goto(`${faultline.url}/status`);
  assert.ok(!(await reader.content()).includes("Cards are declined"), "a draft is not public");

  await page.getByRole("button", { name: "Publish now" }).click();
  await page.getByText("Published: it is on the status page now.").waitFor();
  await reader.reload();
  await reader.getByText("Some systems do not work for some users").waitFor();
  await reader.getByRole("link", { name: "Cards are declined" }).click();
  await reader.getByText("More at noon.").waitFor();
  assert.equal((await reader.context().cookies()).length, 0, "a reader gets no cookie");
  const feed = await (await fetch(`${faultline.url}/status/feed.atom`)).text();
  assert.match(feed, /<title>Investigating: Cards are declined<\/title>/);

  await page.getByLabel("State").selectOption("resolved");
  await page.getByLabel("Text", { exact: true }).fill("Cards work again.");
  await page.getByRole("button", { name: "Keep as draft" }).click();
  await page.getByRole("button", { name: "Publish now" }).click();
  await page.locator("#updates .public-text", { hasText: "Cards work again." }).waitFor();
  for (const options of [{ viewport: { width: 390, height: 800 } }, { colorScheme: "dark" }]) {
    const other = await visitor(options);
    await other.goto(`${faultline.url}/status`);
    await other.getByText("All systems operational").waitFor();
    const wide = await other.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
    assert.ok(!wide, "the page fits its window");
  }
  assert.deepEqual(problems, []);
});

test("a rotation is set up and overridden", async () => {
  const page = await open();
  await page.goto(`${faultline.url}/oncall/teams/new?team=Payments`);
  await page.getByLabel("Person 1").selectOption({ index: 1 });
  await page.getByLabel("First day").fill("2026-01-05");
  await page.getByRole("button", { name: "Save" }).click();
  await page.waitForURL(/\/oncall\/teams\/\d+$/);
  await page.getByText(/is on call/).waitFor();

  await page.getByLabel("Who takes over").selectOption({ index: 1 });
  await page.getByRole("button", { name: "Swap" }).click();
  await page.getByText("is needed: an override always ends").waitFor();
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 16).replace("T", " ");
  await page.getByLabel("Until (UTC)").fill(tomorrow);
  await page.getByRole("button", { name: "Swap" }).click();
  await page.locator("#overrides li").first().waitFor();
  await page.goto(`${faultline.url}/`);
  await page.locator("#on-call").getByRole("link", { name: "Payments" }).waitFor();

  await page.goto(`${faultline.url}/oncall/calendars`);
  await page.getByRole("button", { name: "Make an address" }).click();
  const address = await page.locator("code.secret").textContent();
  const calendar = await (await fetch(address.replace(/^https?:\/\/[^/]+/, faultline.url))).text();
  assert.match(calendar, /^BEGIN:VCALENDAR\r\nVERSION:2\.0\r\n/);
  assert.match(calendar, /BEGIN:VEVENT/);
  assert.deepEqual(problems.filter((p) => !/422/.test(p)), []);
});
