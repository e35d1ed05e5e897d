"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const CHANGEABLE = ["approval_enabled", "service_name", "ports", "port_id", "tcp_proxy", "description", "ip"];
  let token = "";
  let picked = null; // { path, etag, service }
  let planned = null; // the text that was planned, and the tag of the state it was planned on

  // The one way to make an element: whatever is text stays text.
  const make = (name, text, className) => {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    if (className) element.className = className;
    return element;
  };
  const cell = (row, content, className) => {
    const td = make("td", undefined, className);
    td.append(content instanceof Node ? content : document.createTextNode(content ?? ""));
    row.append(td);
  };
  // What ends a line, moves a terminal or turns the direction is escaped: a value cannot look like more than one.
  const plain = (text) => String(text).replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu,
    (odd) => (odd === "\n" ? "\\n" : `\\u{${odd.codePointAt(0).toString(16)}}`));
  const show = (value) => plain(typeof value === "string" ? value : JSON.stringify(value));
  const port = (p) => `${p.client_port} \u2192 ${p.server_port}/${plain(p.protocol)}`;

  const notice = (text) => {
    at("notice").textContent = text;
    at("notice").hidden = !text;
  };

  const call = async (method, path, { body, headers = {} } = {}) => {
    const options = { method, headers: { Authorization: `Bearer ${token}`, ...headers }, cache: "no-store" };
    if (body !== undefined) {
      options.body = body;
      options.headers["Content-Type"] = "application/json";
    }
    const answer = await fetch(path, options);
    let json = null;
    try { json = await answer.json(); } catch { /* the status says enough */ }
    return { ok: answer.ok, status: answer.status, etag: answer.headers.get("ETag"), json: json ?? {} };
  };
  const refusal = (answer) => `${answer.status}: ${answer.json.detail ?? answer.json.title ?? "no reason given"}`;
  // Runs what a button asks for; nothing that goes wrong is silent.
  const run = (work) => async (event) => {
    event?.preventDefault();
    notice("");
    try { await work(); } catch (error) { notice(`The exporter cannot be reached: ${error.message}`); }
  };

  const services = async () => {
    const answer = await call("GET", "/api/v1/endpoint-services");
    if (!answer.ok) { notice(refusal(answer)); return false; }
    const body = at("services");
    body.replaceChildren();
    for (const known of answer.json.endpoint_services) {
      const row = make("tr");
      const path = `/api/v1/endpoint-services/${encodeURIComponent(known.project)}/${encodeURIComponent(known.service_id)}`;
      const button = make("button", `${known.project}/${known.name}`);
      button.type = "button";
      button.addEventListener("click", run(() => pick(path, `${known.project}/${known.name}`)));
      cell(row, button);
      const status = known.service?.status ?? "not read yet";
      cell(row, make("span", known.up === false ? `${status}, last reading failed` : status,
        known.up === false ? "b bad" : status === "available" ? "b good" : "b"));
      cell(row, known.last_success?.replace(/\.\d+Z$/, "Z") ?? "\u2013", "quiet when");
      if (picked?.path === path) row.className = "picked";
      row.dataset.path = path;
      body.append(row);
    }
    if (!body.children.length) {
      const row = make("tr");
      cell(row, "This token may see no endpoint service.", "quiet");
      body.append(row);
    }
    return true;
  };

  const pick = async (path, title) => {
    const answer = await call("GET", path);
    if (!answer.ok) { notice(refusal(answer)); return; }
    picked = { path, title, etag: answer.etag, service: answer.json.service };
    for (const row of at("services").children) row.className = row.dataset.path === path ? "picked" : "";
    at("one-title").textContent = title;
    at("one").hidden = false;
    at("result").replaceChildren();
    fields();
    reset();
  };

  const fields = () => {
    const body = at("fields");
    body.replaceChildren();
    for (const [name, value] of Object.entries(picked.service)) {
      const row = make("tr");
      const head = make("th", name);
      head.scope = "row";
      row.append(head);
      if (name === "ports" && Array.isArray(value)) cell(row, make("pre", value.map(port).join("\n") || "none"));
      else cell(row, value === null ? "\u2013" : show(value));
      body.append(row);
    }
  };

  const reset = () => {
    const wanted = {};
    for (const name of CHANGEABLE) {
      const value = picked.service[name];
      if (value === null || value === undefined) continue;
      // The full name is region.name.id; a change takes the name alone.
      wanted[name] = name === "service_name" && value.includes(".") ? value.split(".").slice(1, -1).join(".") : value;
    }
    at("body").value = JSON.stringify(wanted, null, 2);
    forget();
  };
  const forget = () => { planned = null; at("apply").disabled = true; };

  const difference = (change) => {
    const block = make("div");
    block.append(make("strong", change.field));
    if (change.field === "ports" && Array.isArray(change.from) && Array.isArray(change.to)) {
      const to = new Set(change.to.map(port));
      const from = new Set(change.from.map(port));
      for (const gone of from) if (!to.has(gone)) block.append(make("pre", `- ${gone}   REMOVED`, "gone"));
      for (const made of to) if (!from.has(made)) block.append(make("pre", `+ ${made}`, "new"));
    } else {
      block.append(make("pre", `- ${show(change.from)}`, "gone"), make("pre", `+ ${show(change.to)}`, "new"));
    }
    return block;
  };

  const result = (answer) => {
    const json = answer.json;
    const box = make("div", undefined, `box ${answer.ok ? "good" : "bad"}`);
    box.append(make("p", answer.ok ? `Outcome: ${json.outcome}` : `${json.outcome ? `Outcome: ${json.outcome}. ` : ""}${refusal(answer)}`));
    for (const error of json.errors ?? []) box.append(make("pre", `${error.pointer || "/"}  ${error.message}`, "gone"));
    for (const change of json.diff ?? []) box.append(difference(change));
    if (answer.ok && json.diff?.length === 0) box.append(make("p", "Everything is as wanted already."));
    for (const warning of json.warnings ?? []) box.append(make("p", warning, "box warn"));
    if (json.sent !== undefined) {
      box.append(make("p", `${json.sent ? "A request went to the cloud" : "Nothing was sent to the cloud"}; trying again is ${json.safe_to_retry ? "safe" : "not safe before you have read the service again"}.`, "quiet"));
    }
    if (json.cloud) box.append(make("p", `The cloud: ${[json.cloud.status, json.cloud.code, json.cloud.message, json.cloud.request_id && `request ${json.cloud.request_id}`].filter(Boolean).join(", ")}`, "quiet"));
    if (json.change_id) box.append(make("p", `Change ${json.change_id}`, "quiet"));
    at("result").replaceChildren(box);
  };

  const plan = async () => {
    forget();
    const text = at("body").value;
    const current = await call("GET", picked.path);
    if (!current.ok) { result(current); return; }
    picked.etag = current.etag;
    picked.service = current.json.service;
    fields();
    const answer = await call("PUT", `${picked.path}?dry_run=true`, { body: text });
    result(answer);
    if (answer.ok && answer.json.diff.length) {
      planned = { text, etag: current.etag };
      at("apply").disabled = false;
    }
  };

  const apply = async () => {
    if (!planned || planned.text !== at("body").value) { forget(); notice("Plan it again: the text was changed."); return; }
    const { text, etag } = planned;
    forget();
    const answer = await call("PUT", picked.path, { body: text, headers: { "If-Match": etag } });
    result(answer);
    const now = answer.json.after ?? answer.json.current;
    if (now) { picked.service = now; fields(); }
    await changes();
    await services();
  };

  const changes = async () => {
    const answer = await call("GET", "/api/v1/changes?limit=50");
    const body = at("changes");
    body.replaceChildren();
    if (!answer.ok) {
      const row = make("tr");
      cell(row, refusal(answer), "quiet");
      body.append(row);
      return;
    }
    for (const change of answer.json.changes) {
      const record = change.outcome ?? change.intent ?? {};
      const diff = change.intent?.diff ?? change.outcome?.diff;
      const outcome = change.outcome?.outcome ?? "not known yet";
      const row = make("tr");
      cell(row, record.time, "quiet when");
      cell(row, `${change.project}/${change.service_id ?? change.cluster_id}`);
      cell(row, record.actor);
      cell(row, make("span", outcome, ["applied", "unchanged", "planned"].includes(outcome) ? "b good" : "b bad"));
      cell(row, (Array.isArray(diff) ? diff : []).map((one) => one.field).join(", "));
      cell(row, make("code", change.change_id));
      body.append(row);
    }
    if (!body.children.length) {
      const row = make("tr");
      cell(row, "No change was made yet.", "quiet");
      body.append(row);
    }
  };

  const everything = async () => {
    if (!await services()) return false;
    await changes();
    return true;
  };

  at("enter").addEventListener("submit", run(async () => {
    token = at("token").value.trim();
    at("token").value = "";
    if (await everything()) { at("enter").hidden = true; at("inside").hidden = false; } else { token = ""; }
  }));
  at("leave").addEventListener("click", () => location.reload());
  at("refresh").addEventListener("click", run(everything));
  at("reset").addEventListener("click", run(() => pick(picked.path, picked.title)));
  at("body").addEventListener("input", forget);
  at("plan").addEventListener("click", run(plan));
  at("apply").addEventListener("click", run(apply));
  at("poll").addEventListener("submit", run(async () => {
    const id = at("cluster").value.trim();
    at("polled").textContent = "Polling\u2026";
    const answer = await call("POST", `/api/v1/clusters/${encodeURIComponent(id)}/poll`);
    if (!answer.ok) { at("polled").textContent = refusal(answer); return; }
    const counts = Object.entries(answer.json.connections).filter(([, n]) => n).map(([status, n]) => `${n} ${status}`);
    at("polled").textContent = answer.json.up
      ? `${answer.json.cluster_name}: ${counts.join(", ") || "no connections"}`
      : `${answer.json.cluster_name}: ${answer.json.last_error?.message ?? "the poll failed"}`;
  }));
})();
