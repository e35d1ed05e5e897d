// The console of the admin listener: from the token to the outcome of a change.

import assert from "node:assert/strict";
import { test } from "node:test";
import { browse, eventually, serve, simulate, tooWide, violations, TOKEN, VIEWER } from "./exporter.js";

const HOSTILE = "<img src=x onerror=alert(1)>";

const enter = async (page, exporter, token) => {
  await page.goto(exporter.admin);
  await page.type("#token", token);
  await page.keyboard.press("Enter");
  await page.waitForSelector("#inside:not([hidden]) #service-list tr");
};
const text = (page, selector) => page.$eval(selector, (one) => one.textContent);
const says = (page, selector, words) =>
  page.waitForFunction((of, wanted) => document.querySelector(of)?.textContent.includes(wanted), {}, selector, words);
/** Reading a service again takes the result before away, and fills the form. */
const isReadAgain = (page) =>
  page.waitForFunction(() => document.getElementById("service-result").childElementCount === 0);
const open = async (page, section) => {
  await page.click(`nav [data-section=${section}]`);
  await page.waitForSelector(`#${section === "trail" ? "trail" : section}:not([hidden])`);
};

/** A cloud with an endpoint service that the exporter may change. */
const cloudWithService = async (test, connections = 3) => {
  const cloud = await simulate(test, 2, connections);
  const [service] = await servicesOf(cloud);
  cloud.services = [{ id: service.id, name: "logs-endpoint" }];
  return cloud;
};
const servicesOf = async (cloud) => {
  const all = await (await fetch(`${cloud.cloud}/__sim/services`)).json();
  return all.services ?? all;
};

test("a service is changed by the form", async (t) => {
  const cloud = await cloudWithService(t);
  const exporter = await serve(t, cloud);
  const page = await browse(t);
  await enter(page, exporter, TOKEN);
  assert.match(await text(page, "#name"), /oncall \(editor\)/);
  await page.click("#service-list button");
  await page.waitForSelector("#service:not([hidden])");
  assert.deepEqual(await violations(page), []);

  // A plan of nothing is refused, with its reason.
  await page.click("#plan");
  await says(page, "#service-result", "422");

  const before = await page.$$eval("#ports tr", (rows) => rows.length);
  await page.click("#add-port");
  const inputs = await page.$$("#ports tr:last-child input");
  await inputs[0].type("9999");
  await inputs[1].type("9998");
  assert.match(await page.$eval("#body", (area) => area.value), /"client_port": 9999/);
  await page.click("#plan");
  await says(page, "#service-result", "This was a plan");
  assert.match(await text(page, "#service-result"), /\+ 9999 \u2192 9998\/TCP/);

  // Asked, and not meant.
  await page.click("#apply");
  await page.waitForSelector("#ask[open]");
  assert.match(await text(page, "#question"), /prod\/logs-endpoint/);
  await page.keyboard.press("Escape");
  await page.waitForSelector("#ask:not([open])");
  assert.ok(!(await text(page, "#service-result")).includes("Done"));

  await page.click("#apply");
  await page.waitForSelector("#ask[open]");
  await page.click("#yes");
  await says(page, "#service-result", "Done");
  const after = (await servicesOf(cloud))[0].ports;
  assert.equal(after.length, before + 1);

  // The mapping that is removed is named.
  await page.click("#reset");
  await isReadAgain(page);
  assert.equal(await page.$$eval("#ports tr", (rows) => rows.length), before + 1);
  await page.click("#ports tr:last-child button");
  await page.click("#plan");
  await says(page, "#service-result", "removed");
  assert.match(await text(page, "#service-result"), /- 9999 \u2192 9998\/TCP/);

  await open(page, "trail");
  await says(page, "#changes", "prod/logs-endpoint");
  assert.match(await text(page, "#changes"), /oncall.*applied/s);
  await page.type("#words", "nobody");
  assert.equal(await page.$$eval("#changes tr", (rows) => rows.filter((row) => !row.hidden).length), 0);
  assert.deepEqual(page.complaints.filter((one) => !one.includes("422")), []);
});

test("a change of a service that has moved is refused and said", async (t) => {
  const cloud = await cloudWithService(t);
  const exporter = await serve(t, cloud);
  const page = await browse(t);
  await enter(page, exporter, TOKEN);
  await page.click("#service-list button");
  await page.waitForSelector("#service:not([hidden])");
  await page.$eval("[name=description]", (input) => { input.value = ""; });
  await page.type("[name=description]", "by the console");
  await page.click("#plan");
  await page.waitForSelector("#apply:not([hidden])");
  // Somebody else is faster.
  const headers = { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json", "If-Match": "*" };
  const path = `${exporter.admin}/api/v1/endpoint-services/prod/logs-endpoint`;
  const other = await fetch(path, { method: "PUT", headers, body: JSON.stringify({ description: "by another" }) });
  assert.equal(other.status, 200);
  await page.click("#apply");
  await page.waitForSelector("#ask[open]");
  await page.click("#yes");
  await says(page, "#service-result", "It has changed since you looked");
  assert.match(await text(page, "#facts"), /by another/);

  const change = async (description, faults) => {
    await page.click("#reset");
    await isReadAgain(page);
    await page.$eval("[name=description]", (input) => { input.value = ""; });
    await page.type("[name=description]", description);
    await page.click("#plan");
    await page.waitForSelector("#apply:not([hidden])");
    await cloud.control("PUT", "faults", { faults });
    await page.click("#apply");
    await page.waitForSelector("#ask[open]");
    await page.click("#yes");
    await page.waitForSelector("#service-result .box");
  };
  await change("refused", [{ name: "forbidden-state", operation: "vpcep_update" }]);
  await says(page, "#service-result", "The cloud refused it: nothing changed.");
  await says(page, "#service-result", "EndPoint.3045");
  await cloud.control("PUT", "faults", { faults: [] });

  await change("hidden", [
    { name: "applied-then-reset", operation: "vpcep_update" },
    { name: "reset", operation: "vpcep_service", after: 1 },
  ]);
  await says(page, "#service-result", "do not repeat it");
  assert.match(await text(page, "#service-result"), /Trying again is not safe/);
});

test("a rejected connection is accepted", async (t) => {
  const cloud = await cloudWithService(t);
  const [{ id }] = cloud.clusters;
  await cloud.control("PUT", `clusters/${id}`, { connections: [
    { id: "one", status: "rejected" }, { id: "two", status: "accepted", domain_id: HOSTILE },
  ] });
  const exporter = await serve(t, cloud);
  const page = await browse(t);
  await enter(page, exporter, TOKEN);
  await open(page, "connections");
  await page.select("#cluster", id);
  await says(page, "#connection-list", HOSTILE);
  assert.match(await text(page, "#connection-list tr"), /rejected.*one/, "it comes first");
  assert.deepEqual(await violations(page), []);
  assert.ok(await page.$eval("#accept", (button) => button.disabled), "nothing is chosen");
  // By the keyboard alone.
  await page.focus("#connection-list input");
  await page.keyboard.press("Space");
  await page.focus("#accept");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#ask[open]");
  assert.match(await text(page, "#ask"), /Accept 1 connection of prod\/.*one: rejected \u2192 accepted/s);
  await page.focus("#yes");
  await page.keyboard.press("Enter");
  await says(page, "#connection-result", "Done");
  await eventually("the cloud has accepted it", async () => {
    const world = await cloud.world();
    const cluster = world.clusters.find((one) => one.id === id);
    return cluster.connections.every((one) => one.status === "accepted");
  });
  await open(page, "trail");
  await says(page, "#changes", "one");
  assert.deepEqual(page.complaints, []);
  assert.equal(await page.$("img"), null);
});

test("a viewer sees no button that would be refused", async (t) => {
  const cloud = await cloudWithService(t);
  const exporter = await serve(t, cloud);
  const page = await browse(t, { width: 390, dark: true });
  await enter(page, exporter, VIEWER);
  assert.match(await text(page, "#name"), /may plan, not change/);
  await page.click("#service-list button");
  await page.waitForSelector("#service:not([hidden])");
  await page.type("[name=description]", "x");
  await page.click("#plan");
  await says(page, "#service-result", "This was a plan");
  assert.ok(await page.$eval("#apply", (button) => button.hidden));
  assert.deepEqual(await tooWide(page), []);
  assert.deepEqual(await violations(page), []);
  await open(page, "connections");
  await page.waitForSelector("#connection-list input");
  assert.ok(await page.$eval("#accept", (button) => button.hidden) && await page.$eval("#reject", (button) => button.hidden));
  assert.deepEqual(page.complaints, []);
});

test("a wrong token is told", async (t) => {
  const cloud = await simulate(t, 1, 1);
  const exporter = await serve(t, cloud);
  const page = await browse(t);
  await page.goto(exporter.admin);
  assert.deepEqual(await violations(page), []);
  await page.type("#token", "wrong");
  await page.keyboard.press("Enter");
  await says(page, "#notice", "401");
  assert.ok(await page.$eval("#inside", (one) => one.hidden));
});
