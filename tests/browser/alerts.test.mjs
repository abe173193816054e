// A storm becomes one incident, a rule is tried before it is saved, and a deployment gets its verdict.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { command, launch, setUp, signIn, startFaultline, token, watch } from "./support.mjs";

let faultline, browser, ingest;
const problems = [];
before(async () => {
  faultline = await startFaultline();
  browser = await launch();
  const page = await browser.newPage();
  await setUp(page, faultline);
  await page.close();
  ingest = await token(faultline, "ingest");
});
after(async () => { await browser?.close(); await faultline?.stop(); });

const send = async (path, body) => {
  const answer = await fetch(faultline.url + path, {
    method: "POST", headers: { authorization: `Bearer ${ingest}`, "content-type": "application/json" }, body: JSON.stringify(body),
  });
  assert.ok(answer.ok, `${path}: ${answer.status} ${await answer.text()}`);
};

const open = async (options = {}) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  watch(page, problems);
  await signIn(page, faultline);
  return page;
};

/** Loads a page until it holds the text: deliveries are answered first and processed after. */
const until = async (page, path, text) => {
  for (let i = 0; i < 150; i += 1) {
    await page.goto(faultline.url + path);
    if ((await page.content()).includes(text)) return;
    await page.waitForTimeout(100);
  }
  assert.fail(`${path} never showed ${text}`);
};

const began = new Date(Date.now() - 5 * 60_000).toISOString();

test("a storm is one incident, drawn and counted", async () => {
  for (let part = 0; part < 4; part += 1) {
    const alerts = Array.from({ length: 50 }, (_, i) => ({
      status: "firing", labels: { alertname: "PodDown", service: "checkout", severity: "critical", pod: `pod-${part}-${i}` },
      annotations: { summary: `Pod ${part}-${i} is down` }, startsAt: began, endsAt: "0001-01-01T00:00:00Z", fingerprint: `${part}-${i}`,
    }));
    await send("/ingest/alerts/alertmanager", { version: "4", status: "firing", alerts });
  }
  const page = await open();
  await until(page, "/alerts?incident=INC-1", "200 alerts");
  await page.goto(`${faultline.url}/alerts`);
  assert.match(await page.locator(".page-head").textContent(), /200 firing/);
  assert.ok(await page.locator(".storm-bar").count(), "the storm is drawn");
  assert.equal(await page.getByRole("link", { name: "INC-1" }).count(), 50, "each of the page names the one incident");
  assert.match(await page.locator("tbody tr").first().textContent(), /same service checkout|first alert of its group/);
  await page.goto(`${faultline.url}/incidents`);
  assert.equal(await page.getByRole("link", { name: /INC-\d+/ }).count() > 0, true);
  assert.ok(!(await page.content()).includes("INC-2"), "one incident");
});

test("a rule is tried on the past before it is saved", async () => {
  const page = await open();
  await page.goto(`${faultline.url}/alerts/rules/new`);
  await page.getByLabel("Name").fill("Pods only list");
  await page.getByLabel("Matches alerts where").fill("rule = PodDown");
  await page.getByLabel("Roles to notify").fill("janitor");
  await page.getByLabel("Then").selectOption("list");
  await page.getByRole("button", { name: "Try on the last 30 days" }).click();
  assert.match(await page.locator(".field-error").first().textContent(), /janitor/);
  await page.getByLabel("Roles to notify").fill("operations");
  await page.getByRole("button", { name: "Try on the last 30 days" }).click();
  assert.match(await page.locator("#trial").textContent(), /would have made 0 incidents instead of 1/);
  assert.equal(await page.getByLabel("Name").inputValue(), "Pods only list", "what was typed stays");
  await page.getByRole("button", { name: "Save" }).click();
  await page.waitForURL(/\/alerts\/rules$/);
  assert.match(await page.locator("main").textContent(), /Pods only list[\s\S]*notifies operations/);
});

test("a deployment is reported by the command and gets its verdict, with JavaScript off", async () => {
  const env = { ...faultline.env, FAULTLINE_URL: faultline.url, FAULTLINE_TOKEN: ingest };
  assert.match(await command(env, ["deploy", "checkout", "v1.3.2", "--author", "ada", "--title", "New basket"]), /recorded: checkout v1\.3\.2 in production/);
  await assert.rejects(command({ ...env, FAULTLINE_TOKEN: "flt_wrong" }, ["deploy", "checkout", "v1"]), /sign in first|401/);
  await assert.rejects(command(env, ["deploy", "checkout", "v1", "--kind", "magic"]), /magic/);
  await command({ ...env, FAULTLINE_TOKEN: "flt_wrong" }, ["deploy", "checkout", "v1", "--best-effort"]);
  const page = await open({ javaScriptEnabled: false });
  await until(page, "/deployments", "v1.3.2");
  await page.locator("tbody a[href^='/deployments/']").first().click();
  assert.match(await page.locator("h1").textContent(), /checkout v1\.3\.2 in production/);
  await page.locator("form[action$='/verdict'] input[placeholder='INC-…']").fill("INC-1");
  await page.getByRole("button", { name: "Caused it" }).last().click();
  await page.locator(".badge-bad", { hasText: "Caused it" }).waitFor();
  await page.getByRole("link", { name: "INC-1" }).first().click();
  assert.match(await page.locator("main").textContent(), /caused by the deployment of checkout v1\.3\.2/i);
  await page.goto(`${faultline.url}/deployments?service=checkout&status=succeeded&kind=deployment`);
  assert.match(await page.locator("tbody").last().textContent(), /INC-1/);
  assert.deepEqual(problems, []);
});
