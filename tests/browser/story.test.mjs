// The whole path in a browser: deliveries come in, an alert becomes an incident, a runbook is followed,
// the incident is resolved, the postmortem is published, and the reports count it.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, test } from "node:test";
import { launch, setUp, signIn, startFaultline, token, watch } from "./support.mjs";

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

const send = async (path, body, headers = {}) => {
  const answer = await fetch(faultline.url + path, {
    method: "POST",
    headers: { authorization: `Bearer ${ingest}`, "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  assert.ok(answer.ok, `${path}: ${answer.status} ${await answer.text()}`);
};

/** Loads a page until it holds the text: deliveries are answered first and processed after. */
const until = async (page, path, text) => {
  for (let i = 0; i < 100; i += 1) {
    await page.goto(faultline.url + path);
    if ((await page.content()).includes(text)) return;
    await page.waitForTimeout(100);
  }
  assert.fail(`${path} never showed ${text}`);
};

const minutesAgo = (n) => new Date(Date.now() - n * 60_000);
const trace = "5b8efff798038103d269b633813fc60c";
const spans = () => {
  const nanos = (ms) => `${(minutesAgo(20).getTime() + ms) * 1_000_000}`;
  const span = (id, parent, name, kind, from, to, status) => ({
    traceId: trace, spanId: id, parentSpanId: parent, name, kind, startTimeUnixNano: nanos(from), endTimeUnixNano: nanos(to), status,
  });
  const of = (service, list) => ({
    resource: { attributes: [{ key: "service.name", value: { stringValue: service } }] }, scopeSpans: [{ spans: list }],
  });
  return { resourceSpans: [
    of("checkout", [span("eee19b7ec3c1b170", "", "POST /checkout", 2, 0, 900, { code: 2 }), span("eee19b7ec3c1b171", "eee19b7ec3c1b170", "charge", 3, 50, 850, { code: 2 })]),
    of("payments", [span("eee19b7ec3c1b172", "eee19b7ec3c1b171", "POST /charge", 2, 60, 840, { code: 2, message: "card vault timed out" })]),
  ] };
};

const open = async (options = {}) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  watch(page, problems);
  await signIn(page, faultline);
  return page;
};

test("from an alert to the report", async () => {
  await send("/v1/traces", spans());
  await send("/ingest/alerts/alertmanager", {
    version: "4", groupKey: "{}:{}", status: "firing", receiver: "faultline",
    groupLabels: {}, commonLabels: {}, commonAnnotations: {}, externalURL: "http://am.example",
    alerts: [{
      status: "firing", labels: { alertname: "CheckoutErrors", service: "checkout", severity: "critical" },
      annotations: { summary: "Checkout answers 5xx" }, startsAt: minutesAgo(25).toISOString(), endsAt: "0001-01-01T00:00:00Z",
      generatorURL: "http://prometheus.example", fingerprint: "c0ffee0011223344",
    }],
  });
  const page = await open();
  await until(page, "/alerts", "Checkout answers 5xx");
  await until(page, "/services", "payments");

  // An alert is promoted, or a rule has opened the incident already; either way it becomes the incident at hand.
  await page.goto(`${faultline.url}/alerts`);
  await page.getByRole("link", { name: "Checkout answers 5xx" }).first().click();
  const promote = page.getByRole("link", { name: "Make an incident" });
  if (await promote.count()) {
    await promote.click();
    await page.getByRole("button", { name: "Declare the incident" }).click();
  } else {
    await page.getByRole("link", { name: /INC-1/ }).first().click();
  }
  await page.waitForURL(/\/incidents\/INC-1$/);
  const incident = page.url();
  const milestones = await page.locator("#milestones").textContent();
  assert.match(milestones, /Detected[\s\S]*alert/, "the detection time comes from the alert");

  await page.locator("#status select[name=status]").selectOption("investigating");
  await page.locator("#status input[name=reason]").fill("Errors on every checkout");
  await page.locator("#status").getByRole("button", { name: "Change" }).click();
  await page.locator(".status-investigating").first().waitFor();

  await page.locator("#roles").getByRole("button", { name: "Take it" }).first().click();
  assert.match(await page.locator("#roles").textContent(), /Commander\s+Ada Lovelace/);

  await page.locator("#entry-text").fill("Rolled the **gateway** back");
  await page.locator("#timeline input[name=occurred_at]").fill("-5m");
  await page.locator("#timeline").getByRole("button", { name: "Add" }).click();
  await page.locator("#timeline strong", { hasText: "gateway" }).waitFor();

  await page.locator("#tasks input[name=title]").fill("Tell support");
  await page.locator("#tasks").getByRole("button", { name: "Add task" }).click();
  await page.locator("#tasks").getByText("Tell support").waitFor();

  // A milestone is corrected, with a reason, and refused when out of order.
  await page.locator("#milestones").getByRole("link", { name: "Impact started" }).click();
  await page.locator("input[name=at]").first().fill("-40m");
  await page.locator("[name=reason]").first().fill("The graphs show it earlier");
  await page.locator("input[name=at]").first().press("Enter");
  await page.goto(incident);
  assert.match(await page.locator("#milestones").textContent(), /graphs show it earlier/);

  // The trace that shows it is kept with the incident.
  await page.goto(`${faultline.url}/traces/${trace}`);
  assert.match(await page.locator("main").textContent(), /first error[\s\S]*payments/i);
  await page.goto(`${incident}/evidence`);
  await page.locator("select[name=kind], input[name=kind][value=trace]").first().evaluate((el) => {
    if (el.tagName === "SELECT") el.value = "trace"; else el.checked = true;
  });
  await page.locator("[name=reference], [name=trace_id]").first().fill(trace);
  await page.locator("main form").filter({ has: page.locator("[name=reference], [name=trace_id]") }).first().locator("button[type=submit]").first().click();
  await page.goto(incident);
  await page.locator("#evidence").getByText(/POST \/checkout|5b8efff7/).first().waitFor();

  // A runbook is followed step by step.
  await page.goto(`${incident}/runs/new?runbook=bad-deployment-rollback`);
  await page.getByRole("button", { name: "Start the run" }).click();
  await page.waitForURL(/\/runs\/\d+/);
  const first = page.locator(".run-step-current");
  await first.locator("[name=note]").fill("Seen on the dashboard");
  await first.locator("button.btn-primary").first().click();
  await page.getByText("Seen on the dashboard").first().waitFor();
  await page.goto(incident);
  await page.locator("#timeline").getByText(/Seen on the dashboard/).first().waitFor();

  // Resolving while an alert fires asks first.
  const resolve = async () => {
    await page.locator("#status select[name=status]").selectOption("resolved");
    await page.locator("#status").getByRole("button", { name: "Change" }).click();
  };
  await resolve();
  const sure = page.locator("#status input[name=confirm]");
  if (await sure.count()) { await sure.check(); await resolve(); }
  await page.locator(".facts .status-resolved").waitFor();

  await page.goto(`${incident}/postmortem`);
  await page.getByRole("button", { name: "Draft from the record" }).click();
  await page.getByRole("link", { name: "Edit" }).nth(1).click();
  await page.locator("textarea[name=body]").fill("Customers could not pay. **Nobody** lost money.");
  await page.getByRole("button", { name: "Preview" }).click();
  await page.locator(".prose strong", { hasText: "Nobody" }).waitFor();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("button", { name: "Publish" }).click();
  await page.locator(".status-published").first().waitFor();

  await page.goto(`${faultline.url}/reports`);
  const reports = await page.locator("main").textContent();
  for (const measure of ["MTTD", "MTTA", "MTTM", "MTTR"]) assert.ok(reports.includes(measure), measure);
  assert.ok(await page.locator("svg").count(), "charts are drawn");
  assert.deepEqual(problems, []);
});

test("declaring, updating and resolving work with JavaScript off", async () => {
  const page = await open({ javaScriptEnabled: false });
  await page.goto(`${faultline.url}/incidents/new`);
  await page.getByRole("button", { name: "Declare" }).click();
  await page.locator(".field-error").first().waitFor();
  await page.getByLabel("What is wrong?").fill("Search is slow");
  await page.locator("input[name=severity][value=SEV3]").check();
  await page.getByLabel("Impact started (UTC)").fill("-30m");
  await page.getByRole("button", { name: "Declare" }).last().click();
  await page.waitForURL(/\/incidents\/INC-\d+$/);
  await page.locator("#entry-text").fill("Looking at the index nodes");
  await page.locator("#timeline").getByRole("button", { name: "Add" }).click();
  await page.locator("#timeline").getByText("Looking at the index nodes").waitFor();
  await page.locator("#status select[name=status]").selectOption("resolved");
  await page.locator("#status input[name=reason]").fill("Node replaced");
  await page.locator("#status").getByRole("button", { name: "Change" }).click();
  await page.locator(".facts .status-resolved").waitFor();
});

test("a deployment reported by GitHub is taken when its signature is right, and kept with the reason when not", async () => {
  const body = JSON.stringify({
    deployment: { id: 7, sha: "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567", ref: "v1.4.0", environment: "production", created_at: minutesAgo(30).toISOString(), task: "deploy", payload: {} },
    deployment_status: { id: 8, state: "success", environment: "production", created_at: minutesAgo(29).toISOString(), updated_at: minutesAgo(29).toISOString() },
    repository: { name: "checkout", full_name: "shop/checkout" },
    sender: { login: "octo" },
  });
  const signature = `sha256=${createHmac("sha256", "not the secret").update(body).digest("hex")}`;
  const refused = await fetch(`${faultline.url}/ingest/changes/github`, {
    method: "POST", body, headers: { "content-type": "application/json", "x-github-event": "deployment_status", "x-github-delivery": "d-1", "x-hub-signature-256": signature },
  });
  assert.ok([401, 403].includes(refused.status), `${refused.status}`);
  const page = await open();
  await page.goto(`${faultline.url}/settings/deliveries`);
  assert.match(await page.locator("main").textContent(), /github/);
});
