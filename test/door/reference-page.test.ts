import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { type Administrator, bodyOf, givenAdministrator } from "../support/administrator.ts";
import { launchBrowser, NO_CHROMIUM, watchedPage } from "../support/browser.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { OPERATIONS } from "../support/openapi.ts";

const needsChromium = NO_CHROMIUM === undefined ? {} : { skip: NO_CHROMIUM };
const ACCOUNT = "sa-from-the-page";

let h: TestKeyturn;
let browser: Browser | undefined;
let admin: Administrator;
before(async () => {
  h = await givenKeyturn();
  admin = await givenAdministrator(h);
  bodyOf(await admin.post("/service-accounts", { id: ACCOUNT, displayName: "From the page" }), 201);
  if (NO_CHROMIUM === undefined) browser = await launchBrowser();
});
after(async () => {
  await browser?.close();
  await h.stop();
});

async function opened() {
  assert.ok(browser !== undefined);
  const watched = await watchedPage(browser);
  await watched.page.goto(`${h.httpUrl}/docs`);
  await watched.page.locator(".opblock").first().waitFor();
  return watched;
}

/** The part of the page that is about one operation. */
const blockOf = (page: Page, operationId: string) => page.locator(`.opblock[id$="-${operationId}"]`);

test("the page loads without a complaint and asks nobody but its own server", needsChromium, async () => {
  const { page, complaints, requested } = await opened();
  assert.deepEqual(complaints, []);
  const elsewhere = requested.filter(({ origin, protocol }) => protocol !== "data:" && origin !== h.httpUrl);
  assert.deepEqual(elsewhere.map(String), []);
  assert.ok(requested.some(({ pathname }) => pathname === "/openapi.json"));
  await page.close();
});

test("the page shows every operation of the document", needsChromium, async () => {
  const { page } = await opened();
  for (const { operationId } of OPERATIONS)
    assert.equal(await blockOf(page, operationId).count(), 1, operationId);
  assert.equal(await page.locator(".opblock").count(), OPERATIONS.length);
  await page.close();
});

test(
  "a token that is pasted into the page creates a credential on the running service",
  needsChromium,
  async () => {
    const { page, complaints, requested } = await opened();
    await page.locator(".auth-wrapper .authorize").first().click();
    const dialog = page.locator(".dialog-ux");
    const bearer = dialog.locator(".auth-container").filter({ hasText: "bearerAuth" });
    await bearer.locator("input").fill(admin.token);
    await bearer.getByRole("button", { name: "Apply credentials" }).click();
    await dialog.locator(".btn-done").first().click();

    const block = blockOf(page, "createCredential");
    await block.locator(".opblock-summary-control").click();
    await block.locator('tr[data-param-name="serviceAccountId"] input').fill(ACCOUNT);
    await block.locator(".execute").click();
    const live = block.locator(".live-responses-table");
    await live.locator(".response-col_status").filter({ hasText: "201" }).waitFor();
    const shown = await live.textContent();
    const { credentials } = bodyOf(await admin.get(`/service-accounts/${ACCOUNT}/credentials`));
    assert.equal(credentials.length, 1);
    assert.ok(shown?.includes(credentials[0].id));
    assert.match(shown ?? "", /plt_cs_cred-[0-9a-hjkmnp-tv-z]{20}_[0-9A-Za-z]{60}/);
    assert.deepEqual(complaints, []);
    assert.ok(requested.every(({ origin, protocol }) => protocol === "data:" || origin === h.httpUrl));
    await page.close();
  },
);
