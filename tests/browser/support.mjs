// Starts a Faultline of its own for a test file, with a fresh SQLite database, and a browser to use it.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
const binary = join(target, "debug", "faultline");

const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** Runs a command of the binary to its end; gives standard output. */
export const command = (env, args, input = "") =>
  new Promise((resolve, reject) => {
    const child = spawn(binary, args, { cwd: root, env: { ...process.env, ...env } });
    let out = "";
    let err = "";
    child.stdout.on("data", (d) => (out += d));
    child.stderr.on("data", (d) => (err += d));
    child.once("error", reject);
    child.once("close", (code) => (code === 0 ? resolve(out.trim()) : reject(new Error(`${args.join(" ")}: ${err}`))));
    child.stdin.end(input);
  });

/**
 * A running server: { url, setupCode, env, stop() }. `args` are the command line, `serve` unless said;
 * `extra` are environment variables.
 */
export const startFaultline = async (args = ["serve"], extra = {}) => {
  const folder = await mkdtemp(join(tmpdir(), "faultline-browser-"));
  const port = await freePort();
  const env = {
    FAULTLINE_DATABASE_URL: `sqlite:${join(folder, "faultline.db")}`,
    FAULTLINE_LISTEN: `127.0.0.1:${port}`,
    FAULTLINE_RUNBOOKS: join(root, "runbooks"),
    NO_COLOR: "1",
    ...extra,
  };
  const child = spawn(binary, args, { cwd: root, env: { ...process.env, ...env } });
  let log = "";
  child.stderr.on("data", (d) => (log += d));
  child.stdout.on("data", (d) => (log += d));
  const url = `http://127.0.0.1:${port}`;
  const deadline = Date.now() + 60_000;
  for (;;) {
    const answers = await fetch(`${url}/readyz`).then((r) => r.ok, () => false);
    if (answers) break;
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`Faultline did not start:\n${log}`);
    await new Promise((r) => setTimeout(r, 50));
  }
  const stop = async () => {
    child.kill("SIGTERM");
    await new Promise((r) => (child.exitCode === null ? child.once("close", r) : r()));
    await rm(folder, { recursive: true, force: true });
  };
  return { url, env, stop, log: () => log, setupCode: () => /one-time code ([0-9a-f]+)/.exec(log)?.[1] };
};

/** Debian's Chromium, without the background traffic of a desktop browser. */
export const launch = async () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });

const PASSWORD = "violet anchor drum 7";

/** Makes the first admin on the set-up page; the page is then signed in. */
export const setUp = async (page, faultline) => {
  await page.goto(`${faultline.url}/setup`);
  await page.getByLabel("One-time code").fill(faultline.setupCode());
  await page.getByLabel("E-mail").fill("ada@example.org");
  await page.getByLabel("Name").fill("Ada Lovelace");
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Create account" }).click();
};

export const signIn = async (page, faultline, email = "ada@example.org", password = PASSWORD) => {
  await page.goto(`${faultline.url}/login`);
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
};

/** The secret of a new token, made by the command line. */
export const token = (faultline, scope, role = "commander") =>
  command(faultline.env, ["token", "add", `tests-${scope}`, "--scope", scope, "--role", role]);

/** Fails the test on anything that the browser complains about, above all the content security policy. */
export const watch = (page, problems) => {
  page.on("pageerror", (e) => problems.push(`script: ${e.message}`));
  page.on("console", (m) => {
    // A page that answers 4xx on purpose is reported as an error by the browser, too.
    if (m.type() === "error" && !/status of 4\d\d/.test(m.text())) problems.push(`console: ${m.text()}`);
  });
};
