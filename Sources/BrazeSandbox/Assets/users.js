import { h, replace, link, get, head, card, empty, table, badge, button, code, number, count, time, live, attempt, api, absolute } from "./dom.js";

export function show(main, id) { return id ? profile(main, id) : list(main); }

export const label = (user) => user.external_id || user.email || user.phone ||
  (user.aliases.length ? user.aliases[0].alias_label + ":" + user.aliases[0].alias_name : user.braze_id);

/** A table of users for lists and audiences. */
export function userTable(users, compact) {
  const numbers = compact ? [] : [{ title: "Attributes", numeric: true }, { title: "Events", numeric: true }];
  return table(["User", ...(compact ? [] : ["Email"]), ...numbers, "Last update"],
    users.map((user) => h("tr", null,
      h("td", { class: "user" }, h("a", { href: link("/users/" + user.braze_id), class: "name" }, label(user)),
        user.name && h("span", { class: "quiet" }, " " + user.name), !user.external_id && [" ", badge("no external ID")],
        compact && user.email && user.email !== label(user) && h("div", { class: "note" }, user.email)),
      !compact && h("td", { class: "email", title: user.email }, user.email || h("span", { class: "quiet" }, "–")),
      !compact && [h("td", { class: "num" }, number(user.attribute_count)), h("td", { class: "num" }, number(user.event_count))],
      h("td", null, time(user.updated_at)))));
}

export function pager(offset, limit, total, onchange) {
  if (total <= limit && offset === 0) return null;
  return h("div", { class: "pager" },
    h("button", { type: "button", disabled: offset === 0, onclick: () => onchange(Math.max(0, offset - limit)) }, "Previous"),
    h("span", null, number(Math.min(offset + 1, total)) + "–" + number(Math.min(offset + limit, total)) + " of " + number(total)),
    h("button", { type: "button", disabled: offset + limit >= total, onclick: () => onchange(offset + limit) }, "Next"));
}

function firstCall(key) {
  return code("curl " + location.origin + "/users/track \\\n  -H 'Authorization: Bearer " + (key || "YOUR-KEY") + "' \\\n" +
    "  -H 'Content-Type: application/json' \\\n" +
    "  -d '{\"attributes\":[{\"external_id\":\"u1\",\"last_product_viewed_item\":\"Sweater\"}],\n" +
    "       \"events\":[{\"external_id\":\"u1\",\"name\":\"Trait Computed\",\"time\":\"" + new Date().toISOString().slice(0, 19) + "Z\"}]}'");
}

function list(main) {
  const parameters = new URLSearchParams(location.search);
  let search = parameters.get("search") || "";
  let offset = 0;
  const limit = 50;
  const result = h("div");
  const input = h("input", {
    type: "search", value: search, placeholder: "External ID, Braze ID, email, phone, push token or label:name",
    "aria-label": "Search users", autofocus: true,
    oninput: () => { search = input.value; offset = 0; load(); },
  });
  replace(main, head("Users", "Everyone whom the API created, most recently updated first."), h("div", { class: "bar" }, input), result);
  async function load() {
    const asked = search;
    const page = await get("/users", { search, offset, limit });
    if (asked !== search) return;
    if (page.total === 0 && search) {
      replace(result, empty("No user matches “" + search + "”",
        "Search is exact for IDs, email, phone, push token and alias; the start of an external ID or email is enough too."));
    } else if (page.total === 0) {
      const state = await get("/state");
      replace(result, empty("No users yet",
        h("p", null, "Users appear as soon as something calls this sandbox's REST API. Connect Muster to ", h("code", null, location.origin),
          " with ", state.key ? ["the key ", h("code", null, state.key)] : h("a", { href: link("/settings") }, "a key of this workspace"), ", or try it from a terminal:"), firstCall(state.key)));
    } else {
      replace(result, h("p", { class: "sub" }, count(page.total, "user")), userTable(page.users),
        pager(offset, limit, page.total, (next) => { offset = next; load(); }));
    }
  }
  return live(result, load, 5000).stop;
}

// Profile -----------------------------------------------------------------------------------------------------------

/** A value as the profile shows it: booleans as the words true and false, objects expandable. */
export function value(data) {
  if (data === true || data === false) return h("span", { class: "bool " + data }, String(data));
  if (data === null || data === undefined) return h("span", { class: "quiet" }, "null");
  if (Array.isArray(data) && data.every((entry) => typeof entry !== "object")) {
    return data.length === 0 ? h("span", { class: "quiet" }, "empty") : h("span", { class: "chips" }, data.map((entry) => h("span", { class: "chip" }, String(entry))));
  }
  if (typeof data === "object") {
    const size = Array.isArray(data) ? count(data.length, "object") : count(Object.keys(data).length, "key");
    return h("details", null, h("summary", null, size), code(JSON.stringify(data, null, 2)));
  }
  return data === "" ? h("span", { class: "quiet" }, "empty text") : h("span", { class: "text" }, String(data));
}

function rows(pairs) {
  return h("dl", { class: "pairs" }, pairs.filter(([, data]) => data !== null && data !== undefined && data !== "")
    .map(([name, data]) => [h("dt", null, name), h("dd", null, data)]));
}

function attributesCard(user) {
  if (user.attributes.length === 0) {
    return card("Custom Attributes", empty("No custom attributes", "They come with identify calls: a computed trait becomes an attribute with its value, an audience becomes true or false."));
  }
  return card("Custom Attributes", table(["Name", "Value", "Type"], user.attributes.map((entry) => h("tr", null,
    h("td", { class: "name" }, entry.name, entry.blocklisted && [" ", badge("blocklisted", "warn")]),
    h("td", null, entry.instant ? [h("span", { class: "text" }, absolute(entry.instant)), " ", h("span", { class: "quiet" }, "(", time(entry.instant), ")")] : value(entry.value)),
    h("td", null, entry.type_title, entry.registered_type && [" ", badge("registered as " + entry.registered_type, "warn",
      "The attribute's registered type changed. Until this value is written again, filters of the new type do not match this user.")])))));
}

function eventsCard(user) {
  if (user.events.length === 0) {
    return card("Custom Events", empty("No custom events", "They come with track calls, for example Trait Computed or Audience Entered."));
  }
  return card("Custom Events", table(["Name", { title: "Count", numeric: true }, "Last", "First"], user.events.map((entry) => h("tr", null,
    h("td", { class: "name" }, entry.name), h("td", { class: "num" }, count(entry.count, "time")),
    h("td", null, time(entry.last)), h("td", null, time(entry.first))))),
    user.events.some((entry) => entry.name === "Audience Entered") &&
      h("p", { class: "note" }, "Event counts never go down: Audience Entered stays after the person has left. The audience's attribute tells current membership."));
}

function overview(user) {
  return h("div", { class: "columns" },
    h("div", null, attributesCard(user), eventsCard(user), user.purchases.length > 0 && card("Purchases",
      table(["Product", { title: "Count", numeric: true }, "Last", "First"], user.purchases.map((entry) => h("tr", null,
        h("td", { class: "name" }, entry.name), h("td", { class: "num" }, count(entry.count, "time")), h("td", null, time(entry.last)), h("td", null, time(entry.first))))),
      h("p", { class: "note" }, "Lifetime revenue " + user.revenue.toFixed(2) + " (currencies are not converted)."))),
    h("div", null, card("Profile", rows([
      ["External ID", user.external_id], ["Braze ID", h("code", null, user.braze_id)], ["Email", user.email], ["Phone", user.phone],
      ...user.aliases.map((alias) => ["Alias " + alias.alias_label, alias.alias_name]),
      ...user.deprecated_ids.map((id) => ["Deprecated ID", id]),
      ...user.fields.map((entry) => [entry.name, typeof entry.value === "object" ? JSON.stringify(entry.value) : String(entry.value)]),
      ["Random bucket", number(user.random_bucket)], ["Created", time(user.created_at)], ["Last update", time(user.updated_at)],
    ])), user.apps.length > 0 && card("Apps", h("div", { class: "chips" }, user.apps.map((app) => h("span", { class: "chip" }, app)))),
    user.push_tokens.length > 0 && card("Devices", user.push_tokens.map((token) =>
      rows([["Token", token.token], ["App", token.app_id], ["Device", token.device_id]])))));
}

/** Says which criteria of a segment the user meets or misses. Kept between redraws, so that the answer stays. */
function whyCard(user) {
  const result = h("div");
  const choice = h("select", { "aria-label": "Segment" });
  get("/segments", { sizes: false }).then((page) => replace(choice, page.segments.filter((segment) => !segment.archived)
    .map((segment) => h("option", { value: segment.id }, segment.name)))).catch(() => {});
  async function ask() {
    try {
      const verdict = await api("POST", "/segments/" + choice.value + "/lookup", { user: user.braze_id });
      replace(result, verdict.matches ? h("div", { class: "banner good" }, "In the segment: all criteria are met.")
        : h("div", { class: "banner warn" }, "Not in the segment. Unmet criteria:", h("ul", null, verdict.unmet.map((text) => h("li", null, text)))));
    } catch (error) {
      replace(result, h("div", { class: "banner bad" }, error.message));
    }
  }
  return card("Why (not) in a segment?", h("div", { class: "bar" }, choice, button("Explain", ask)), result);
}

function engagement(user, why) {
  const state = (name) => (user.fields.find((entry) => entry.name === name) || {}).value;
  return h("div", { class: "columns" },
    h("div", null, card("Segments containing this user",
      user.segments.length > 0
        ? h("ul", { class: "plain" }, user.segments.map((segment) => h("li", null, h("a", { href: link("/segments/" + segment.id) }, segment.name))))
        : user.segment_count > 0
          ? empty("In none of " + count(user.segment_count, "segment"), "Ask below which criteria fail.")
          : empty("No segments yet", h("a", { href: link("/segments/new") }, "Create a segment"))), user.segment_count > 0 && why),
    h("div", null, card("Contact settings", rows([
      ["Email", user.email ? (state("email_subscribe") || "subscribed") : "no address"],
      ["Push", user.push_tokens.length ? count(user.push_tokens.length, "token") : "no token"],
      ...user.subscriptions.map((entry) => ["Group " + entry.id.slice(0, 8) + "…", entry.state])])),
    card("Cohorts", user.cohorts.length ? h("ul", { class: "plain" }, user.cohorts.map((cohort) => h("li", null, cohort.name, " ", h("span", { class: "quiet" }, cohort.partner))))
      : h("p", { class: "quiet" }, "In no partner cohort."))));
}

export function effectBadge(effect) {
  return badge(effect, { created: "good", updated: "good", waiting: "", refused: "bad" }[effect] ?? "warn");
}

function calls(user) {
  if (user.calls.length === 0) return card("API calls", empty("No recent calls", "The request log keeps the last 2,000 calls since the sandbox started; none of them touched this user."));
  return card("API calls that touched this user", table(["Call", "When", { title: "Status", numeric: true }, "Object", "Effect"],
    user.calls.flatMap((call) => call.outcomes.map((outcome, index) => h("tr", null,
      h("td", null, index === 0 && h("a", { href: link("/requests/" + call.number) }, call.method + " " + call.path)),
      h("td", null, index === 0 && time(call.at)), h("td", { class: "num" }, index === 0 && call.status),
      h("td", null, outcome.array + "[" + outcome.index + "]"),
      h("td", null, effectBadge(outcome.effect), outcome.notes.map((note) => h("div", { class: "note" }, note))))))));
}

function profile(main, id) {
  let tab = "Overview";
  const tabs = ["Overview", "Engagement", "API calls", "Raw JSON"];
  let user = null;
  let why = null;
  const body = h("div");
  const opened = new Set();
  function draw() {
    for (const details of body.querySelectorAll("details")) {
      const key = details.closest("tr")?.firstChild?.textContent;
      if (details.open) opened.add(key); else opened.delete(key);
    }
    replace(main, head(label(user), user.name,
      button("Delete user", () => remove(), "quiet-button")),
    user.is_blocked && h("div", { class: "banner bad" }, "This external ID is blocked: the API refuses everything that is sent for it."),
    h("div", { class: "tabs", role: "tablist" }, tabs.map((name) => h("button", {
      type: "button", role: "tab", "aria-selected": String(name === tab), class: name === tab ? "here" : "", onclick: () => { tab = name; draw(); },
    }, name))), body);
    replace(body, tab === "Overview" ? overview(user) : tab === "Engagement" ? engagement(user, why) : tab === "API calls" ? calls(user)
      : card("As /users/export/ids returns it", code(JSON.stringify(user.raw, null, 2))));
    for (const details of body.querySelectorAll("details")) {
      if (opened.has(details.closest("tr")?.firstChild?.textContent)) details.open = true;
    }
  }
  async function remove() {
    if (!confirm("Delete " + label(user) + " with everything it did? This cannot be undone.")) return;
    const done = await attempt(() => api("DELETE", "/users/" + user.braze_id), "The user is being deleted.");
    if (done) document.dispatchEvent(new CustomEvent("go", { detail: link("/users") }));
  }
  const watch = live(main, async () => {
    try {
      user = await get("/users/" + encodeURIComponent(id));
      why ||= whyCard(user);
      draw();
    } catch (error) {
      replace(main, empty("This user is not here", h("p", null, error.message), h("a", { href: link("/users") }, "All users")));
      watch.stop();
    }
  }, 10000);
  return watch.stop;
}
