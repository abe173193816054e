// Runbooks and postmortems as people use them: a run on a phone, two authors in one postmortem, a review to
// publication, and the exported file in print.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { command, launch, setUp, signIn, startFaultline, token, watch } from "./support.mjs";

const run = promisify(execFile);
const PASSWORD = "violet anchor drum 7";
let faultline, browser, api;
const problems = [];

before(async () => {
  faultline = await startFaultline();
  browser = await launch();
  const page = await browser.newPage();
  await setUp(page, faultline);
  await page.close();
  api = await token(faultline, "api");
  await call("POST", "/services", { slug: "cart", name: "Cart", tier: "1", owner_team: "shop" });
  for (const [email, role] of [["bob@example.org", "responder"], ["cleo@example.org", "commander"]]) {
    await command(faultline.env, ["user", "add", email, "--role", role], `${PASSWORD}\n`);
  }
});
after(async () => { await browser?.close(); await faultline?.stop(); });

const call = async (method, path, body) => {
  const answer = await fetch(`${faultline.url}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${api}`, "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  assert.ok(answer.ok, `${path}: ${answer.status} ${await answer.clone().text()}`);
  return answer.json();
};

const declare = async (title) => (await call("POST", "/incidents", { title, severity: "SEV2", services: ["cart"], impact_started_at: "-90m" })).id;

const open = async (email, options = {}) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  watch(page, problems);
  await signIn(page, faultline, email, PASSWORD);
  return page;
};

/** Nothing may stick out to the right: a phone does not scroll sideways. */
const fits = async (page, what) => {
  const [inner, wide] = await page.evaluate(() => [window.innerWidth, document.documentElement.scrollWidth]);
  assert.ok(wide <= inner + 1, `${what} is ${wide} px wide on a screen of ${inner} px`);
};

test("a run on a phone", async () => {
  const id = await declare("Errors after the release");
  const page = await open("bob@example.org", { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true });
  await page.goto(`${faultline.url}/incidents/${id}/runs/new?runbook=bad-deployment-rollback`);
  await fits(page, "the start");
  await page.getByRole("button", { name: "Start the run" }).tap();
  await page.waitForURL(/\/runs\/\d+/);
  await fits(page, "the run");
  for (let i = 0; i < 3; i += 1) {
    const step = page.locator(".run-step-current");
    const button = step.locator(".step-actions button.btn-primary").first();
    const box = await button.boundingBox();
    assert.ok(box.height >= 40, `a thumb needs more than ${box.height} px`);
    await step.locator("textarea[name=note]").fill(`Note ${i}`);
    await button.tap();
    await page.getByText(`Note ${i}`).first().waitFor();
    await fits(page, `step ${i}`);
  }
  // Another person settles the next step: the phone shows it without being asked.
  const other = await open("cleo@example.org");
  await other.goto(page.url().split("#")[0]);
  const step = other.locator(".run-step-current");
  await step.locator("textarea[name=note]").fill("Done on the big screen");
  await step.locator("button[value=skipped]").click();
  await page.getByText("Done on the big screen").first().waitFor({ timeout: 10_000 });
  assert.match(await page.locator(".page-head").textContent(), /with/);
  await other.locator("summary", { hasText: "Hand this run over" }).click();
  await other.locator("#lead-to").selectOption("ada@example.org");
  await other.getByRole("button", { name: "Hand over" }).click();
  assert.match(await other.locator(".page-head").textContent(), /driven by Ada Lovelace/);
  await page.context().close();
  await other.context().close();
});

test("two authors in one postmortem, then a review to publication", async () => {
  const id = await declare("Cart fails");
  const ada = await open("ada@example.org");
  const bob = await open("bob@example.org");
  const path = `${faultline.url}/incidents/${id}/postmortem`;
  await ada.goto(path);
  await ada.getByRole("button", { name: "Draft from the record" }).click();
  const impact = `${path}/sections/impact`;
  await ada.goto(impact);
  await bob.goto(impact);

  // The preview follows what is typed and equals the page.
  await ada.locator("#f-body").fill("**1,200 orders** were lost.");
  await ada.locator("[data-preview-part] strong", { hasText: "1,200 orders" }).waitFor();
  const preview = await ada.locator("[data-preview-part] .prose").innerHTML();
  await ada.getByRole("button", { name: "Save", exact: true }).click();
  assert.equal(await ada.locator("#impact .prose").first().innerHTML(), preview);

  // Bob was there at the same time: he sees both texts and loses nothing.
  await bob.locator("#f-body").fill("Bob was here, too.");
  await bob.getByRole("button", { name: "Save", exact: true }).click();
  await bob.getByText("Ada Lovelace saved this section meanwhile").waitFor();
  assert.match(await bob.locator(".diff").first().textContent(), /1,200 orders[\s\S]*Bob was here/);
  await bob.locator("#f-body").fill("**1,200 orders** were lost. Bob was here, too.");
  await bob.getByRole("button", { name: "Save", exact: true }).click();
  await bob.locator("#impact").getByText("Bob was here").waitFor();

  // Ada suggests, Bob takes it over.
  await ada.goto(impact);
  await ada.locator("#f-body").fill("**1,250 orders** were lost. Bob was here, too.");
  await ada.locator("#f-comment").fill("The count was refined");
  await ada.getByRole("button", { name: "Suggest" }).click();
  await bob.goto(path);
  await bob.locator("#impact").getByRole("button", { name: "Take it over" }).click();
  await bob.locator("#impact").getByText("1,250 orders").first().waitFor();

  await ada.goto(path);
  await ada.locator("#reviewer").selectOption("bob@example.org");
  await ada.locator("#review").getByRole("button", { name: "Ask", exact: true }).click();
  await ada.locator(".page-head").getByText("In review").waitFor();
  const cleo = await open("cleo@example.org");
  await cleo.goto(path);
  await cleo.getByRole("button", { name: "Publish", exact: true }).click();
  await cleo.getByText("The review is not through").waitFor();
  await bob.goto(path);
  await bob.locator("#review-note").fill("Reads well");
  await bob.getByRole("button", { name: "Approve" }).click();
  for (const box of await bob.locator("#review input[name=item]").all()) await box.check();
  await bob.getByRole("button", { name: "Save the checklist" }).click();
  await cleo.goto(path);
  await cleo.getByRole("button", { name: "Publish", exact: true }).click();
  await cleo.locator(".page-head").getByText("Published").waitFor();
  for (const page of [ada, bob, cleo]) await page.context().close();
});

// A binary PGM as pdftoppm writes it: "P5", width, height and 255, then a byte for each pixel.
function greyPicture(file) {
  const head = /^P5\s+(\d+)\s+(\d+)\s+255\s/.exec(file.subarray(0, 64).toString("latin1"));
  return { width: Number(head[1]), height: Number(head[2]), grey: file.subarray(head[0].length) };
}

test("the exported file prints on whole pages", async () => {
  const id = await declare("Checkout is slow");
  await call("PUT", `/incidents/${id}/postmortem`, {
    sections: {
      impact: "Between 10:00 and 11:30 **12 %** of orders failed.\n\n| Region | Orders |\n|:--|--:|\n" + Array.from({ length: 60 }, (_, i) => `| region ${i} | ${i * 7} |`).join("\n"),
      root_cause: "```text\ngateway |████████████████████████████████████████|   900 ms  failed\n```\n\nSee [the trace](/traces/abc).",
    },
  });
  const page = await open("ada@example.org");
  await page.goto(`${faultline.url}/incidents/${id}/postmortem`);
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "HTML", exact: true }).click()]);
  const folder = await mkdtemp(join(tmpdir(), "faultline-print-"));
  try {
    const file = join(folder, "postmortem.html");
    await download.saveAs(file);
    const html = await readFile(file, "utf8");
    assert.ok(!/<script|src=|<link/i.test(html), "the file needs nothing else");
    assert.ok(html.includes(`href="${faultline.url}/traces/abc"`), "links lead back");
    // Opened from the disk, without the server.
    const alone = await (await browser.newContext()).newPage();
    await alone.goto(`file://${file}`);
    const pdf = join(folder, "postmortem.pdf");
    await writeFile(pdf, await alone.pdf({ preferCSSPageSize: true, printBackground: true }));
    await run("pdftotext", ["-layout", pdf, join(folder, "text")]);
    const text = await readFile(join(folder, "text"), "utf8");
    for (const wanted of ["Checkout is slow", "region 59", "Root cause and trigger", "900 ms", "Written out by Ada Lovelace"]) {
      assert.ok(text.includes(wanted), `${wanted} is not in print`);
    }
    assert.ok(text.split("\f").length > 2, "a long table goes on over pages");
    assert.ok(text.split("Region").length > 2, "and repeats its head");
    // As pictures: no page is empty, and nothing is cut off at the right edge.
    await run("pdftoppm", ["-r", "40", "-gray", pdf, join(folder, "page")]);
    const pictures = (await readdir(folder)).filter((name) => name.endsWith(".pgm"));
    assert.ok(pictures.length > 1);
    for (const name of pictures) {
      const { width, height, grey } = greyPicture(await readFile(join(folder, name)));
      assert.ok(grey.some((level) => level < 153), `${name} is empty`);
      for (let row = 0; row < height; row++) {
        const edge = grey.subarray((row + 1) * width - 8, (row + 1) * width);
        assert.ok(edge.every((level) => level >= 153), `${name}: something runs into the right edge`);
      }
    }
    if (process.env.FAULTLINE_KEEP_PRINT) await run("cp", [pdf, process.env.FAULTLINE_KEEP_PRINT]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("nothing made the browser complain", () => assert.deepEqual(problems, []));
