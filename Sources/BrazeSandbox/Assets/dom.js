// Small helpers that every page uses. All text reaches the page as text nodes: names and values from users' data can
// never become markup.

/** Makes an element: h("a", {href: "/x", class: "y", onclick: f}, "text", child, [more]). */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "selected" || name === "disabled") element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) append(element, child);
    else element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

export function replace(element, ...children) {
  element.textContent = "";
  append(element, children);
  return element;
}

// The workspace that is looked at stands in the address, so that links can be shared.
export function workspace() {
  return new URLSearchParams(location.search).get("workspace");
}

export function link(path, parameters) {
  const query = new URLSearchParams(parameters || {});
  if (workspace()) query.set("workspace", workspace());
  const text = query.toString();
  return "/sandbox" + path + (text ? "?" + text : "");
}

/** Calls the sandbox's API; throws an Error with the server's words. */
export async function api(method, path, body, parameters) {
  let response;
  try {
    response = await fetch(link("/api" + path, parameters), {
      method,
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Error("The sandbox does not answer. Is it still running?");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.message || "The sandbox answered " + response.status + ".");
  return answer;
}

export const get = (path, parameters) => api("GET", path, undefined, parameters);

export function toast(text, kind) {
  const box = h("div", { class: "toast " + (kind || "good"), role: "status" }, text);
  document.getElementById("toasts").append(box);
  setTimeout(() => box.remove(), kind === "bad" ? 8000 : 3500);
}

/** Runs an action of a button and shows what went wrong. */
export async function attempt(action, done) {
  try {
    const result = await action();
    if (done) toast(done);
    return result;
  } catch (error) {
    toast(error.message, "bad");
    return undefined;
  }
}

// Numbers and times -------------------------------------------------------------------------------------------------

export const number = (value) => Number(value).toLocaleString("en-US");
export const count = (value, one, many) => number(value) + " " + (value === 1 ? one : many || one + "s");
export const bytes = (value) =>
  value < 1024 ? value + " B" : value < 1048576 ? (value / 1024).toFixed(1) + " KB" : (value / 1048576).toFixed(1) + " MB";

let offset = 0;
/** The server's clock counts, not the browser's. */
export function setNow(now) { offset = now - Date.now(); }
const now = () => Date.now() + offset;

const pad = (value) => String(value).padStart(2, "0");
/** 2026-01-05 15:00:00 UTC */
export function absolute(at) {
  const date = new Date(at);
  if (isNaN(date)) return "";
  return date.getUTCFullYear() + "-" + pad(date.getUTCMonth() + 1) + "-" + pad(date.getUTCDate()) + " " +
    pad(date.getUTCHours()) + ":" + pad(date.getUTCMinutes()) + ":" + pad(date.getUTCSeconds()) + " UTC";
}

/** "20 hours ago"; a date when it is more than 30 days ago. */
export function ago(at) {
  const seconds = Math.round((now() - at) / 1000);
  if (seconds < -60) return absolute(at);
  if (seconds < 5) return "just now";
  if (seconds < 60) return seconds + " seconds ago";
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return count(minutes, "minute") + " ago";
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return count(hours, "hour") + " ago";
  const days = Math.floor(hours / 24);
  return days <= 30 ? count(days, "day") + " ago" : absolute(at).slice(0, 10);
}

export function time(at) {
  if (!at) return h("span", { class: "quiet" }, "never");
  return h("time", { title: absolute(at), "data-at": at, datetime: new Date(at).toISOString() }, ago(at));
}

setInterval(() => {
  for (const element of document.querySelectorAll("time[data-at]")) element.textContent = ago(Number(element.dataset.at));
}, 5000);

// Parts of pages ----------------------------------------------------------------------------------------------------

export function head(title, subtitle, ...actions) {
  document.title = (typeof title === "string" ? title : "Braze sandbox") + " · Braze sandbox";
  return h("header", { class: "head" },
    h("div", null, h("h1", null, title), subtitle && h("p", { class: "sub" }, subtitle)), h("div", { class: "actions" }, actions));
}

export function card(title, ...children) {
  return h("section", { class: "card" }, title && h("h2", null, title), children);
}

export function empty(title, ...children) {
  return h("div", { class: "empty" }, h("h3", null, title), h("div", null, children));
}

export function table(columns, rows, props) {
  return h("div", { class: "scroll" }, h("table", props,
    h("thead", null, h("tr", null, columns.map((column) =>
      h("th", { class: column.numeric ? "num" : null, scope: "col" }, column.title !== undefined ? column.title : column)))),
    h("tbody", null, rows)));
}

export function badge(text, kind, title) { return h("span", { class: "badge " + (kind || ""), title }, text); }

export function button(text, onclick, kind) {
  return h("button", { type: "button", class: kind || "", onclick }, text);
}

export function code(text) { return h("pre", { class: "code" }, text); }

/** Pretty JSON, or the text itself where it is none. */
export function pretty(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}

export function field(label, control, hint) {
  return h("label", { class: "field" }, h("span", null, label), control, hint && h("small", null, hint));
}

export function select(options, value, onchange, props) {
  return h("select", { ...props, onchange: (event) => onchange(event.target.value) },
    options.map((option) => {
      const [id, text] = Array.isArray(option) ? option : [option, option];
      return h("option", { value: id, selected: id === value }, text);
    }));
}

/**
 * Calls `load` now, and again when the sandbox's data changed or `every` milliseconds passed, until the returned function
 * is called or the element left the page.
 */
export function live(element, load, every) {
  let stopped = false;
  let revision = -1;
  let last = 0;
  async function step() {
    if (stopped || (last && !element.isConnected)) return;
    try {
      if (!document.hidden) {
        const state = await get("/state");
        setNow(state.now);
        document.dispatchEvent(new CustomEvent("state", { detail: state }));
        const mark = state.revision + ":" + state.requests + ":" + state.pending;
        if (mark !== revision || Date.now() - last > (every || 5000)) {
          revision = mark;
          last = Date.now();
          if (!stopped) await load();
        }
      }
    } catch (error) {
      document.dispatchEvent(new CustomEvent("offline", { detail: error.message }));
      last = last || 1;
    }
    if (!stopped) setTimeout(step, 1000);
  }
  step();
  return { stop: () => { stopped = true; }, again: () => { revision = -1; } };
}
