// Login, consent, withdrawal and log-out by Tab and Enter alone: node keyboard.mjs DEV_JSON
import assert from "node:assert/strict";
import { assertSoon, authorisation, client, customer, dev, isAuthorised, isPage, pages } from "./customer.mjs";
import { KEY, inBrowser } from "./webdriver.mjs";

const kea = customer("kea.customer");
const application = client(0, "cloud");

await inBrowser({ dev, scripts: true }, async (browser) => {
  browser.walk = "keyboard";
  await browser.look(1280, "light");

  await browser.go(authorisation(application));
  await isPage(browser, "Log in");
  await tabTo(browser, "Skip to main content", 1);
  await browser.shot("skip");
  await browser.press(KEY.enter);
  await tabTo(browser, "User ID", 1);
  await browser.press(...kea.user_id);
  await tabTo(browser, "Password", 1);
  await browser.shot("field");
  await browser.press(..."wrong", KEY.enter);

  // A fault takes the focus, so that it is read out first, and leads to its field.
  await isPage(browser, "Log in", { fault: true });
  await assertSoon(async () => assert.equal(await browser.attribute(await browser.focused(), "role"), "alert"));
  await tabTo(browser, /^The user ID or password is not right/, 1);
  await browser.press(KEY.enter);
  assert.equal(await focusedName(browser), "User ID");
  assert.equal(await browser.attribute(await browser.focused(), "value"), kea.user_id);
  await tabTo(browser, "Password", 1);
  await browser.press(...kea.password);
  await tabTo(browser, "Log in", 1);
  await browser.shot("button");
  await browser.press(KEY.enter);

  await isPage(browser, "Authorise an application");
  await tabTo(browser, "Do not authorise");
  await browser.shift(KEY.tab);
  assert.equal(await focusedName(browser), "Authorise");
  await browser.shot("authorise");
  await browser.press(KEY.enter);
  await isAuthorised(browser, application);

  await browser.go(`${pages}applications`);
  await isPage(browser, "Connected applications");
  await tabTo(browser, /^Withdraw authorisation of \S/);
  await browser.shot("withdraw");
  await browser.press(KEY.space);
  await assertSoon(async () => assert.equal(await browser.attribute(await browser.focused(), "role"), "status"));
  await isPage(browser, "Connected applications");
  assert.deepEqual(await browser.all(".card"), []);
  await tabTo(browser, "Log out");
  await browser.press(KEY.enter);
  await isPage(browser, "You are logged out");
});
console.log("keyboard: ok");

/** Presses Tab until what bears this name has the focus, which must be seen; `presses` says when that must be. */
async function tabTo(browser, wanted, presses) {
  const names = [];
  for (let press = 0; press < (presses ?? 12); press += 1) {
    await browser.press(KEY.tab);
    const name = await focusedName(browser);
    if (name) await isSeen(browser, name);
    if (wanted instanceof RegExp ? wanted.test(name) : name === wanted) return;
    names.push(name);
  }
  throw new Error(`Tab does not come to ${wanted}, but to ${JSON.stringify(names)}`);
}

/** As a screen reader says it. */
async function focusedName(browser) {
  return browser.get(`element/${await browser.focused()}/computedlabel`);
}

async function isSeen(browser, name) {
  const { style, width, left, top } = await browser.run(`
    const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
    const { left, top } = document.activeElement.getBoundingClientRect();
    return { style: outlineStyle, width: parseFloat(outlineWidth), left, top };`);
  assert.ok(style !== "none" && width >= 2, `${name}: the focus is not seen`);
  assert.ok(left >= 0 && top >= 0, `${name}: the focus is off the page`);
}
