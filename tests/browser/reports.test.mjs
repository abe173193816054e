// A director's path: the overview, the incidents behind a number, a frozen report and what changed since.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { launch, setUp, signIn, startFaultline, token, watch } from "./support.mjs";

let faultline, browser, api;
const problems = [];
before(async () => {
  faultline = await startFaultline();
  browser = await launch();
  const page = await browser.newPage();
  await setUp(page, faultline);
  await page.close();
  api = await token(faultline, "api");
});
after(async () => { await browser?.close(); await faultline?.stop(); });

const call = async (method, path, body) => {
  const answer = await fetch(`${faultline.url}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${api}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  assert.ok(answer.ok, `${path}: ${answer.status} ${await answer.clone().text()}`);
  return answer.json();
};

const hoursAgo = (n) => new Date(Date.now() - n * 3_600_000).toISOString();

test("from the overview to the incidents behind a number, and a report that stays", async () => {
  await call("POST", "/services", { slug: "cart", name: "Cart", tier: "1", owner_team: "shop" });
  for (const [i, [title, severity]] of [["Cart down", "SEV1"], ["Payments slow", "SEV2"], ["Search empty", "SEV3"]].entries()) {
    const start = 30 * (i + 1);
    await call("POST", "/incidents", {
      title, severity, services: ["cart"], impact_started_at: hoursAgo(start), detected_at: hoursAgo(start - 0.2),
      acknowledged_at: hoursAgo(start - 0.3), mitigated_at: hoursAgo(start - 1), resolved_at: hoursAgo(start - 2), status: "resolved",
    });
  }
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
  watch(page, problems);
  await signIn(page, faultline);
  await page.goto(`${faultline.url}/reports`);
  const card = page.locator(".report-cards .card", { hasText: "MTTR" });
  assert.match(await card.textContent(), /2h/);

  // Every mark of a chart is reached by the keyboard and leads to its incidents.
  const mark = page.locator("svg a").first();
  await mark.focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/reports\/incidents\?/);
  await page.getByRole("link", { name: "INC-" }).first().waitFor();
  await page.goBack();

  await card.locator(".report-big a").click();
  await page.getByRole("heading", { name: "MTTR of all groups" }).waitFor();
  assert.equal(await page.locator("tbody tr").count(), 3);
  await page.goBack();

  await page.getByLabel("Keep as").fill("For the board");
  await page.getByRole("button", { name: "Freeze" }).click();
  await page.getByRole("heading", { name: "For the board" }).waitFor();
  await page.getByText("the same question gives the same figures today").waitFor();

  await call("PUT", "/incidents/INC-1/milestones/impact_started", { at: hoursAgo(33), reason: "first failed trace" });
  await page.reload();
  await page.getByText("first failed trace").waitFor();
  await page.getByRole("heading", { name: "Other values" }).waitFor();

  await page.getByRole("button", { name: "Make an address" }).click();
  const address = /http\S+\/embed\/report\/[0-9a-f]+/.exec(await page.locator(".flash").textContent())[0];
  const stranger = await (await browser.newContext()).newPage();
  await stranger.goto(faultline.url + new URL(address).pathname);
  await stranger.getByRole("heading", { name: "For the board" }).waitFor();
  assert.equal(await stranger.locator("main a[href^='/incidents']").count(), 0, "an address opens the report and nothing else");
});

test("the pages of reports work at the width of a phone and without scripts", async () => {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, javaScriptEnabled: false });
  const page = await context.newPage();
  watch(page, problems);
  await signIn(page, faultline);
  for (const path of ["", "/services", "/teams", "/alerts", "/changes", "/postmortems", "/runbooks", "/compare", "/frozen", "/settings"]) {
    await page.goto(`${faultline.url}/reports${path}`);
    await page.locator("h1").waitFor();
    const width = await page.locator("main").evaluate((main) => main.getBoundingClientRect().right);
    assert.ok(width <= 391, `${path} is ${width} wide`);
  }
  await page.goto(`${faultline.url}/reports`);
  await page.getByLabel("Slice by").selectOption("service");
  await page.getByRole("button", { name: "Show" }).click();
  await page.getByRole("heading", { name: "By service" }).waitFor();
});

test("an embedded chart shows in another site's frame, the rest of Faultline does not", async () => {
  const page = await browser.newPage();
  await signIn(page, faultline);
  await page.goto(`${faultline.url}/reports`);
  await page.getByRole("button", { name: "Make a chart to embed" }).click();
  const address = /http\S+\/embed\/chart\/[0-9a-f]+/.exec(await page.locator(".flash").textContent())[0];
  const path = new URL(address).pathname;
  // Another origin that is a web page: `frame-ancestors *` allows those, not a blank page.
  const frame = (of) => `<iframe src="${faultline.url}${of}" width="800" height="400"></iframe>`;
  const other = createServer((request, response) => {
    response.setHeader("content-type", "text/html");
    response.end(request.url === "/chart" ? frame(path) : frame("/login"));
  });
  await new Promise((done) => other.listen(0, "127.0.0.1", done));
  const site = `http://127.0.0.1:${other.address().port}`;
  const host = await browser.newPage();
  await host.goto(`${site}/chart`);
  await host.frameLocator("iframe").locator("svg").first().waitFor();
  await host.goto(`${site}/login`);
  assert.equal(await host.frameLocator("iframe").getByLabel("Password").count(), 0);
  other.close();
});

test("the browser complained about nothing", () => assert.deepEqual(problems, []));
