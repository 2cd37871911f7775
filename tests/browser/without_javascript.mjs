// Every page in a browser that runs no scripts: node without_javascript.mjs DEV_JSON
import assert from "node:assert/strict";
import { dev } from "./customer.mjs";
import { walk } from "./walk.mjs";
import { inBrowser } from "./webdriver.mjs";

await inBrowser({ dev, scripts: false }, async (browser) => {
  browser.walk = "without-javascript";
  await browser.go("data:text/html,<title>off</title><script>document.title='on'</script>");
  assert.equal(await browser.title(), "off", "the browser runs scripts");
  await walk(browser, 0, (name) => browser.shot(name));
});
console.log("without JavaScript: ok");
