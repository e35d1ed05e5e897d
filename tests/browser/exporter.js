// The simulated cloud and the exporter that reads it, each a process of its own, and a browser.

import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";

// `tests/run` says where these are.
const { BROWSER_TOOLS: tools, BROWSER: chromium, EXPORTER: binary, BROWSER_FILES: files } = process.env;
const from = createRequire(join(tools, "package.json"));
const puppeteer = from("puppeteer-core").default ?? from("puppeteer-core");
const axe = readFileSync(from.resolve("axe-core/axe.min.js"), "utf8");

// Whatever a test waits for happens within this time, on a machine that is busy with other things.
export const DEADLINE = 60_000;
export const TOKEN = "token-of-an-editor";
export const VIEWER = "token-of-a-viewer";

export const eventually = async (what, ask) => {
  const end = Date.now() + DEADLINE;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`${what}: not within ${DEADLINE} ms`);
    await new Promise((done) => setTimeout(done, 20));
  }
};

/** What `find` finds in all that a process says; it ends with the test. */
const started = async (test, args, find) => {
  const process = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"], env: {} });
  test.after(() => new Promise((done) => {
    if (process.exitCode !== null) { done(); return; }
    process.once("exit", done);
    process.kill();
  }));
  let said = "";
  for (const one of [process.stdout, process.stderr]) one.on("data", (text) => { said += text; });
  let found;
  await eventually(`${args[0]} says where it listens`, () => {
    if (process.exitCode !== null) throw new Error(`${args[0]} ended: ${said}`);
    found = find(said);
    return found;
  });
  return found;
};

const folderOf = (test) => {
  mkdirSync(files, { recursive: true });
  return mkdtempSync(join(files, test.name.replace(/\W+/g, "_").slice(0, 40)));
};

/** A simulated cloud whose world stands still until it is told to move. */
export const simulate = async (test, clusters, connections) => {
  const args = ["simulate", "--listen", "127.0.0.1:0", "--pace", "explicit", "--seed", "11",
    "--clusters", String(clusters), "--connections", String(connections)];
  const words = ["cloud", "access_key", "secret_key", "project_id", "region"];
  const cloud = await started(test, args, (said) => {
    const all = Object.fromEntries(words.map((word) => [word, said.match(new RegExp(`^${word} (.*)$`, "m"))?.[1]]));
    return words.every((word) => all[word]) && all;
  });
  cloud.control = async (method, path, body) => {
    const answer = await fetch(`${cloud.cloud}/__sim/${path}`, { method, body: JSON.stringify(body) });
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json().catch(() => null);
  };
  cloud.world = async () => (await fetch(`${cloud.cloud}/__sim/world`)).json();
  const world = await cloud.world();
  cloud.clusters = world.clusters ?? world;
  return cloud;
};

/** The exporter, which has polled every cluster once. `names`: of the clusters, in place of the cloud's. */
export const serve = async (test, cloud, { names = [], interval = "60s" } = {}) => {
  const folder = folderOf(test);
  const digest = (token) => createHash("sha256").update(token).digest("hex");
  writeFileSync(join(folder, "secret_key"), cloud.secret_key, { mode: 0o600 });
  const services = cloud.services ?? [];
  const configuration = {
    poll: { interval, timeout: "20s", concurrency: 8 },
    projects: [{
      name: "prod",
      region: cloud.region,
      project_id: cloud.project_id,
      credentials: { static: { access_key: cloud.access_key, secret_key_file: "secret_key" } },
      api_endpoints: { css: cloud.cloud, vpcep: cloud.cloud, iam: cloud.cloud },
      rate_limit: { css: { requests_per_second: 1000, burst: 1000 }, vpcep: { requests_per_second: 1000, burst: 1000 } },
      clusters: cloud.clusters.map(({ id, name }, at) => ({ id, name: names[at] ?? name })),
      endpoint_services: services,
    }],
    admin: {
      listen: "127.0.0.1:0",
      audit_log: "audit.jsonl",
      tokens: [
        { name: "oncall", sha256: digest(TOKEN), role: "editor", services: ["prod/*"], clusters: ["prod/*"] },
        { name: "reader", sha256: digest(VIEWER), role: "viewer", services: ["prod/*"], clusters: ["prod/*"] },
      ],
    },
  };
  const file = join(folder, "css-vpcep-exporter.yml");
  writeFileSync(file, JSON.stringify(configuration));
  const args = ["serve", "--config.file", file, "--web.listen-address", "127.0.0.1:0"];
  const [, address, admin] = await started(test, args, (said) =>
    said.match(/msg=listening[^\n]* public=(\S+)[^\n]* admin=(\S+)/));
  const url = `http://${address}`;
  await eventually("every cluster was polled", async () => (await fetch(`${url}/-/ready`)).status === 200);
  const exporter = { url, admin: `http://${admin}` };
  exporter.poll = async (id) => {
    const headers = { Authorization: `Bearer ${TOKEN}` };
    await eventually("a poll", async () => {
      const answer = await fetch(`${exporter.admin}/api/v1/clusters/${id}/poll`, { method: "POST", headers });
      return answer.status === 200;
    });
  };
  return exporter;
};

/** A page of a browser of its own. Whatever the page complains of fails the test. */
export const browse = async (test, { width = 1280, height = 900, dark = false, script = true } = {}) => {
  const browser = await puppeteer.launch({
    executablePath: chromium, headless: true, args: ["--no-sandbox", "--disable-gpu", "--no-proxy-server"],
  });
  test.after(() => browser.close());
  const page = await browser.newPage();
  page.setDefaultTimeout(DEADLINE);
  await page.setViewport({ width, height });
  await page.setJavaScriptEnabled(script);
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }]);
  page.complaints = [];
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) page.complaints.push(message.text());
  });
  page.on("pageerror", (error) => page.complaints.push(error.message));
  page.on("dialog", (dialog) => { page.complaints.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  return page;
};

/** Waits until the page of the public listener follows the events. */
export const live = (page) =>
  page.waitForFunction(() => document.getElementById("live").textContent.startsWith("Live"));

/** The violations of accessibility that are more than minor. */
export const violations = async (page) => {
  await page.evaluate(axe);
  const { violations: all } = await page.evaluate(() => globalThis.axe.run());
  return all.map(({ id, impact, nodes }) => `${impact}: ${id}: ${nodes[0].html}`);
};

/** The elements that are wider than the window. */
export const tooWide = (page) => page.evaluate(() => {
  if (document.documentElement.scrollWidth <= innerWidth) return [];
  const all = [...document.body.querySelectorAll("*")];
  return all.filter((one) => one.getBoundingClientRect().right > innerWidth).map((one) => one.outerHTML.slice(0, 200));
});
