import { h, replace, get, api, head, card, table, badge, button, field, time, attempt, select, toast, code } from "./dom.js";

export function show(main) {
  const connection = h("div"), keys = h("div"), faults = h("div"), switches = h("div"), other = h("div");
  replace(main, head("Settings", "How to connect, and how this Braze behaves."),
    h("div", { class: "columns halves" }, h("div", null, connection, keys, other), h("div", null, faults, switches)));
  drawConnection(connection);
  drawKeys(keys);
  drawFaults(faults);
  drawSwitches(switches);
  drawOther(other);
}

async function copy(text) {
  await attempt(() => navigator.clipboard.writeText(text), "Copied.");
}

async function drawConnection(root) {
  const state = await get("/state");
  replace(root, card("Connect", h("p", { class: "sub" }, "Enter these in the connection settings of a Braze destination."),
    field("REST endpoint", h("span", { class: "bar" }, h("code", null, location.origin), button("Copy", () => copy(location.origin)))),
    field("REST API key", h("span", { class: "bar" }, h("code", null, state.key || "no active key"), state.key && button("Copy", () => copy(state.key))))));
}

async function drawKeys(root) {
  const page = await get("/keys");
  const name = h("input", { type: "text", placeholder: "Muster" });
  const allowlist = h("input", { type: "text", placeholder: "any address" });
  const preset = h("select", null, h("option", { value: "all" }, "all permissions"), h("option", { value: "users.track" }, "users.track only"), h("option", { value: "custom" }, "choose…"));
  const list = h("div", { class: "choices", hidden: true }, page.permissions.map((permission) => h("label", { class: "check" }, h("input", { type: "checkbox", value: permission }), permission)));
  preset.addEventListener("change", () => { list.hidden = preset.value !== "custom"; });
  async function create(event) {
    event.preventDefault();
    const permissions = preset.value === "all" ? page.permissions : preset.value === "custom" ? [...list.querySelectorAll("input:checked")].map((box) => box.value) : [preset.value];
    const made = await attempt(() => api("POST", "/keys", { name: name.value, permissions, allowlist: allowlist.value.split(/[\s,]+/).filter(Boolean) }), "The key is created.");
    if (made) drawKeys(root);
  }
  replace(root, card("API keys",
    table(["Name", "Key", "Permissions", "Last seen", ""], page.keys.map((key) => {
      const secret = h("code", null, key.masked);
      return h("tr", { class: key.revoked ? "archived" : "" }, h("td", { class: "name" }, key.name, page.keys.some((other) => other.workspace !== key.workspace) && h("div", { class: "quiet" }, key.workspace)),
        h("td", null, secret, " ", !key.revoked && button("Show", () => { secret.textContent = secret.textContent === key.masked ? key.secret : key.masked; }, "small")),
        h("td", null, key.permissions.length === page.permissions.length ? "all" : h("span", { title: key.permissions.join("\n") }, key.permissions.length === 1 ? key.permissions[0] : key.permissions.length + " permissions"),
          key.allowlist.length > 0 && h("div", { class: "quiet" }, "from " + key.allowlist.join(", "))),
        h("td", null, time(key.last_seen)),
        h("td", null, key.revoked ? badge("revoked") : button("Revoke", async () => {
          if (!confirm("Revoke “" + key.name + "”? Calls with it get 401 from now on.")) return;
          if (await attempt(() => api("POST", "/keys/" + key.id + "/revoke", {}), "Revoked.")) drawKeys(root);
        }, "small")));
    })),
    h("h3", null, "Create a key"), h("p", { class: "sub" }, "As in Braze, permissions and allowlist cannot be changed later."),
    h("form", { class: "form", onsubmit: create }, field("Name", name), field("Permissions", preset), list, field("IP allowlist", allowlist, "Addresses or IPv4 networks, separated by spaces"), h("button", { class: "primary" }, "Create key"))));
}

const knobs = [
  ["error_rate", "Server errors", "%", "Share of calls answered with the status below"], ["error_status", "Status of those", "HTTP", ""],
  ["rate_429", "Answered 429", "%", "Although the limit is not reached"], ["delay_ms", "Delay of answers", "ms", "Every answer waits this long"],
  ["lost_answer_rate", "Lost answers", "%", "The call is applied, then the connection is closed without an answer"],
  ["lost_request_rate", "Lost requests", "%", "The connection is closed before the call is looked at"],
  ["partial_error_rate", "Refused objects", "%", "Share of objects of /users/track refused in a 201"],
  ["partial_error_text", "Text of those", "", ""],
];

async function drawFaults(root, given) {
  const faults = given || await get("/faults");
  const inputs = {};
  async function save(changes) {
    const saved = await attempt(() => api("PUT", "/faults", changes), "Fault knobs set.");
    if (saved) drawFaults(root, saved);
  }
  replace(root, card("Fault knobs", h("p", { class: "sub" }, "Make things go wrong on purpose, to see how the sender copes. Not kept over a restart."),
    h("div", { class: "knobs" }, knobs.map(([name, label, unit, hint]) => {
      const isText = name === "partial_error_text";
      const shown = unit === "%" ? Math.round(faults[name] * 10000) / 100 : faults[name];
      inputs[name] = h("input", { type: isText ? "text" : "number", min: 0, max: unit === "%" ? 100 : null, step: unit === "%" ? "any" : 1, class: isText ? "" : "short", value: shown });
      return h("label", { class: "knob", title: hint }, h("span", null, label), h("span", { class: "bar" }, inputs[name], unit && h("span", { class: "quiet" }, unit)), hint && h("small", null, hint));
    })),
    h("label", { class: "check" }, inputs.down = h("input", { type: "checkbox", checked: faults.down }), "Down: every call is answered 503"),
    faults.next.length > 0 && h("p", { class: "note" }, "Next: " + faults.next.map((entry) => entry.count + " × " + entry.kind).join(", then ")),
    h("div", { class: "bar" },
      button("Apply", () => {
        const changes = { down: inputs.down.checked };
        for (const [name, , unit] of knobs) changes[name] = name === "partial_error_text" ? inputs[name].value : unit === "%" ? Number(inputs[name].value) / 100 : Number(inputs[name].value);
        save(changes);
      }, "primary"),
      button("All off", async () => { const saved = await attempt(() => api("DELETE", "/faults"), "All knobs are off."); if (saved) drawFaults(root, saved); }),
      button("Fail the next call", () => save({ next: [{ kind: "error", count: 1 }] })), button("Lose the next answer", () => save({ next: [{ kind: "lost_answer", count: 1 }] })))));
}

async function drawSwitches(root, given) {
  const page = given || await get("/switches");
  async function set(name, value) {
    const saved = await attempt(() => api("PUT", "/switches", { [name]: value }), name + " is set.");
    drawSwitches(root, saved || undefined);
  }
  replace(root, card("Behaviour", h("p", { class: "sub" }, "Where Braze's documents are silent or changed over time."),
    table(["Switch", "Value"], page.switches.map((entry) => h("tr", null,
      h("td", null, h("code", null, entry.name), JSON.stringify(entry.value) !== JSON.stringify(entry.default) && [" ", badge("changed", "warn")], h("div", { class: "note" }, entry.summary)),
      h("td", null, entry.choices.length
        ? select(entry.choices.map((choice) => [JSON.stringify(choice), typeof choice === "boolean" ? (choice ? "on" : "off") : String(choice)]), JSON.stringify(entry.value), (value) => set(entry.name, JSON.parse(value)), { "aria-label": entry.name })
        : h("span", { class: "bar" }, h("input", { type: "number", class: "short", min: entry.range[0], max: entry.range[1], value: entry.value, "aria-label": entry.name, onchange: (event) => set(entry.name, Number(event.target.value)) }), h("span", { class: "quiet" }, entry.unit))))))));
}

async function drawOther(root) {
  const state = await get("/state");
  const partner = await get("/partner");
  const current = state.workspaces.find((entry) => entry.id === state.workspace);
  const name = h("input", { type: "text", value: current.name });
  const zone = h("input", { type: "text", value: state.time_zone, list: "zones" });
  const zones = h("datalist", { id: "zones" }, (Intl.supportedValuesOf ? Intl.supportedValuesOf("timeZone") : []).map((entry) => h("option", { value: entry })));
  const newID = h("input", { type: "text", placeholder: "second-brand" });
  replace(root,
    card("Workspace", field("Name", name), field("Company time zone", zone, "Filters on dates begin and end days in it"), zones,
      button("Save", async () => { await attempt(() => api("POST", "/workspaces", { id: state.workspace, name: name.value, time_zone: zone.value }), "Saved."); }),
      h("h3", null, "Another workspace"), field("ID", newID, "Has its own users and keys"),
      button("Create workspace", async () => { if (await attempt(() => api("POST", "/workspaces", { id: newID.value }))) location.search = "?workspace=" + encodeURIComponent(newID.value); })),
    card("Partner cohorts", h("p", { class: "sub" }, "The two secrets of /partners/segment/cohorts calls."),
      field("Partner API key", h("code", null, partner.partner_api_key)), field("Client secret (data import key)", h("code", null, partner.client_secret))),
    card("Start over", h("p", { class: "sub" }, "Removes all users, names, segments, campaigns and Canvases of this workspace. Keys and switches stay."),
      button("Reset workspace", async () => {
        if (!confirm("Remove all users, segments, campaigns and Canvases of this workspace?")) return;
        await attempt(() => api("POST", "/reset", {}), "The workspace is empty.");
      }, "danger")));
}
