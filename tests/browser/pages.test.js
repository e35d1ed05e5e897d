// The status page and the page of a cluster, as somebody sees them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { browse, live, serve, simulate, tooWide, violations } from "./exporter.js";

const HOSTILE = "<img src=x onerror=alert(1)>\"'&";

const become = (cloud, id, statuses) => cloud.control("PUT", `clusters/${id}`, {
  connections: Object.entries(statuses).map(([endpoint, status]) => ({ id: endpoint, status })),
});

test("a rejection is seen without a reload", async (t) => {
  const cloud = await simulate(t, 3, 2);
  const [{ id, name }] = cloud.clusters;
  await become(cloud, id, { one: "accepted", two: "accepted" });
  const exporter = await serve(t, cloud);
  const [status, cluster] = [await browse(t), await browse(t)];
  await status.goto(exporter.url);
  await cluster.goto(`${exporter.url}/clusters/${id}`);
  await Promise.all([live(status), live(cluster)]);
  await status.evaluate(() => { globalThis.isTheSamePage = true; });

  await become(cloud, id, { one: "accepted", two: "rejected" });
  await exporter.poll(id);
  const polled = Date.now();
  await Promise.all([
    status.waitForFunction((row) => document.getElementById(row)?.textContent.includes("rejected"), {}, `c-${id}`),
    cluster.waitForFunction(() => document.getElementById("two")?.textContent.includes("rejected")),
  ]);
  t.diagnostic(`seen ${Date.now() - polled} ms after its poll`);
  assert.ok(await status.evaluate(() => globalThis.isTheSamePage));
  const first = await status.$eval("#clusters tbody tr", (row) => row.textContent);
  assert.ok(first.includes(name), `it comes first: ${first}`);
  assert.match(await cluster.$eval(".needs", (box) => box.textContent), /1 connection is rejected/);
  assert.deepEqual([status.complaints, cluster.complaints], [[], []]);
});

test("a link of an alert leads to the connection", async (t) => {
  const cloud = await simulate(t, 1, 60);
  const exporter = await serve(t, cloud);
  const [{ id, connections }] = cloud.clusters;
  const endpoint = connections.map((one) => one.id).sort().at(-1);
  const page = await browse(t, { height: 500 });
  await page.goto(`${exporter.url}/clusters/${id}#${endpoint}`);
  await live(page);
  const place = await page.$eval(":target", (row) => ({ id: row.id, top: row.getBoundingClientRect().top }));
  assert.equal(place.id, endpoint);
  assert.ok(place.top >= 0 && place.top < 500, `${place.top}`);
});

test("2,000 clusters are filtered and sorted", async (t) => {
  const cloud = await simulate(t, 2000, 2);
  const exporter = await serve(t, cloud);
  const page = await browse(t);
  await page.goto(exporter.url);
  await live(page);
  const shown = () => page.$$eval("#clusters tbody tr", (rows) => rows.filter((row) => !row.hidden).length);
  assert.equal(await shown(), 250, "those that need attention most");
  const { name } = cloud.clusters[1234];
  await page.focus("#words");
  const took = await page.evaluate((text) => {
    const input = document.getElementById("words");
    const began = performance.now();
    input.value = text;
    input.dispatchEvent(new Event("input", { bubbles: true }));
    document.body.getBoundingClientRect();
    return performance.now() - began;
  }, name);
  t.diagnostic(`filtered within ${took.toFixed(0)} ms`);
  assert.equal(await shown(), cloud.clusters.filter((one) => one.name.includes(name)).length);
  await page.$eval("#words", (input) => { input.value = ""; input.dispatchEvent(new Event("input")); });
  const sorted = await page.evaluate(() => {
    const began = performance.now();
    document.querySelectorAll("#clusters th button")[3].click();
    document.body.getBoundingClientRect();
    const took = performance.now() - began;
    const names = [...document.querySelectorAll("#clusters tbody tr")].map((row) => row.cells[3].textContent);
    return { took, names };
  });
  t.diagnostic(`sorted within ${sorted.took.toFixed(0)} ms`);
  assert.deepEqual(sorted.names, sorted.names.toSorted());
  await page.click("#filter button");
  assert.equal(await shown(), 2000);
  assert.deepEqual(page.complaints, []);
});

test("the pages are complete without a script", async (t) => {
  const cloud = await simulate(t, 3, 2);
  const exporter = await serve(t, cloud);
  const page = await browse(t, { script: false });
  await page.goto(exporter.url);
  assert.equal((await page.$$("#clusters tbody tr")).length, 3);
  await page.type("#words", cloud.clusters[1].name);
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  assert.equal((await page.$$("#clusters tbody tr")).length, 1);
  await page.goto(`${exporter.url}/clusters/${cloud.clusters[0].id}`);
  assert.equal((await page.$$("svg.line")).length, cloud.clusters[0].connections.length);
});

test("a keyboard is enough", async (t) => {
  const cloud = await simulate(t, 3, 2);
  const exporter = await serve(t, cloud);
  const page = await browse(t);
  await page.goto(exporter.url);
  await live(page);
  const tabTo = async (selector) => {
    for (let times = 0; times < 40; times += 1) {
      await page.keyboard.press("Tab");
      if (await page.evaluate((wanted) => document.activeElement.matches(wanted), selector)) return;
    }
    assert.fail(`${selector} cannot be reached`);
  };
  await tabTo("#words");
  await page.keyboard.type(cloud.clusters[2].name);
  await tabTo("th button");
  await page.keyboard.press("Space");
  assert.equal(await page.$eval("#clusters th", (head) => head.getAttribute("aria-sort")), "ascending");
  await tabTo("#clusters tbody tr:not([hidden]) a");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  assert.ok(page.url().endsWith(`/clusters/${cloud.clusters[2].id}`), page.url());
});

test("no text becomes markup", async (t) => {
  const cloud = await simulate(t, 1, 1);
  const [{ id }] = cloud.clusters;
  const hostile = { id: HOSTILE, status: HOSTILE, domain_id: HOSTILE, specification_name: HOSTILE, ip: HOSTILE, dns_name: HOSTILE };
  await cloud.control("PUT", `clusters/${id}`, { connections: [{ ...hostile, status: "accepted" }], service_name: HOSTILE });
  const exporter = await serve(t, cloud, { names: [HOSTILE] });
  await become(cloud, id, { [HOSTILE]: "rejected" });
  await exporter.poll(id);
  const page = await browse(t);
  for (const path of ["/", `/clusters/${id}`]) {
    await page.goto(exporter.url + path);
    await live(page);
    assert.ok(await page.evaluate((text) => document.body.textContent.includes(text), HOSTILE), path);
    assert.equal(await page.$("img"), null, path);
  }
  assert.deepEqual(page.complaints, []);
});

test("the pages are accessible, on a phone and in the dark too", async (t) => {
  const cloud = await simulate(t, 3, 4);
  const exporter = await serve(t, cloud);
  await become(cloud, cloud.clusters[0].id, { one: "accepted", two: "pendingAcceptance" });
  await exporter.poll(cloud.clusters[0].id);
  await become(cloud, cloud.clusters[0].id, { one: "rejected", two: "failed" });
  await exporter.poll(cloud.clusters[0].id);
  for (const look of [{}, { width: 390 }, { width: 390, dark: true }]) {
    const page = await browse(t, look);
    for (const path of ["/", `/clusters/${cloud.clusters[0].id}`]) {
      await page.goto(exporter.url + path);
      await live(page);
      assert.deepEqual(await violations(page), [], `${path} ${JSON.stringify(look)}`);
      assert.deepEqual(await tooWide(page), [], `${path} ${JSON.stringify(look)}`);
    }
    assert.deepEqual(page.complaints, []);
  }
  const page = await browse(t);
  const answer = await page.goto(`${exporter.url}/nothing`);
  assert.equal(answer.status(), 404);
  assert.ok(await page.$('a[href="/"]'));
});
