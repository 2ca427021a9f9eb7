import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** A Chromium of the machine's own, found on the PATH; undefined when there is none. Nothing is downloaded. */
export const CHROMIUM = (process.env["PATH"] ?? "")
  .split(delimiter)
  .flatMap((folder) => NAMES.map((name) => join(folder, name)))
  .find(isExecutable);

/** Why a test that needs one is skipped; undefined when there is one. */
export const NO_CHROMIUM = CHROMIUM === undefined ? `no ${NAMES.join(" or ")} on the PATH` : undefined;

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export function launchBrowser(): Promise<Browser> {
  if (CHROMIUM === undefined) throw new Error("there is no Chromium");
  // Chromium's own sandbox does not take root; what is looked at is our own.
  return chromium.launch({ executablePath: CHROMIUM, chromiumSandbox: process.getuid?.() !== 0 });
}

/** A machine with other work takes ten seconds for what takes one. */
const WAIT_MS_MAX = 120_000;

/** What a page did while somebody looked at it. */
export interface Watched {
  readonly page: Page;
  /** Errors and warnings of the console, and what its scripts threw. */
  readonly complaints: readonly string[];
  /** Origins of all that it asked for, and its own files. */
  readonly requested: readonly URL[];
}

export async function watchedPage(browser: Browser): Promise<Watched> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 960 } });
  page.setDefaultTimeout(WAIT_MS_MAX);
  const complaints: string[] = [];
  const requested: URL[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (err) => complaints.push(String(err)));
  page.on("request", (req) => requested.push(new URL(req.url())));
  return { page, complaints, requested };
}
