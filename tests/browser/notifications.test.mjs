// An administrator sets up a channel, presses test, mends what is wrong, and finds it all in the log.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { launch, setUp, startFaultline, token, watch } from "./support.mjs";

let faultline, browser, receiver, url;
const got = [];
let answer = 200;
before(async () => {
  receiver = createServer((request, response) => {
    let body = "";
    request.on("data", (d) => (body += d));
    request.on("end", () => { got.push(JSON.parse(body)); response.writeHead(answer).end(answer === 200 ? "ok" : "no_service"); });
  });
  await new Promise((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${receiver.address().port}/services/T0/B0/secret`;
  faultline = await startFaultline(["serve"], { FAULTLINE_OUTBOUND_ALLOW: "127.0.0.1" });
  browser = await launch();
});
after(async () => { await browser?.close(); await faultline?.stop(); receiver?.close(); });

test("a channel is added, tested, told of an incident, and its log read", async () => {
  const problems = [];
  const page = await browser.newPage();
  watch(page, problems);
  await setUp(page, faultline);
  await page.goto(`${faultline.url}/settings/notifications`);
  await page.getByText("Nobody is told yet").waitFor();
  await page.getByRole("link", { name: "Add a channel" }).click();
  await page.getByLabel("Name").fill("Ops in Slack");
  await page.getByLabel("Address").fill("http://10.0.0.1/hook");
  await page.getByRole("button", { name: "Add channel" }).click();
  await page.getByText("a private network").waitFor();
  assert.equal(await page.getByLabel("Name").inputValue(), "Ops in Slack", "what was typed is kept");
  await page.getByLabel("Address").fill(url);
  await page.getByRole("button", { name: "Add channel" }).click();
  await page.getByText("Send it a test message now").waitFor();
  assert.ok(!(await page.content()).includes("/secret"), "the address is not shown again");

  answer = 404;
  await page.getByRole("button", { name: "Send a test message" }).click();
  await page.getByText(/Test not delivered.*404.*no_service/).waitFor();
  answer = 200;
  await page.getByRole("button", { name: "Send a test message" }).click();
  await page.getByText(/Test delivered in \d+ ms\. The receiver answered 200/).waitFor();
  assert.match(JSON.stringify(got.at(-1)), /Test message for Ops in Slack/);

  const api = await token(faultline, "api");
  const declared = await fetch(`${faultline.url}/api/v1/incidents`, {
    method: "POST",
    headers: { authorization: `Bearer ${api}`, "content-type": "application/json" },
    body: JSON.stringify({ title: "Cart is down", severity: "SEV1" }),
  });
  assert.equal(declared.status, 201);
  for (let i = 0; i < 200 && !JSON.stringify(got).includes("Cart is down"); i += 1) await page.waitForTimeout(50);
  assert.match(JSON.stringify(got.at(-1)), /SEV1 INC-1 declared: Cart is down/);

  await page.goto(`${faultline.url}/settings/notifications/log`);
  await page.getByText("3 in all").waitFor();
  await page.getByLabel("Event").selectOption("incident.declared");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.getByText("1 in all").waitFor();
  await page.locator("tbody a").first().click();
  await page.getByRole("heading", { name: "Attempts" }).waitFor();
  await page.getByText("ok", { exact: true }).waitFor();
  assert.deepEqual(problems, []);
});
