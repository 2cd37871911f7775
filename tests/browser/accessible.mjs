// Every page before axe-core, on a phone and a desktop, light and dark: node accessible.mjs DEV_JSON
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dev } from "./customer.mjs";
import { walk } from "./walk.mjs";
import { inBrowser } from "./webdriver.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

await inBrowser({ dev, scripts: true }, async (browser) => {
  browser.walk = "accessible";
  let looks = 0;
  await walk(browser, 1, async (name) => {
    await browser.run(AXE);
    for (const width of [360, 1280]) {
      for (const scheme of ["light", "dark"]) {
        await browser.look(width, scheme);
        await browser.shot(`${name}-${width}-${scheme}`);
        await judge(browser, `${name} at ${width} px, ${scheme}`, width);
        looks += 1;
      }
    }
  });
  console.log(`axe-core: no violation in ${looks} looks`);
});

async function judge(browser, where, width) {
  const { wide, violations, unsure } = await browser.runAsync(`
    const done = arguments[arguments.length - 1];
    const told = (all) => all.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.map((node) => node.html) }));
    axe.run().then(({ violations, incomplete }) => done({
      wide: document.documentElement.scrollWidth,
      violations: told(violations),
      unsure: told(incomplete),
    }));`);
  assert.deepEqual(violations, [], where);
  assert.deepEqual(unsure, [], `axe-core cannot tell: ${where}`);
  assert.ok(wide <= width, `${where}: ${wide} px wide`);
}
