// What a browser does with hostile names, frames and cookies: node attacks.mjs DEV_JSON CLIENT_ID
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { authorisation, client, customer, dev, isAuthorised, isPage, logIn, pages, submit } from "./customer.mjs";
import { inBrowser } from "./webdriver.mjs";

const tui = customer("tui.customer");
const HOSTILE_NAME = "<script>document.title='x'</script>";
const hostile = { client_id: process.argv[3], redirect_uris: ["https://hostile.example.nz/callback"] };

await inBrowser({ dev, scripts: true }, async (browser) => {
  browser.walk = "attacks";
  await cannotBeFramed(browser);
  await namesAreText(browser);
  await loopbackIsReached(browser);
});
console.log("attacks: ok");

/** C22: a page of another site shows its own frame, and none of ours. */
async function cannotBeFramed(browser) {
  const ours = [authorisation(hostile), `${pages}applications`, `${pages}consent`];
  const server = await listening((request, response) => {
    const frames = request.url === "/" ? ["/own", ...ours] : [];
    const tags = frames.map((url) => `<iframe src="${`${url}`.replaceAll("&", "&amp;")}"></iframe>`);
    response.setHeader("content-type", "text/html").end(`<h1>${request.url}</h1>${tags.join("")}`);
  });
  await browser.go(at(server));
  const frames = await browser.all("iframe");
  assert.equal(frames.length, ours.length + 1);
  for (const [index, frame] of frames.entries()) {
    await browser.frame(frame);
    const address = await browser.run("return location.href");
    const forms = (await browser.all("form, main")).length;
    await browser.frame(null);
    if (index === 0) assert.equal(address, `${at(server)}own`);
    else assert.deepEqual([address, forms], ["chrome-error://chromewebdata/", 0], `${ours[index - 1]}`);
  }
  const told = (await browser.log()).filter((line) => /frame-ancestors|X-Frame-Options/i.test(line.message));
  assert.equal(told.length, ours.length, "the browser says why each is not shown");
  server.close();
}

/** C23: on every page that shows it. The login goes on under another cookie than it began with (C21). */
async function namesAreText(browser) {
  const name = async (css) => {
    assert.notEqual(await browser.title(), "x");
    assert.deepEqual(await browser.all("script"), []);
    const texts = await Promise.all((await browser.all(css)).map((element) => browser.text(element)));
    assert.ok(texts.includes(HOSTILE_NAME), `${css}: ${texts}`);
    await browser.shot(css.replace(/\W/g, ""));
  };
  await browser.go(authorisation(hostile));
  await name(".lead .name");
  const before = await cookieOf(browser);
  const typed = `"><img src=x onerror="document.title='x'">`;
  await logIn(browser, { user_id: typed, password: "wrong" });
  await isPage(browser, "Log in", { fault: true });
  assert.equal(await browser.attribute(await browser.one("#user_id"), "value"), typed);
  assert.deepEqual(await browser.all("img"), []);
  await logIn(browser, tui);
  await isPage(browser, "Authorise an application");
  assert.notEqual(await cookieOf(browser), before, "the cookie stays the same over a login");
  await name(".facts .name");
  await submit(browser, "consent");
  await isAuthorised(browser, hostile);
  await browser.go(`${pages}applications`);
  await name(".card h2 .name");
  // Not that there is none to run: the policy refuses it.
  await browser.run("const s = document.createElement('script'); s.text = 'document.title = 1'; document.body.append(s)");
  await isPage(browser, "Connected applications");
  const refused = (await browser.log()).filter((line) => /Content Security Policy/.test(line.message));
  assert.equal(refused.length, 1, JSON.stringify(refused));
}

/** The browser's login cookie. It and the one that makes the browser known (C24) are as OA-7 and C21 want them. */
async function cookieOf(browser) {
  const { cookies } = await browser.cdp("Network.getAllCookies");
  for (const { name, domain, path, secure, httpOnly, sameSite, session } of cookies) {
    const lasts = name === "__Host-irgw-known";
    assert.ok(lasts || name === "__Host-irgw", name);
    assert.deepEqual([domain, path, secure, httpOnly, sameSite, session], ["localhost", "/", true, true, "Lax", !lasts]);
  }
  const { value } = cookies.find(({ name }) => name === "__Host-irgw");
  assert.equal(await browser.run("return document.cookie"), "");
  return value;
}

/** RFC 8252 §7.3, and that the policy lets an application's callback lead on to a host of its own. */
async function loopbackIsReached(browser) {
  const done = await listening((request, response) => response.end("done"));
  const callback = await listening((request, response) => {
    response.writeHead(302, { location: `${at(done).replace("127.0.0.1", "localhost")}done` }).end();
  });
  const native = client(0, "native");
  const redirect = `${at(callback)}callback`;
  await browser.go(authorisation(native, { redirect_uri: redirect, logout: "true" }));
  await logIn(browser, tui);
  await isPage(browser, "Authorise an application");
  await submit(browser, "consent");
  await browser.arrives((url) => url === `http://localhost:${done.address().port}/done`);
  // And from the login page, now that consent stands.
  await browser.go(authorisation(native, { redirect_uri: redirect, logout: "true" }));
  await logIn(browser, tui);
  await browser.arrives((url) => url === `http://localhost:${done.address().port}/done`);
  callback.close();
  done.close();
}

function listening(handler) {
  return new Promise((ready) => {
    const server = createServer(handler).listen(0, "127.0.0.1", () => ready(server));
    // The browser keeps its connections.
    server.unref();
  });
}

function at(server) {
  return `http://127.0.0.1:${server.address().port}/`;
}
