import { h, replace, link, get, api, head, card, empty, table, badge, button, field, number, count, time, live, attempt } from "./dom.js";
import { builder, clean, incomplete } from "./builder.js";
import { audiencePanel } from "./segments.js";

const words = {
  campaign: { one: "campaign", title: "Campaigns", path: "campaigns", create: "Create Campaign", step: "Target users" },
  canvas: { one: "Canvas", title: "Canvases", path: "canvases", create: "Create Canvas", step: "Target audience" },
};

export function show(main, id, kind) { return id ? editor(main, id === "new" ? null : id, words[kind]) : list(main, words[kind]); }

function list(main, word) {
  const result = h("div");
  const create = () => h("a", { class: "button primary", href: link("/" + word.path + "/new") }, word.create);
  replace(main, head(word.title, "Whom a " + word.one + " would reach. The sandbox never sends anything.", create()), result);
  return live(result, async () => {
    const page = await get("/" + word.path);
    if (page.messages.length === 0) {
      replace(result, empty("No " + word.title.toLowerCase().replace("canvases", "Canvases") + " yet", h("p", null, "Save a segment first, then choose it in the " + word.step + " step."), create()));
      return;
    }
    replace(result, table(["Name", "Segments", "Further filters", { title: "Dry runs", numeric: true }, "Changed"], page.messages.map((message) => h("tr", { class: message.archived ? "archived" : "" },
      h("td", null, h("a", { class: "name", href: link("/" + word.path + "/" + message.id) }, message.name), message.archived && [" ", badge("archived")]),
      h("td", null, message.segment_names.join(" and ") || h("span", { class: "quiet" }, "–")), h("td", { class: "wide" }, message.text || h("span", { class: "quiet" }, "–")),
      h("td", { class: "num" }, number(message.send_count)), h("td", null, time(message.updated_at))))));
  }, 10000).stop;
}

function editor(main, id, word) {
  let watch = null;
  let stopped = false;
  replace(main, h("p", { class: "quiet" }, "Loading…"));
  (async () => {
    let message, catalogue;
    try {
      catalogue = await get("/catalogue");
      message = id ? await get("/" + word.path + "/" + encodeURIComponent(id)) : { name: "", segments: [], filters: {} };
    } catch (error) {
      replace(main, empty("This " + word.one + " is not here", h("p", null, error.message), h("a", { href: link("/" + word.path) }, "All " + word.title)));
      return;
    }
    if (stopped) return;
    const name = h("input", { type: "text", value: message.name, placeholder: word.one === "Canvas" ? "For example: Win-back journey" : "For example: We miss you", maxlength: 255 });
    const panel = audiencePanel("Reachable audience");
    const records = h("div");
    let timer = null;
    const body = () => ({ name: name.value, segments: message.segments, filters: clean(message.filters) });
    const hasTarget = () => message.segments.length > 0 || (message.filters.groups || []).length > 0 || (message.filters.exclude || []).length > 0;
    async function preview() {
      if (!hasTarget()) {
        panel.fail(new Error("Choose a segment or add a filter."));
      } else if (incomplete(message.filters)) {
        panel.fail(new Error(incomplete(message.filters)));
      } else {
        try { panel.show(await api("POST", "/" + word.path + "/preview", body(), { limit: 20, offset: panel.offset() }), preview); } catch (error) { panel.fail(error); }
      }
      if (id) {
        const sends = (await get("/sends", { message: id })).sends;
        replace(records, sends.length === 0 ? empty("No dry runs yet", "A dry run evaluates the audience as a send would and keeps the list. So does a call of the trigger endpoint with this " + word.one + "’s ID.")
          : table(["When", { title: "Recipients", numeric: true }, "Who", "By"], sends.map((send) => h("tr", null, h("td", null, time(send.at)), h("td", { class: "num" }, number(send.count)),
            h("td", { class: "wide" }, who(send), send.notice && h("div", { class: "note" }, send.notice), said(send)),
            h("td", { class: "tight" }, send.source === "api" ? "API trigger" : "This page")))));
      }
    }
    /** The first ten, and all that were kept on demand. */
    function who(send) {
      if (send.count <= 10) return send.recipients.join(", ");
      const rest = send.count - send.recipients.length;
      return h("details", { open: opened.has(send.at), ontoggle: (event) => { if (event.target.open) opened.add(send.at); else opened.delete(send.at); } },
        h("summary", null, send.recipients.slice(0, 10).join(", ") + " and " + number(send.count - 10) + " more"),
        send.recipients.slice(10).join(", ") + (rest > 0 ? " and " + number(rest) + " more, counted only" : ""));
    }
    /** What an API trigger gave the message to say. */
    function said(send) {
      const parts = [send.send_id && "send_id " + send.send_id, send.properties && JSON.stringify(send.properties)].filter(Boolean);
      return parts.length > 0 && h("details", { open: opened.has(send.id), ontoggle: (event) => { if (event.target.open) opened.add(send.id); else opened.delete(send.id); } },
        h("summary", null, "What it could say"), h("code", null, parts.join(" · ")));
    }
    const opened = new Set();
    const changed = () => { panel.reset(); clearTimeout(timer); timer = setTimeout(preview, 250); };
    async function save() {
      const saved = await attempt(() => api(id ? "PUT" : "POST", "/" + word.path + (id ? "/" + id : ""), body()), "Saved.");
      if (saved && !id) document.dispatchEvent(new CustomEvent("go", { detail: link("/" + word.path + "/" + saved.id) }));
    }
    async function dryRun() {
      const send = await attempt(() => api("POST", "/" + word.path + "/" + id + "/send", {}));
      if (send) { await attempt(async () => preview(), "Dry run: " + count(send.count, "user") + " would be messaged. Nothing was sent."); }
    }
    async function archive() {
      const done = await attempt(() => api("POST", "/" + word.path + "/" + id + "/archive", { archived: !message.archived }), message.archived ? "Active again." : "Archived.");
      if (done) document.dispatchEvent(new CustomEvent("go", { detail: link("/" + word.path + "/" + id) }));
    }
    const chosen = h("div", { class: "choices" });
    function drawSegments() {
      const all = [...catalogue.segments, ...message.segments.filter((segment) => !catalogue.segments.some((entry) => entry.id === segment)).map((segment) => ({ id: segment, name: segment + " (archived)" }))];
      replace(chosen, all.length === 0 ? empty("No segments yet", h("a", { href: link("/segments/new") }, "Create a segment")) : all.map((entry) => h("label", { class: "check" },
        h("input", { type: "checkbox", checked: message.segments.includes(entry.id), onchange: (event) => {
          message.segments = event.target.checked ? [...message.segments, entry.id] : message.segments.filter((other) => other !== entry.id);
          changed();
        } }), entry.name)));
    }
    drawSegments();
    replace(main,
      head(id ? message.name : word.create, id ? ["ID ", h("code", null, message.id), " for the trigger endpoint"] : "Choose who gets it.",
        id && button(message.archived ? "Unarchive" : "Archive", archive, "quiet-button"), id && !message.archived && button("Dry run", dryRun), button("Save", save, "primary")),
      message.archived && h("div", { class: "banner warn" }, "Archived, for example because its segment was archived."),
      h("div", { class: "columns wide-left" },
        h("div", null, card(null, field("Name", name)),
          card(word.step, h("p", { class: "sub" }, "Users must be in all chosen segments and match the further filters."), h("h3", null, "Segments"), chosen,
            h("h3", null, "Further filters"), builder(message.filters, catalogue, changed, { optional: true, apps: false })),
          id && card("Dry runs and API triggers", records)),
        h("div", null, panel.root)));
    watch = live(panel.root, preview, 5000);
  })();
  return () => { stopped = true; if (watch) watch.stop(); };
}
