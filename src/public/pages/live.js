"use strict";
// The page is complete without this script. With it, the page follows the exporter: at each event, and twice
// a minute for the ages of the data, it is read again and what differs is put in place.
(() => {
  const main = document.querySelector("main[data-events]");
  if (!main) return;
  const live = document.getElementById("live");
  const table = document.getElementById("clusters");
  const filter = document.getElementById("filter");
  const only = main.dataset.cluster;

  // Makes `from` like `to`, and touches nothing that is the same.
  const patch = (from, to) => {
    if (from.isEqualNode(to)) return;
    if (from.nodeName !== to.nodeName || from.nodeType !== Node.ELEMENT_NODE) {
      from.replaceWith(to);
      return;
    }
    for (const { name } of [...from.attributes]) if (!to.hasAttribute(name)) from.removeAttribute(name);
    for (const { name, value } of to.attributes) if (from.getAttribute(name) !== value) from.setAttribute(name, value);
    const named = new Map([...from.children].filter((child) => child.id).map((child) => [child.id, child]));
    let here = from.firstChild;
    for (const child of [...to.childNodes]) {
      const known = child.id ? named.get(child.id) : here && !here.id && here.nodeName === child.nodeName ? here : null;
      if (!known) { from.insertBefore(child, here); continue; }
      if (known === here) here = here.nextSibling; else from.insertBefore(known, here);
      patch(known, child);
    }
    while (here) { const gone = here; here = here.nextSibling; gone.remove(); }
  };

  // As the exporter writes lengths of time.
  const human = (seconds) => {
    const parts = (unit, rest) => [[Math.floor(seconds / unit[0]), unit[1]], [Math.floor((seconds % unit[0]) / rest[0]), rest[1]]]
      .filter(([count]) => count).map(([count, name]) => `${count}${name}`).join(" ");
    if (seconds < 60) return `${seconds}s`;
    if (seconds < 3600) return parts([60, "m"], [1, "s"]);
    if (seconds < 86400) return parts([3600, "h"], [60, "m"]);
    return seconds < 172800 ? "1 day" : `${Math.floor(seconds / 86400)} days`;
  };
  let ahead = 0; // of this machine's clock, in milliseconds
  const tick = () => {
    const now = Date.now() - ahead;
    for (const time of document.querySelectorAll("time[data-form]")) {
      const seconds = Math.floor((now - Date.parse(time.dateTime)) / 1000);
      const form = time.dataset.form;
      const text = form === "in" ? (seconds < 0 ? `in ${human(-seconds)}` : "now")
        : form === "for" ? `for ${human(Math.max(seconds, 0))}` : `${human(Math.max(seconds, 0))} ago`;
      if (time.textContent !== text) time.textContent = text;
    }
  };

  // The filter and the order that the reader chose.
  let column = -1, direction = 1;
  let texts = new WeakMap(); // of rows, to filter by
  const textOf = (row) => {
    if (!texts.has(row)) texts.set(row, `${row.textContent} ${row.id}`.toLowerCase());
    return texts.get(row);
  };
  const key = (row) => {
    const cell = row.cells[column];
    const time = cell?.querySelector("time");
    if (time) return -Date.parse(time.dateTime);
    const text = cell?.textContent ?? "";
    return /^\d+$/.test(text) ? Number(text) : text.toLowerCase();
  };
  // A browser lays out a few hundred rows at once, and thousands with a pause.
  let most = 250;
  const arrange = () => {
    if (!table) return;
    const words = filter.elements.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const body = table.tBodies[0];
    let rows = [...body.rows];
    if (column >= 0) {
      const compare = (a, b) => typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? 1 : -1;
      const wanted = rows.map((row) => [key(row), row]).sort(([a], [b]) => direction * compare(a, b)).map(([, row]) => row);
      if (wanted.some((row, at) => row !== rows[at])) body.append(...wanted);
      rows = wanted;
    }
    let found = 0;
    for (const row of rows) {
      const text = textOf(row);
      const fits = words.every((word) => text.includes(word));
      const hidden = !fits || found >= most;
      if (fits) found += 1;
      if (row.hidden !== hidden) row.hidden = hidden;
    }
    document.getElementById("found").textContent =
      found > most ? `the first ${most} of ${found}` : words.length ? `${found} of ${rows.length}` : "";
    all.hidden = found <= most;
  };
  const all = document.createElement("button");
  all.type = "button";
  all.textContent = "Show all";
  all.hidden = true;
  all.addEventListener("click", () => { most = Infinity; arrange(); });
  filter?.append(all);

  let wanted = false, reading = false, pause = 400;
  const read = async () => {
    if (reading || document.hidden) { wanted = true; return; }
    reading = true;
    wanted = false;
    const began = performance.now();
    try {
      // The filter works here, so that no row is missing when it is cleared.
      const answer = await fetch(location.pathname, { cache: "no-store", headers: { Accept: "text/html" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const next = page.querySelector("main");
      if (next) {
        const date = Date.parse(answer.headers.get("Date"));
        // The date has whole seconds: what is less is no difference.
        if (date && Math.abs(Date.now() - date - ahead) > 2000) ahead = Date.now() - date;
        // These two are the reader's.
        page.getElementById("filter")?.replaceWith(filter.cloneNode(true));
        page.getElementById("clusters")?.tHead.replaceWith(table.tHead.cloneNode(true));
        patch(main, next);
        texts = new WeakMap();
        arrange();
        tick();
      }
      say(`Live, as of ${new Date(Date.now() - ahead).toISOString().slice(11, 19)} UTC`);
    } catch {
      say("The exporter cannot be reached. This page is old.", true);
    }
    // A large page of a busy fleet must not keep the browser busy.
    pause = Math.max(400, 4 * (performance.now() - began));
    setTimeout(() => { reading = false; if (wanted) read(); }, pause);
  };
  const say = (text, bad) => {
    if (live.textContent !== text) live.textContent = text;
    live.className = bad ? "b bad" : "quiet";
  };

  if (table) {
    [...table.tHead.rows[0].cells].forEach((head, at) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        // Up, down, and back to the order of the exporter.
        if (column !== at) { column = at; direction = 1; } else if (direction === 1) direction = -1; else column = -1;
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        if (column >= 0) head.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
        if (column < 0) read(); else arrange();
      });
    });
    filter.addEventListener("submit", (event) => event.preventDefault());
    filter.addEventListener("input", arrange);
  }

  const events = new EventSource(`/api/v1/events?last_event_id=${main.dataset.events}`);
  const concerns = (event) => { if (!only || JSON.parse(event.data).cluster_id === only) read(); };
  for (const kind of ["transition", "cluster", "gone"]) events.addEventListener(kind, concerns);
  events.addEventListener("reset", read);
  events.addEventListener("open", read);
  events.addEventListener("error", () => say("Not connected: this page may be old. Trying again\u2026", true));
  document.addEventListener("visibilitychange", () => { if (!document.hidden) read(); });
  setInterval(tick, 1000);
  setInterval(read, 30000);
  tick();
  arrange();
})();
