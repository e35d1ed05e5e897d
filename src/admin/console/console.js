"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  let token = "";
  let editor = false;
  let picked = null; // the service: { path, title, region, etag, service, original }
  let planned = null; // the text that was planned, and the tag of the state it was planned on
  let shown = null; // the cluster: { id, title, region, connections }

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
  // Characters that end a line, move a terminal or turn the direction of text are escaped: a value cannot
  // look like more than one.
  const plain = (text) => String(text).replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu,
    (odd) => (odd === "\n" ? "\\n" : `\\u{${odd.codePointAt(0).toString(16)}}`));
  const show = (value) => plain(typeof value === "string" ? value : JSON.stringify(value));
  const port = (p) => `${p.client_port} \u2192 ${p.server_port}/${plain(p.protocol)}`;
  const empty = (body, text, columns) => {
    if (body.children.length) return;
    const row = make("tr");
    cell(row, text, "quiet");
    row.firstChild.colSpan = columns;
    body.append(row);
  };
  const badge = (word, good) => make("span", word, good ? "b good" : "b bad");
  const seconds = (date) => date?.replace(/\.\d+Z$/, "Z").replace("T", " ") ?? "\u2013";

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
    try { await work(event); } catch (error) { notice(`The exporter cannot be reached: ${error.message}`); }
  };
  // A change may take 50 seconds: the page says that it is under way, and for how long.
  const during = async (place, what, buttons, work) => {
    const text = make("p", `${what}\u2026`);
    at(place).replaceChildren(text);
    const began = Date.now();
    const clock = setInterval(() => { text.textContent = `${what}\u2026 ${Math.round((Date.now() - began) / 1000)} s of at most 50 s`; }, 1000);
    for (const button of buttons) at(button).disabled = true;
    try { return await work(); } finally {
      clearInterval(clock);
      for (const button of buttons) at(button).disabled = false;
      text.remove();
    }
  };
  const ask = (question, effects, yes) => new Promise((answered) => {
    at("question").textContent = question;
    at("effects").replaceChildren(...effects);
    at("yes").textContent = yes;
    at("ask").returnValue = "no";
    at("ask").addEventListener("close", () => answered(at("ask").returnValue === "yes"), { once: true });
    at("ask").showModal();
  });

  // Services

  const services = async () => {
    const answer = await call("GET", "/api/v1/endpoint-services");
    if (!answer.ok) { notice(refusal(answer)); return false; }
    const body = at("service-list");
    body.replaceChildren();
    for (const known of answer.json.endpoint_services) {
      const row = make("tr");
      const path = `/api/v1/endpoint-services/${encodeURIComponent(known.project)}/${encodeURIComponent(known.service_id)}`;
      const button = make("button", `${known.project}/${known.name}`, "link");
      button.type = "button";
      button.addEventListener("click", run(() => pick(path)));
      cell(row, button);
      const status = known.service?.status ?? "not read yet";
      cell(row, known.up === false ? badge(`${status}, last reading failed`, false) : badge(status, status === "available"));
      cell(row, seconds(known.last_success), "quiet when");
      if (picked?.path === path) row.className = "picked";
      row.dataset.path = path;
      body.append(row);
    }
    empty(body, "This token covers no endpoint service.", 3);
    return true;
  };

  const pick = async (path) => {
    const answer = await call("GET", path);
    if (!answer.ok) { notice(refusal(answer)); return; }
    const { project, name, region_id: region, service } = answer.json;
    picked = { path, title: `${project}/${name}`, region, etag: answer.etag, service };
    for (const row of at("service-list").children) row.className = row.dataset.path === path ? "picked" : "";
    at("service-title").textContent = picked.title;
    at("service").hidden = false;
    at("service-result").replaceChildren();
    facts();
    fill(original());
    at("body").value = "{}";
    forget();
  };

  const facts = () => {
    const list = [["Region", picked.region], ...Object.entries(picked.service)].map(([name, value]) => {
      const block = make("div");
      const text = name === "ports" && Array.isArray(value) ? value.map(port).join(", ") || "none" : value === null ? "\u2013" : show(value);
      block.append(make("dt", name), make("dd", text));
      return block;
    });
    at("facts").replaceChildren(...list);
  };

  // The state as a change would write it: the full name is region.name.id, and a change takes the name alone.
  const original = () => {
    const { approval_enabled, service_name, description, tcp_proxy, port_id, ip, ports } = picked.service;
    const name = service_name?.includes(".") ? service_name.split(".").slice(1, -1).join(".") : service_name;
    return { approval_enabled, service_name: name, description, tcp_proxy, port_id, ip, ports: ports ?? [] };
  };
  const TEXTS = ["service_name", "description", "tcp_proxy", "port_id", "ip"];
  const control = (name) => at("fields").elements[name];

  const fill = (state) => {
    control("approval_enabled").checked = Boolean(state.approval_enabled);
    for (const name of TEXTS) control(name).value = state[name] ?? "";
    at("ports").replaceChildren();
    for (const one of state.ports ?? []) addPort(one);
  };
  const addPort = ({ client_port = "", server_port = "", protocol = "TCP" } = {}) => {
    const row = make("tr");
    for (const [label, value] of [["Client port", client_port], ["Server port", server_port]]) {
      const input = make("input");
      Object.assign(input, { type: "number", min: 1, max: 65535, required: true, value, ariaLabel: label });
      cell(row, input);
    }
    const select = make("select");
    for (const word of ["TCP", "UDP"]) select.append(make("option", word));
    select.value = protocol;
    select.ariaLabel = "Protocol";
    cell(row, select);
    const remove = make("button", "Remove");
    remove.type = "button";
    remove.addEventListener("click", () => { row.remove(); write(); });
    cell(row, remove);
    at("ports").append(row);
  };
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const filled = () => {
    const ports = [...at("ports").rows].map((row) => {
      const [client, server, protocol] = row.querySelectorAll("input, select");
      return { client_port: Number(client.value), server_port: Number(server.value), protocol: protocol.value };
    });
    const texts = Object.fromEntries(TEXTS.map((name) => [name, control(name).value]));
    return { approval_enabled: control("approval_enabled").checked, ...texts, ports };
  };
  // The form was changed: the JSON has the fields that differ from the present state.
  const write = () => {
    const before = original();
    const normal = (name, value) => (name === "ports" ? value.map(port) : TEXTS.includes(name) ? value ?? "" : Boolean(value));
    const wanted = Object.entries(filled()).filter(([name, value]) => !same(normal(name, value), normal(name, before[name])));
    at("body").value = JSON.stringify(Object.fromEntries(wanted), null, 2);
    forget();
  };
  // The JSON was changed: the form follows as far as it can be read.
  const readBack = () => {
    forget();
    try {
      const wanted = JSON.parse(at("body").value);
      if (wanted && typeof wanted === "object") fill({ ...original(), ...wanted });
    } catch { /* it is being written */ }
  };
  const forget = () => { planned = null; at("apply").hidden = true; };

  // The difference of a field, and in words what a removed port means.
  const difference = (change) => {
    const block = make("div");
    block.append(make("strong", change.field));
    if (change.field === "ports" && Array.isArray(change.from) && Array.isArray(change.to)) {
      const to = new Set(change.to.map(port));
      const from = new Set(change.from.map(port));
      const gone = [...from].filter((one) => !to.has(one));
      for (const one of gone) block.append(make("pre", `- ${one}`, "gone"));
      for (const made of to) if (!from.has(made)) block.append(make("pre", `+ ${made}`, "new"));
      if (gone.length) block.append(make("p", `${gone.length === 1 ? "One port mapping is removed: its clients are" : `${gone.length} port mappings are removed: their clients are`} cut off.`, "box warn"));
    } else {
      block.append(make("pre", `- ${show(change.from)}`, "gone"), make("pre", `+ ${show(change.to)}`, "new"));
    }
    return block;
  };
  const moves = (connections) => connections.map((one) => {
    const line = make("pre", `${plain(one.endpoint_id)}: ${plain(one.from)} \u2192 ${plain(one.to)}`);
    if (one.outcome) line.append(" ", badge(one.outcome, ["applied", "unchanged", "planned"].includes(one.outcome)));
    return line;
  });

  const MEANING = {
    planned: "This was a plan: nothing was sent.",
    unchanged: "Everything already matched: nothing was sent.",
    applied: "Done: reading back confirms it.",
    not_applied: "It was sent, and reading back shows the old state.",
    partial: "Only a part of it was done.",
    unknown: "It was sent, and its outcome is unknown. Read again before anything else; do not repeat it.",
    rejected: "The cloud refused it: nothing changed.",
    not_sent: "Nothing was sent: nothing changed.",
  };
  const result = (place, answer) => {
    const json = answer.json;
    const box = make("div", undefined, `box ${answer.ok ? "good" : json.outcome === "unknown" ? "warn" : "bad"}`);
    box.append(make("p", json.outcome ? `${MEANING[json.outcome] ?? json.outcome}` : refusal(answer)));
    if (json.outcome && !answer.ok) box.append(make("p", refusal(answer)));
    if (answer.status === 412) box.append(make("p", "It has changed since you looked. Read it again, then plan again.", "box warn"));
    for (const error of json.errors ?? []) box.append(make("pre", `${error.pointer || "/"}  ${error.message}`, "gone"));
    for (const change of json.diff ?? []) box.append(difference(change));
    box.append(...moves(json.connections ?? []));
    for (const warning of json.warnings ?? []) box.append(make("p", warning, "box warn"));
    if (json.sent !== undefined && !answer.ok) box.append(make("p", `Trying again is ${json.safe_to_retry ? "safe" : "not safe before you have read it again"}.`));
    if (json.cloud) box.append(make("p", `The cloud: ${[json.cloud.status, json.cloud.code, json.cloud.message, json.cloud.request_id && `request ${json.cloud.request_id}`].filter(Boolean).join(", ")}`));
    if (json.change_id) box.append(make("p", `Change ${json.change_id}`, "quiet"));
    at(place).replaceChildren(box);
  };

  const plan = async () => {
    forget();
    const text = at("body").value;
    const current = await call("GET", picked.path);
    if (!current.ok) { result("service-result", current); return; }
    Object.assign(picked, { etag: current.etag, service: current.json.service });
    facts();
    const answer = await call("PUT", `${picked.path}?dry_run=true`, { body: text });
    result("service-result", answer);
    if (answer.ok && answer.json.diff.length && editor) {
      planned = { text, etag: current.etag, diff: answer.json.diff };
      at("apply").hidden = false;
    }
  };

  const apply = async () => {
    const { text, etag, diff } = planned;
    const question = `Change ${picked.title} in ${picked.region}, by ${location.host}?`;
    if (!await ask(question, diff.map(difference), `Change ${picked.title}`)) return;
    forget();
    const answer = await during("service-result", "Sent; reading back", ["plan", "reset"], () =>
      call("PUT", picked.path, { body: text, headers: { "If-Match": etag } }));
    result("service-result", answer);
    const now = answer.json.after ?? answer.json.current;
    if (now) { picked.service = now; facts(); }
    await services();
  };

  // Connections

  const clusters = async () => {
    const answer = await call("GET", "/api/v1/clusters");
    if (!answer.ok) { notice(refusal(answer)); return; }
    const options = answer.json.clusters.map((one) => {
      const option = make("option", `${one.project}/${one.cluster_name}`);
      option.value = one.cluster_id;
      return option;
    });
    at("cluster").replaceChildren(...options);
    if (options.length) await connections(); else empty(at("connection-list"), "This token covers no cluster.", 5);
  };
  const connections = async () => {
    const id = at("cluster").value;
    const answer = await call("GET", `/api/v1/clusters/${encodeURIComponent(id)}/connections`);
    if (!answer.ok) { notice(refusal(answer)); return; }
    const { project, cluster_name, region_id: region } = answer.json;
    shown = { id, title: `${project}/${cluster_name}`, region, connections: answer.json.connections };
    const order = ["rejected", "pendingAcceptance", "failed"];
    const urgency = (one) => (order.indexOf(one.status) + 1) || 9;
    const body = at("connection-list");
    body.replaceChildren();
    for (const one of shown.connections.toSorted((a, b) => urgency(a) - urgency(b))) {
      const row = make("tr");
      const box = make("input");
      Object.assign(box, { type: "checkbox", value: one.endpoint_id, ariaLabel: `Choose ${one.endpoint_id}` });
      box.addEventListener("change", chosen);
      cell(row, box);
      cell(row, badge(one.status, one.status === "accepted"));
      cell(row, make("code", one.endpoint_id));
      cell(row, one.ip ?? one.dns_name ?? "");
      cell(row, make("code", one.domain_id ?? ""));
      body.append(row);
    }
    empty(body, "The cluster has no connections.", 5);
    chosen();
  };
  const chosen = () => {
    const ids = new Set([...at("connection-list").querySelectorAll(":checked")].map((box) => box.value));
    const all = shown.connections.filter((one) => ids.has(one.endpoint_id));
    for (const button of ["accept", "reject"]) {
      at(button).hidden = !editor;
      at(button).disabled = !all.length || all.length > 100;
    }
    return all;
  };
  const decide = (action) => async () => {
    const wanted = { action, connections: chosen().map(({ endpoint_id, status }) => ({ endpoint_id, status })) };
    const path = `/api/v1/clusters/${encodeURIComponent(shown.id)}/connections`;
    const body = JSON.stringify(wanted);
    const planned = await call("POST", `${path}?dry_run=true`, { body });
    if (!planned.ok || planned.json.outcome === "unchanged") { result("connection-result", planned); return; }
    const verb = action === "accept" ? "Accept" : "Reject";
    const count = wanted.connections.length;
    const question = `${verb} ${count} connection${count > 1 ? "s" : ""} of ${shown.title} in ${shown.region}, by ${location.host}?`;
    if (!await ask(question, moves(planned.json.connections ?? []), verb)) return;
    const answer = await during("connection-result", "Sent; reading back", ["accept", "reject"], () => call("POST", path, { body }));
    result("connection-result", answer);
    await connections();
  };
  const poll = async () => {
    at("polled").textContent = "Polling\u2026";
    const answer = await call("POST", `/api/v1/clusters/${encodeURIComponent(shown.id)}/poll`);
    if (!answer.ok) { at("polled").textContent = refusal(answer); return; }
    const counts = Object.entries(answer.json.connections).filter(([, n]) => n).map(([status, n]) => `${n} ${status}`);
    at("polled").textContent = answer.json.up
      ? `${answer.json.cluster_name}: ${counts.join(", ") || "no connections"}`
      : `${answer.json.cluster_name}: ${answer.json.last_error?.message ?? "the poll failed"}`;
    await connections();
  };

  // The trail

  const changes = async () => {
    const answer = await call("GET", "/api/v1/changes?limit=200");
    const body = at("changes");
    body.replaceChildren();
    if (!answer.ok) { empty(body, refusal(answer), 5); return; }
    for (const change of answer.json.changes) {
      const record = change.outcome ?? change.intent ?? {};
      const outcome = change.outcome?.outcome ?? "not known yet";
      const of = change.intent ?? change.outcome ?? {};
      const row = make("tr");
      row.id = change.change_id;
      row.dataset.kind = change.cluster_id ? "connections" : "service";
      const link = make("a", seconds(record.time), "when");
      link.href = `#${change.change_id}`;
      link.title = `Change ${change.change_id}`;
      cell(row, link);
      const name = change.cluster_name ?? change.service_name ?? change.cluster_id ?? change.service_id;
      cell(row, `${change.project}/${name}`);
      cell(row, record.actor);
      cell(row, badge(outcome, ["applied", "unchanged"].includes(outcome)));
      const details = make("details");
      const diff = of.diff ?? [];
      const words = Array.isArray(diff) ? diff.map((one) => one.field ?? one.endpoint_id).join(", ") : "";
      details.append(make("summary", words || "records"), make("pre", JSON.stringify([change.intent, change.outcome].filter(Boolean), null, 2)));
      cell(row, details);
      body.append(row);
    }
    empty(body, "No change was made yet.", 5);
    filter();
  };
  const filter = () => {
    const words = at("words").value.toLowerCase().split(/\s+/).filter(Boolean);
    const kind = at("kind").value;
    for (const row of at("changes").rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = (kind && row.dataset.kind !== kind) || !words.every((word) => text.includes(word));
    }
  };

  const sections = { services, connections: clusters, trail: changes };
  const open = async (name) => {
    for (const button of document.querySelectorAll("nav button")) {
      if (button.dataset.section === name) button.setAttribute("aria-current", "true"); else button.removeAttribute("aria-current");
      at(button.dataset.section).hidden = button.dataset.section !== name;
    }
    await sections[name]();
  };

  at("enter").addEventListener("submit", run(async () => {
    token = at("token").value.trim();
    at("token").value = "";
    const answer = await call("GET", "/api/v1/whoami");
    if (!answer.ok) { token = ""; notice(refusal(answer)); return; }
    editor = answer.json.role === "editor";
    at("name").textContent = `${answer.json.name} (${answer.json.role}${editor ? "" : ": may plan, not change"})`;
    at("enter").hidden = true;
    at("who").hidden = at("inside").hidden = false;
    await open("services");
  }));
  at("leave").addEventListener("click", () => location.reload());
  for (const button of document.querySelectorAll("nav button")) button.addEventListener("click", run(() => open(button.dataset.section)));
  at("reset").addEventListener("click", run(() => pick(picked.path)));
  at("add-port").addEventListener("click", () => { addPort(); write(); });
  at("fields").addEventListener("input", (event) => (event.target === at("body") ? readBack() : write()));
  at("fields").addEventListener("submit", run(plan));
  at("apply").addEventListener("click", run(apply));
  at("cluster").addEventListener("change", run(connections));
  at("accept").addEventListener("click", run(decide("accept")));
  at("reject").addEventListener("click", run(decide("reject")));
  at("poll").addEventListener("click", run(poll));
  at("words").addEventListener("input", filter);
  at("kind").addEventListener("change", filter);
  at("refresh").addEventListener("click", run(changes));
})();
