/**
 * Takes the picture of the API reference that the README shows, from a server that runs:
 *
 *   node scripts/picture-api-reference.ts http://127.0.0.1:8080
 */
import { launchBrowser } from "../test/support/browser.ts";

const [url = "http://127.0.0.1:8080"] = process.argv.slice(2);
const browser = await launchBrowser();
try {
  const page = await browser.newPage({ viewport: { width: 1200, height: 1100 } });
  await page.goto(`${url}/docs`);
  const create = page.locator('.opblock[id$="-createCredential"]');
  await create.locator(".opblock-summary-control").click();
  await create.locator('tr[data-param-name="serviceAccountId"] input').fill("sa-pipeline-prod");
  await page.evaluate("scrollTo(0, 0)");
  await page.screenshot({ path: "docs/api-reference.png" });
} finally {
  await browser.close();
}
