// The first minutes of an installation: set-up, sign-out, sign-in, a token.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, setUp, signIn, startFaultline, watch } from "./support.mjs";

let faultline, browser;
before(async () => { faultline = await startFaultline(); browser = await launch(); });
after(async () => { await browser?.close(); await faultline?.stop(); });

test("the first user sets up, signs out and in again, and makes a token", async () => {
  const problems = [];
  const page = await browser.newPage();
  watch(page, problems);
  await page.goto(faultline.url);
  assert.match(page.url(), /\/setup$/, "nobody can sign in yet, so set-up is offered");
  await setUp(page, faultline);
  await page.getByText("You are the first administrator").waitFor();
  await page.locator(".menu summary").click();
  await page.getByRole("button", { name: "Sign out" }).click();
  assert.match(page.url(), /\/login/);
  await signIn(page, faultline, "ada@example.org", "wrong password");
  await page.getByText("does not belong to this address").waitFor();
  assert.equal(await page.getByLabel("E-mail").inputValue(), "ada@example.org", "what was typed is kept");
  await signIn(page, faultline);
  await page.goto(`${faultline.url}/settings/tokens`);
  await page.getByLabel("Name").fill("collector");
  await page.getByRole("button", { name: "Add token" }).click();
  assert.match(await page.locator(".secret").textContent(), /^flt_[0-9a-f]{64}$/);
  assert.deepEqual(problems, []);
});
