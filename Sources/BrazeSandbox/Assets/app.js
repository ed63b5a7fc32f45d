import { h, replace, link, workspace, number, count, live, get } from "./dom.js";
import * as users from "./users.js";
import * as segments from "./segments.js";
import * as messages from "./messages.js";
import * as data from "./data.js";
import * as requests from "./requests.js";
import * as settings from "./settings.js";

const menu = [
  ["Audience", [["users", "Users"], ["segments", "Segments"]]],
  ["Messaging", [["campaigns", "Campaigns"], ["canvases", "Canvases"]]],
  ["Data", [["attributes", "Custom Attributes"], ["events", "Custom Events"]]],
  ["Developer", [["requests", "Request log"], ["settings", "Settings"]]],
];

const pages = {
  users: users.show, segments: segments.show, campaigns: (main, id) => messages.show(main, id, "campaign"),
  canvases: (main, id) => messages.show(main, id, "canvas"), attributes: data.attributes, events: data.events,
  requests: requests.show, settings: settings.show,
};

let stop = null;

function show() {
  const [page, id] = location.pathname.split("/").slice(2).map(decodeURIComponent);
  const main = document.getElementById("main");
  if (stop) stop();
  replace(main);
  replace(document.getElementById("nav"), menu.map(([title, entries]) =>
    h("div", { class: "group" }, h("h4", null, title), entries.map(([path, text]) =>
      h("a", { href: link("/" + path), class: path === page ? "here" : "", "aria-current": path === page ? "page" : null }, text)))));
  const open = pages[page];
  if (!open) {
    replace(main, h("div", { class: "empty" }, h("h3", null, "There is no such page"), h("a", { href: link("/users") }, "Go to Users")));
    return;
  }
  stop = open(main, id || "") || null;
  window.scrollTo(0, 0);
}

/** Opens a page without loading the frame again. */
export function go(path) {
  history.pushState(null, "", path);
  show();
}

document.addEventListener("click", (event) => {
  const anchor = event.target.closest("a");
  if (!anchor || event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0 || anchor.target) return;
  const url = new URL(anchor.href, location.href);
  if (url.origin !== location.origin || !url.pathname.startsWith("/sandbox/") || url.pathname.startsWith("/sandbox/api/")) return;
  event.preventDefault();
  go(url.pathname + url.search);
});
window.addEventListener("popstate", show);
document.addEventListener("go", (event) => go(event.detail));

const status = document.getElementById("status");
document.addEventListener("state", ({ detail: state }) => {
  const problems = state.statuses.filter((entry) => entry.status >= 400 || entry.status === 0).reduce((sum, entry) => sum + entry.count, 0);
  replace(status,
    state.workspaces.length > 1 && h("select", {
      "aria-label": "Workspace",
      onchange: (event) => { location.search = "?workspace=" + encodeURIComponent(event.target.value); },
    }, state.workspaces.map((entry) => h("option", { value: entry.id, selected: entry.id === (workspace() || state.workspace) }, entry.name))),
    h("div", null, h("b", null, number(state.users)), state.users === 1 ? " user" : " users"),
    h("div", null, h("b", null, number(state.requests)), state.requests === 1 ? " API call" : " API calls",
      problems > 0 && h("span", { class: "bad-text" }, " (" + number(problems) + " failed)")),
    h("div", null, h("b", null, number(state.data_points)), state.data_points === 1 ? " data point" : " data points"),
    state.pending > 0 && h("div", null, h("b", null, count(state.pending, "call")), " being ingested"),
    state.faults_active && h("a", { class: "fault", href: link("/settings") }, "Fault knobs are on"));
});
document.addEventListener("offline", ({ detail }) => replace(status, h("div", { class: "fault" }, detail)));

live(status, async () => {}, 60000);
show();
