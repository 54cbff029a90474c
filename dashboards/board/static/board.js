// The board's page: shows each snapshot as text and bars, and says so when what it shows is old.
// Everything from the store enters the page through textContent; nothing is ever parsed as HTML.

import { drawMinutes } from "./chart.js";

const STALE_S = 10; // older than this, the newest order is no longer "live"
const SILENT_S = 10; // the board speaks every second: ten without a word and the line is dead
const RECONNECT_MS = 5000; // after an answer that EventSource does not retry by itself

const byId = (id) => document.getElementById(id);
const byTestId = (id) => document.querySelector(`[data-testid="${id}"]`);

let source = null;
let latest = null; // the newest snapshot
let heardAt = -Infinity; // when it came, in the page's own monotonic time (ms)

const elapsedS = () => (performance.now() - heardAt) / 1000;

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function cell(text, className) {
  const td = document.createElement("td");
  td.textContent = text;
  if (className) td.className = className;
  return td;
}

function span(text, className) {
  const node = document.createElement("span");
  node.textContent = text;
  node.className = className;
  return node;
}

// Rows are replaced only where they differ, so that a selection or a screen reader's place survives.
function fillRows(body, rows, key, build) {
  rows.forEach((row, n) => {
    const wanted = JSON.stringify(key(row));
    const present = body.children[n];
    if (present && present.dataset.key === wanted) return;
    const fresh = build(row);
    fresh.dataset.key = wanted;
    if (present) present.replaceWith(fresh);
    else body.append(fresh);
  });
  while (body.children.length > rows.length) body.lastElementChild.remove();
}

function age(seconds) {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const [day, hour, minute] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (day > 0) return `${day.toLocaleString("en")} d ${hour} h`;
  if (hour > 0) return `${hour} h ${minute} min`;
  return `${minute} min ${Math.floor(seconds % 60)} s`;
}

function showFigures(s) {
  for (const [name, sum] of [["", s.hour], ["-last-minute", s.last_minute], ["-this-minute", s.this_minute]]) {
    setText(byTestId(`kpi-revenue${name}`), sum.revenue);
    setText(byTestId(`kpi-orders${name}`), sum.orders);
  }
  setText(byTestId("kpi-refused"), s.refused.toLocaleString("en"));
  fillRows(byId("reasons"), s.refused_by, (r) => r, (r) => {
    const item = document.createElement("li");
    const count = document.createElement("b");
    count.textContent = r.count.toLocaleString("en");
    item.append(count, ` ${r.reason.replaceAll("_", " ")}`);
    item.title = r.about;
    return item;
  });
  byId("others-panel").hidden = s.others.length === 0;
  fillRows(byId("others"), s.others, (o) => o, (o) => {
    const item = document.createElement("li");
    const sum = document.createElement("b");
    sum.textContent = `${o.currency} ${o.revenue}`;
    item.append(sum, ` in ${o.orders} ${o.orders === "1" ? "order" : "orders"}`);
    return item;
  });
}

function showSellers(sellers) {
  const most = Math.max(1, ...sellers.map((seller) => seller.units));
  fillRows(byId("sellers"), sellers, (seller) => [seller, most], (seller) => {
    const row = document.createElement("tr");
    const product = cell("");
    const share = span("", "share");
    share.style.width = `${(100 * seller.units) / most}%`;
    product.append(share, span(seller.name, "name"));
    if (seller.name !== seller.sku) product.append(" ", span(seller.sku, "sku"));
    row.append(product, cell(seller.units.toLocaleString("en"), "number"));
    return row;
  });
  byId("sellers-empty").hidden = sellers.length > 0;
}

function showOrders(orders) {
  fillRows(byId("orders"), orders, (order) => order, (order) => {
    const row = document.createElement("tr");
    if (order.is_return) row.className = "is-return";
    const id = order.is_return ? `${order.order_id} (return)` : order.order_id;
    row.append(
      cell(order.time),
      cell(id),
      cell(`${order.currency} ${order.amount}`, "number"),
      cell(order.units.toLocaleString("en"), "number"),
      cell(order.region || "–"),
    );
    return row;
  });
  byId("orders-empty").hidden = orders.length > 0;
}

function showMinutes(s) {
  drawMinutes(byId("chart"), s.minutes, s.digits);
  if (!byId("minutes-details").open) return;
  fillRows(byId("minutes"), [...s.minutes].reverse(), (m) => m, (m) => {
    const row = document.createElement("tr");
    row.append(cell(m.label), cell(m.revenue_text, "number"), cell(m.orders.toLocaleString("en"), "number"));
    return row;
  });
}

// No seconds in these texts: a screen reader speaks each change of the badge.
function state() {
  const open = source.readyState === EventSource.OPEN;
  if (!latest) return ["waiting", open ? "Loading" : "Connecting"];
  if (!open || elapsedS() > SILENT_S) return ["lost", "Connection lost: figures are old"];
  if (latest.trouble.length > 0) return ["trouble", "Trouble: figures may be old"];
  if (latest.fresh_s === null) return ["waiting", "Waiting for the first order"];
  return latest.fresh_s + elapsedS() > STALE_S ? ["stale", "Stale: no new orders"] : ["live", "Live"];
}

function showAge() {
  const [name, text] = state();
  document.body.dataset.state = name;
  setText(byTestId("status"), text);
  const fresh = latest && latest.fresh_s !== null ? age(latest.fresh_s + elapsedS()) : "–";
  setText(byTestId("kpi-freshness"), fresh);
}

function show(snapshot) {
  latest = snapshot;
  heardAt = performance.now();
  byId("trouble").hidden = snapshot.trouble.length === 0;
  setText(byId("trouble"), snapshot.trouble.join(". "));
  showFigures(snapshot);
  showSellers(snapshot.sellers);
  showOrders(snapshot.orders);
  showMinutes(snapshot);
  showAge();
}

function connect() {
  source = new EventSource("/events");
  source.onmessage = (event) => show(JSON.parse(event.data));
  source.onerror = () => {
    // EventSource connects again by itself after a cut line, but gives up after an error status.
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, RECONNECT_MS);
    showAge();
  };
}

byId("minutes-details").addEventListener("toggle", () => latest && showMinutes(latest));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => latest && showMinutes(latest));
setInterval(showAge, 250);
connect();
