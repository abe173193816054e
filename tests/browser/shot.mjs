// Screenshots of pages, for the README and for looking: node tests/browser/shot.mjs URL EMAIL PASSWORD FOLDER PATH…
// Each path gives desktop, phone and dark pictures.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { launch } from "./support.mjs";

const [url, email, password, folder, ...paths] = process.argv.slice(2);
await mkdir(folder, { recursive: true });
const browser = await launch();
const kinds = {
  desktop: { viewport: { width: 1280, height: 900 } },
  phone: { viewport: { width: 390, height: 844 } },
  dark: { viewport: { width: 1280, height: 900 }, colorScheme: "dark" },
};
for (const [kind, options] of Object.entries(kinds)) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  await page.goto(`${url}/login`);
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  for (const path of paths) {
    await page.goto(url + path);
    const name = `${path.replace(/[^A-Za-z0-9]+/g, "-").replace(/^-|-$/g, "") || "home"}-${kind}.png`;
    await page.screenshot({ path: join(folder, name), fullPage: process.env.FULL === "1" });
  }
  await context.close();
}
await browser.close();
