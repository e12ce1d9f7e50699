"use strict";
// What the host tells becomes text nodes and attributes only: names, statements and causes are made by programs that nobody here trusts.

const INTERVAL_MS = 1000;
const HISTORY = 60;
const KEY = "aro-admin-token";
const find = (id) => document.getElementById(id);

let before = null;
let beforeDetail = null;
let history = new Map();
let timer = 0;
let turn = 0;

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.map((child) => (child instanceof Node ? child : document.createTextNode(child))));
  return made;
}

function number(value) {
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)} M`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(1)} k`;
  return value >= 100 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1);
}

function bytes(value) {
  let unit = 0;
  while (value >= 1024 && unit < 4) { value /= 1024; unit += 1; }
  return `${unit && value < 100 ? value.toFixed(1) : Math.round(value)} ${["B", "KiB", "MiB", "GiB", "TiB"][unit]}`;
}

function time(microseconds) {
  if (microseconds === null) return "–";
  if (microseconds < 1000) return `${Math.round(microseconds)} µs`;
  if (microseconds < 1e6) return `${(microseconds / 1000).toFixed(microseconds < 1e4 ? 1 : 0)} ms`;
  return `${(microseconds / 1e6).toFixed(1)} s`;
}

function span(seconds) {
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  return hours ? `${hours} h ${minutes} min` : minutes ? `${minutes} min` : `${Math.floor(seconds)} s`;
}

// Where a bucket ends, in microseconds: one for less than 1 µs, then two for each power of two.
function end(bucket) {
  if (bucket < 1) return bucket < 0 ? 0 : 1;
  const begin = 2 ** Math.floor((bucket - 1) / 2);
  return begin + (begin / 2) * (1 + ((bucket - 1) % 2));
}

// What has been counted since, by bucket.
function since(now, old) {
  const counts = new Map();
  now.counts.forEach((count, place) => counts.set(now.first + place, count));
  if (old) old.counts.forEach((count, place) => {
    const bucket = old.first + place;
    counts.set(bucket, Math.max(0, (counts.get(bucket) ?? 0) - count));
  });
  return counts;
}

function quantile(counts, part) {
  const rows = [...counts].filter(([, count]) => count > 0).sort(([a], [b]) => a - b);
  const all = rows.reduce((sum, [, count]) => sum + count, 0);
  let below = 0;
  for (const [bucket, count] of rows) {
    if (below + count >= part * all) {
      const begin = end(bucket - 1);
      return begin + (end(bucket) - begin) * ((part * all - below) / count);
    }
    below += count;
  }
  return null;
}

function trend(values) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "trend");
  svg.setAttribute("viewBox", "0 0 100 30");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const top = Math.max(1e-9, ...values);
  const at = (value, place) => `${(100 - (values.length - 1 - place) * (100 / (HISTORY - 1))).toFixed(2)},${(29 - (value / top) * 27).toFixed(2)}`;
  const line = values.map(at).join(" L");
  const left = (100 - (values.length - 1) * (100 / (HISTORY - 1))).toFixed(2);
  for (const [name, d] of [["area", `M${left},30 L${line} L100,30 Z`], ["line", `M${line}`]]) {
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("class", name);
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

function remember(key, value) {
  const values = history.get(key) ?? [];
  values.push(value ?? 0);
  if (values.length > HISTORY) values.shift();
  history.set(key, values);
  return values;
}

function sum(tenant, field) {
  return Object.values(tenant.protocols).reduce((all, lane) => all + lane[field], 0);
}

// Rates of a tenant between two looks.
function rates(now, old, seconds) {
  const rate = (of) => (old && seconds > 0 ? Math.max(0, of(now) - of(old)) / seconds : 0);
  const counts = old ? since(now.durations, old.durations) : new Map();
  return {
    events: rate((one) => one.events),
    failed: rate((one) => one.events_failed),
    received: rate((one) => sum(one, "received")),
    sent: rate((one) => sum(one, "sent")),
    cpu: rate((one) => one.cpu_ms) / 10,
    limits: rate((one) => Object.values(one.limits).reduce((all, times) => all + times, 0)),
    counts,
  };
}

function tile(title, value, values, bad) {
  return element("div", { class: bad ? "tile bad" : "tile" }, element("span", {}, title), element("strong", {}, value), trend(values));
}

function cell(title, content, kind = "n") {
  return element("td", { class: kind, "data-title": title }, content);
}

function show(now) {
  const seconds = before ? (now.uptime_ms - before.uptime_ms) / 1000 : 0;
  const restarted = seconds < 0;
  if (restarted) { before = null; history = new Map(); }
  const known = new Map((before?.tenants ?? []).map((one) => [one.tenant, one]));
  const total = { events: 0, failed: 0, connections: 0, bytes: 0, limits: 0, counts: new Map() };
  const selected = chosen();
  const rows = now.tenants.map((one) => {
    const rate = rates(one, known.get(one.tenant), seconds);
    total.events += rate.events;
    total.failed += rate.failed;
    total.limits += rate.limits;
    total.connections += one.connections;
    total.bytes += rate.received + rate.sent;
    for (const [bucket, count] of rate.counts) total.counts.set(bucket, (total.counts.get(bucket) ?? 0) + count);
    const values = remember(`tenant ${one.tenant}`, rate.events);
    const name = element("a", { href: `#${encodeURIComponent(one.tenant)}` }, one.tenant);
    const row = element("tr", { "aria-selected": String(one.tenant === selected) },
      element("td", {}, name, one.running ? "" : element("span", { class: "dim" }, " stopped")),
      cell("Version", String(one.version ?? "–"), ""),
      cell("Connections", number(one.connections)),
      cell("Events/s", number(rate.events)),
      cell("", trend(values), "trend"),
      cell("p50", time(quantile(rate.counts, 0.5))),
      cell("p99", time(quantile(rate.counts, 0.99))),
      cell("Errors/s", number(rate.failed), rate.failed > 0 ? "n alarm" : "n"),
      cell("In/s", bytes(rate.received)),
      cell("Out/s", bytes(rate.sent)),
      cell("Queued", bytes(one.queue_bytes)),
      cell("Memory", bytes(one.instance_bytes + one.state_bytes)),
      cell("CPU", `${rate.cpu.toFixed(1)} %`));
    row.addEventListener("click", () => { location.hash = encodeURIComponent(one.tenant); });
    return row;
  });
  const p99 = quantile(total.counts, 0.99);
  find("tiles").replaceChildren(
    tile("Events/s", number(total.events), remember("events", total.events)),
    tile("p99", time(p99), remember("p99", p99)),
    tile("Connections", number(total.connections), remember("connections", total.connections)),
    tile("Bytes/s", bytes(total.bytes), remember("bytes", total.bytes)),
    tile("Errors/s", number(total.failed), remember("failed", total.failed), total.failed > 0),
    tile("Limits met/s", number(total.limits), remember("limits", total.limits), total.limits > 0));
  refill(find("tenants").tBodies[0], rows);
  const cpu = before ? (now.process.cpu_ms - before.process.cpu_ms) / 10 / seconds : 0;
  find("uptime").textContent = span(now.uptime_ms / 1000);
  find("cpu").textContent = `${cpu.toFixed(0)} %`;
  find("memory").textContent = bytes(now.process.resident_bytes);
  find("descriptors").textContent = `${now.process.descriptors} of ${number(now.process.descriptors_max)}`;
  before = now;
}

// Replaces what is there, and keeps what has the focus usable.
function refill(parent, children) {
  const focused = document.activeElement?.closest("a")?.getAttribute("href");
  parent.replaceChildren(...children);
  if (focused && parent.contains(document.activeElement) === false) {
    const again = [...parent.querySelectorAll("a")].find((one) => one.getAttribute("href") === focused);
    again?.focus({ preventScroll: true });
  }
}

function items(list, children, none) {
  list.replaceChildren(...(children.length ? children : [element("li", { class: "none" }, none)]));
}

function showDetail(detail) {
  const old = beforeDetail?.status.tenant === detail.status.tenant ? beforeDetail : null;
  const seconds = old ? (detail.uptime_ms - old.uptime_ms) / 1000 : 0;
  const sets = new Map((old?.feature_sets ?? []).map((set) => [set.component, set]));
  const { status } = detail;
  find("name").textContent = status.tenant;
  find("where").textContent = [...status.listeners, ...status.http.map((address) => `http ${address}`)].join(" · ");
  refill(find("sets").tBodies[0], detail.feature_sets.map((set) => {
    const was = sets.get(set.component);
    const all = (of) => of.done + of.failed + of.trapped + of.limited;
    const early = set.failed + set.trapped + set.limited;
    const counts = since(set.durations, null);
    return element("tr", {},
      element("td", {}, set.name, element("small", {}, set.activity)),
      cell("Events/s", number(was && seconds > 0 ? Math.max(0, all(set) - all(was)) / seconds : 0)),
      cell("Events", number(all(set))),
      cell("Early ends", number(early), early ? "n alarm" : "n"),
      cell("p50", time(quantile(counts, 0.5))),
      cell("p99", time(quantile(counts, 0.99))));
  }));
  items(find("limits"), Object.entries(status.limits).map(([name, times]) =>
    element("li", {}, element("code", {}, name), element("span", {}, number(times)))), "none");
  items(find("protocols"), Object.entries(status.protocols).filter(([, lane]) => lane.opened).map(([name, lane]) =>
    element("li", {}, element("span", {}, name), element("span", {}, `${number(lane.open)} open, ${number(lane.opened)} in all`))), "none yet");
  items(find("versions"), [...detail.versions].reverse().map((one) => {
    const state = one.current ? "runs" : one.kept ? "kept" : "";
    return element("li", {},
      element("span", {}, `${one.version}  `, element("code", {}, one.sha256.slice(0, 12)), ` ${one.program}`),
      state ? element("span", { class: `state ${state}` }, state) : "",
      element("small", {}, new Date(one.loaded * 1000).toLocaleString()));
  }), "none");
  items(find("faults"), alike(detail.faults).map(fault), "none: every execution has ended as it should");
  find("detail").hidden = false;
  beforeDetail = detail;
}

// One entry for errors that differ in nothing but the event; the newest stands for them.
function alike(faults) {
  const groups = new Map();
  for (const one of faults) {
    const key = JSON.stringify([one.feature_set, one.activity, one.place, one.statement, one.ending, one.limit, one.cause]);
    const known = groups.get(key);
    if (known) known.times += 1; else groups.set(key, { ...one, times: 1 });
  }
  return [...groups.values()];
}

function fault(one) {
  const about = [one.place, one.connection && `connection ${one.connection}`, `event ${one.event}`, `after ${time(one.took_us)}`];
  const at = new Date(one.at_ms);
  const item = element("li", {},
    element("div", { class: "head" },
      element("strong", {}, one.feature_set), element("span", { class: "dim" }, one.activity),
      element("span", { class: "ending" }, one.limit ? `${one.ending}: ${one.limit}` : one.ending),
      one.times > 1 ? element("span", { class: "times" }, `${one.times} times lately`) : "",
      element("time", { datetime: at.toISOString() }, at.toLocaleTimeString())));
  if (one.statement) item.append(element("pre", {}, one.statement));
  item.append(
    element("p", { class: "cause" }, one.cause),
    element("p", { class: "foot" }, about.filter(Boolean).join(" · ")));
  return item;
}

function chosen() {
  try { return decodeURIComponent(location.hash.slice(1)); } catch { return ""; }
}

function link(text, kind) {
  find("link").textContent = text;
  find("link").className = kind;
}

async function ask(path, token) {
  const answer = await fetch(path, { headers: { authorization: `Bearer ${token}` }, cache: "no-store" });
  if (answer.status === 401) throw new Error("token");
  return answer.ok ? answer.json() : null;
}

// With `only` the numbers of all tenants are as fresh as they need to be.
async function look(only = false) {
  clearTimeout(timer);
  const mine = ++turn;
  const token = sessionStorage.getItem(KEY);
  if (!token) return door("");
  try {
    const whole = only && before ? null : await ask("status", token);
    const tenants = (whole ?? before)?.tenants ?? [];
    const name = chosen() || (tenants.length === 1 ? tenants[0].tenant : "");
    const detail = name ? await ask(`status/${encodeURIComponent(name)}`, token) : null;
    if (mine !== turn) return;
    if (whole) show(whole);
    if (detail) showDetail(detail); else { find("detail").hidden = true; beforeDetail = null; }
    open();
    link("live", "live");
  } catch (error) {
    if (mine !== turn) return;
    if (error.message === "token") return door("This is not the token.");
    link("the host does not answer", "lost");
  }
  timer = setTimeout(look, INTERVAL_MS);
}

function open() {
  find("door").hidden = true;
  for (const id of ["board", "process", "leave"]) find(id).hidden = false;
}

function door(why) {
  sessionStorage.removeItem(KEY);
  before = beforeDetail = null;
  history = new Map();
  for (const id of ["board", "process", "leave"]) find(id).hidden = true;
  find("door").hidden = false;
  find("refused").textContent = why;
  find("token").value = "";
  find("token").focus();
  link("not connected", "");
}

find("door").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, find("token").value.trim());
  look();
});
find("leave").addEventListener("click", () => { turn += 1; clearTimeout(timer); door(""); });
addEventListener("hashchange", () => {
  for (const row of find("tenants").tBodies[0].rows) row.setAttribute("aria-selected", String(row.querySelector("a").textContent === chosen()));
  look(true);
});
look();
