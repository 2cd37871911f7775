// Chromium over the WebDriver protocol (W3C), which is JSON over HTTP: the system's chromedriver and no package.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";

const STEP_MS = 20_000;
const ALL_MS = 100_000;
const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";
export const KEY = { tab: "\uE004", enter: "\uE007", space: " ", shift: "\uE008" };

/** Runs `walk` in a fresh browser and ends the browser, however the walk ends. */
export async function inBrowser({ dev, scripts }, walk) {
  const home = mkdtempSync(join(tmpdir(), "irgw-browser-"));
  let driver;
  const end = () => {
    try {
      // Its browser is of its process group, so that one signal ends both.
      if (driver) process.kill(-driver.pid, "SIGKILL");
    } catch {
      // It has ended.
    }
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  };
  const watchdog = setTimeout(() => {
    console.error(`the walk takes more than ${ALL_MS} ms`);
    end();
    process.exit(1);
  }, ALL_MS);
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => {
      end();
      process.exit(1);
    });
  }
  try {
    let port;
    for (let tries = 0; !port; tries += 1) {
      driver = spawn("chromedriver", ["--port=0"], {
        detached: true,
        stdio: ["ignore", "pipe", "inherit"],
        env: { ...process.env, HOME: home },
      });
      // It looks for a port and binds it in two steps, between which others may take it.
      port = await portOf(driver).catch((error) => {
        if (tries === 4 || !error.message.includes("port not available")) throw error;
      });
    }
    const browser = await Browser.start(`http://127.0.0.1:${port}`, await options(dev, scripts, home));
    try {
      await walk(browser);
    } catch (error) {
      await browser.shot("failed").catch(() => {});
      console.error(`at ${await browser.url().catch(() => "no page")}`);
      throw error;
    }
    await browser.quit();
  } finally {
    clearTimeout(watchdog);
    end();
  }
}

function portOf(driver) {
  return new Promise((found, failed) => {
    let printed = "";
    driver.stdout.on("data", (bytes) => {
      printed += bytes;
      const port = /started successfully on port (\d+)/.exec(printed)?.[1];
      if (port) found(port);
    });
    driver.once("error", failed);
    driver.once("exit", (code) => failed(new Error(`chromedriver ended with ${code}: ${printed}`)));
  });
}

async function options(dev, scripts, home) {
  const args = [
    "--headless=new",
    `--user-data-dir=${join(home, "profile")}`,
    // The browser takes the gateway's key, which Node.js has checked against the development root, and no other.
    `--ignore-certificate-errors-spki-list=${await keyOf(dev)}`,
    // Applications need not exist, and nothing is asked of anybody else.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-first-run",
  ];
  // Chromium's sandbox does not start for root.
  if (process.getuid() === 0) args.push("--no-sandbox");
  const prefs = scripts ? {} : { "profile.managed_default_content_settings.javascript": 2 };
  return {
    browserName: "chrome",
    "goog:chromeOptions": { args, prefs, binary: process.env.IRGW_CHROMIUM },
    "goog:loggingPrefs": { browser: "ALL" },
  };
}

/** The digest of the gateway's public key, after a handshake that trusts the development root alone. */
function keyOf(dev) {
  const { hostname, port } = new URL(dev.oauth.issuer);
  const ca = readFileSync(dev.listeners.desktop.ca_file);
  return new Promise((found, failed) => {
    const socket = connect({ host: hostname, port, servername: hostname, ca }, () => {
      const key = socket.getPeerX509Certificate().publicKey.export({ type: "spki", format: "der" });
      socket.destroy();
      found(createHash("sha256").update(key).digest("base64"));
    });
    socket.once("error", failed);
  });
}

class Browser {
  static async start(driver, capabilities) {
    const body = { capabilities: { alwaysMatch: capabilities } };
    const { sessionId } = await command("POST", `${driver}/session`, body);
    return new Browser(`${driver}/session/${sessionId}`);
  }

  constructor(session) {
    this.session = session;
    this.shots = process.env.IRGW_SCREENSHOTS;
    this.walk = "";
  }

  get(path) {
    return command("GET", `${this.session}/${path}`);
  }
  post(path, body = {}) {
    return command("POST", `${this.session}/${path}`, body);
  }
  quit() {
    return command("DELETE", this.session);
  }

  go(url) {
    return this.post("url", { url: `${url}` });
  }
  /** As `go`, where the answer leads to an application that there is not. */
  async goAway(url) {
    await assert.rejects(this.go(url), /ERR_NAME_NOT_RESOLVED/);
  }
  url() {
    return this.get("url");
  }
  title() {
    return this.get("title");
  }
  source() {
    return this.get("source");
  }
  back() {
    return this.post("back");
  }
  reload() {
    return this.post("refresh");
  }
  async all(css) {
    const found = await this.post("elements", { using: "css selector", value: css });
    return found.map((one) => one[ELEMENT]);
  }
  async one(css) {
    return (await this.post("element", { using: "css selector", value: css }))[ELEMENT];
  }
  async focused() {
    return (await this.get("element/active"))[ELEMENT];
  }
  text(element) {
    return this.get(`element/${element}/text`);
  }
  attribute(element, name) {
    return this.get(`element/${element}/attribute/${name}`);
  }
  async fill(css, value) {
    const element = await this.one(css);
    await this.post(`element/${element}/clear`);
    await this.post(`element/${element}/value`, { text: value });
  }
  async click(element) {
    await this.post(`element/${element}/click`);
  }

  /** Presses and releases each key. */
  async press(...keys) {
    const actions = keys.flatMap((value) => [
      { type: "keyDown", value },
      { type: "keyUp", value },
    ]);
    await this.post("actions", { actions: [{ type: "key", id: "keyboard", actions }] });
  }
  /** Presses Shift with a key. */
  async shift(value) {
    const actions = [
      { type: "keyDown", value: KEY.shift },
      { type: "keyDown", value },
      { type: "keyUp", value },
      { type: "keyUp", value: KEY.shift },
    ];
    await this.post("actions", { actions: [{ type: "key", id: "keyboard", actions }] });
  }
  run(script, ...args) {
    return this.post("execute/sync", { script, args });
  }
  runAsync(script, ...args) {
    return this.post("execute/async", { script, args });
  }
  frame(element) {
    return this.post("frame", { id: element ? { [ELEMENT]: element } : null });
  }
  cdp(cmd, params = {}) {
    return this.post("goog/cdp/execute", { cmd, params });
  }
  /** What the browser's console said since it was last asked. */
  log() {
    return this.post("se/log", { type: "browser" });
  }

  async look(width, scheme) {
    const screen = { width, height: 900, deviceScaleFactor: 1, mobile: width < 600 };
    await this.cdp("Emulation.setDeviceMetricsOverride", screen);
    await this.cdp("Emulation.setEmulatedMedia", {
      features: [
        { name: "prefers-color-scheme", value: scheme },
        // Nothing is looked at half-way from one colour to another.
        { name: "prefers-reduced-motion", value: "reduce" },
      ],
    });
  }
  async shot(name) {
    if (!this.shots) return;
    const { writeFile } = await import("node:fs/promises");
    const { data } = await this.cdp("Page.captureScreenshot", { captureBeyondViewport: true });
    await writeFile(join(this.shots, `${this.walk}-${name}.png`), Buffer.from(data, "base64"));
  }

  /** Waits until the address bar shows what fits. */
  async arrives(fits) {
    const deadline = Date.now() + STEP_MS;
    for (;;) {
      const url = await this.url();
      if (await fits(url)) return new URL(url);
      if (Date.now() > deadline) throw new Error(`the browser stays at ${url}`);
      await new Promise((done) => setTimeout(done, 25));
    }
  }
}

async function command(method, url, body) {
  const response = await fetch(url, {
    method,
    headers: { "content-type": "application/json" },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(STEP_MS),
  });
  const { value } = await response.json();
  if (!response.ok) throw new Error(`${method} ${new URL(url).pathname}: ${value.error}: ${value.message}`);
  return value;
}
