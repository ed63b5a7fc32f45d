import { h, replace, link, get, api, head, card, empty, table, badge, button, field, number, count, time, live, attempt } from "./dom.js";
import { builder, clean, incomplete } from "./builder.js";
import { userTable, pager } from "./users.js";

export function show(main, id) { return id ? editor(main, id === "new" ? null : id) : list(main); }

const create = () => h("a", { class: "button primary", href: link("/segments/new") }, "Create Segment");

function list(main) {
  const result = h("div");
  replace(main, head("Segments", "Groups of users by what they have and did. Membership is live: it changes with every API call.", create()), result);
  return live(result, async () => {
    const page = await get("/segments");
    if (page.segments.length === 0) {
      replace(result, empty("No segments yet", h("p", null,
        "After an identify call, filter on the custom attribute: “matches regex” for a computed trait, “is true” for an audience. After a track call, filter on the custom event: more than, less than or exactly a number of times."), create()));
      return;
    }
    replace(result, table(["Name", "Filters", { title: "Size", numeric: true }, "Used in", "Changed"], page.segments.map((segment) => h("tr", { class: segment.archived ? "archived" : "" },
      h("td", null, h("a", { class: "name", href: link("/segments/" + segment.id) }, segment.name), segment.archived && [" ", badge("archived")]),
      h("td", { class: "wide" }, segment.text),
      h("td", { class: "num" }, segment.archived ? "–" : segment.size === null ? badge("too slow", "warn") : count(segment.size, "user")),
      h("td", null, segment.used_in.length ? segment.used_in.map((use) => h("div", null, use.name)) : h("span", { class: "quiet" }, "–")),
      h("td", null, time(segment.updated_at))))));
  }, 5000).stop;
}

/** The panel beside a builder: size, reach, members. `load` gives the server's answer or throws. */
export function audiencePanel(title) {
  const size = h("div", { class: "size" });
  const members = h("div");
  const root = h("div", null, card(title, size), card("Members", members));
  let offset = 0;
  return {
    root,
    offset: () => offset,
    reset() { offset = 0; },
    show(page, again) {
      const share = page.users ? (100 * page.size / page.users) : 0;
      replace(size, h("div", { class: "big" }, number(page.size), h("span", null, page.size === 1 ? " user" : " users")),
        h("div", { class: "meter" }, (() => { const bar = h("div"); bar.style.width = Math.min(100, share) + "%"; return bar; })()),
        h("p", { class: "sub" }, (share > 0 && share < 0.1 ? "<0.1" : share.toFixed(share === 100 || share === 0 ? 0 : 1)) + " % of " + count(page.users, "user") + " · counted exactly"),
        h("p", { class: "sub" }, "Reachable: " + number(page.with_email) + " by email, " + number(page.with_push) + " by push"),
        (page.warnings || []).map((text) => h("div", { class: "banner warn" }, text)));
      replace(members, page.members.length ? [userTable(page.members, true), pager(offset, 20, page.size, (next) => { offset = next; again(); })]
        : empty("Nobody matches", "Loosen a filter, or look up a user below to see which criteria fail."));
    },
    fail(error) { replace(size, h("div", { class: "banner" }, error.message)); replace(members, h("p", { class: "quiet" }, "Complete the filters to see members.")); },
  };
}

function lookup(ask) {
  const result = h("div");
  const input = h("input", { type: "text", placeholder: "External ID or Braze ID", "aria-label": "User" });
  async function run(event) {
    event.preventDefault();
    try {
      const verdict = await ask(input.value);
      replace(result, verdict.matches
        ? h("div", { class: "banner good" }, h("a", { href: link("/users/" + verdict.user.braze_id) }, input.value), " matches all criteria.")
        : h("div", { class: "banner warn" }, h("a", { href: link("/users/" + verdict.user.braze_id) }, input.value), " does not match. Unmet criteria:",
          h("ul", null, verdict.unmet.map((text) => h("li", null, text)))));
    } catch (error) {
      replace(result, h("div", { class: "banner bad" }, error.message));
    }
  }
  return card("User Lookup", h("form", { class: "bar", onsubmit: run }, input, h("button", null, "Check")), result);
}

function editor(main, id) {
  let watch = null;
  let stopped = false;
  replace(main, h("p", { class: "quiet" }, "Loading…"));
  (async () => {
    let segment, catalogue;
    try {
      catalogue = await get("/catalogue");
      segment = id ? await get("/segments/" + encodeURIComponent(id)) : { name: "", description: "", groups: [], exclude: [] };
    } catch (error) {
      replace(main, empty("This segment is not here", h("p", null, error.message), h("a", { href: link("/segments") }, "All segments")));
      return;
    }
    if (stopped) return;
    catalogue.segments = catalogue.segments.filter((entry) => entry.id !== id);
    if (!id && catalogue.attributes.every((entry) => !entry.type) && catalogue.events.length > 0) {
      segment.groups.push({ join: "AND", filters: [{ kind: "event_count", name: catalogue.events[0].name, op: "more_than", n: 0 }] });
    }
    const name = h("input", { type: "text", value: segment.name, placeholder: "For example: Dormant shoppers", maxlength: 255, autofocus: !id });
    const description = h("input", { type: "text", value: segment.description, placeholder: "What it is for" });
    const panel = audiencePanel("Audience");
    let timer = null;
    const body = () => ({ ...clean(segment), id: id || undefined });
    async function preview() {
      const wanted = body();
      const missing = incomplete(segment);
      if (missing) return panel.fail(new Error(missing));
      try {
        const saved = panel.offset() > 0 && id;
        const page = saved ? await get("/segments/" + id + "/members", { offset: panel.offset(), limit: 20 })
          : await api("POST", "/segments/preview", wanted, { limit: 20 });
        if (id && !saved) api("GET", "/segments/" + id + "/members", undefined, { limit: 0 }).catch(() => {});
        panel.show(page, preview);
      } catch (error) { panel.fail(error); }
    }
    const changed = () => { panel.reset(); clearTimeout(timer); timer = setTimeout(preview, 250); };
    async function save() {
      const saved = await attempt(() => api(id ? "PUT" : "POST", id ? "/segments/" + id : "/segments", { ...clean(segment), name: name.value, description: description.value }),
        "The segment is saved.");
      if (saved && !id) document.dispatchEvent(new CustomEvent("go", { detail: link("/segments/" + saved.id) }));
    }
    async function archive() {
      const affected = (segment.used_in || []).filter((use) => !use.archived).map((use) => use.kind + " “" + use.name + "”");
      if (!segment.archived && !confirm("Archive this segment?" + (affected.length ? " This also archives " + affected.join(", ") + "." : ""))) return;
      const saved = await attempt(() => api("POST", "/segments/" + id + "/archive", { archived: !segment.archived }), segment.archived ? "The segment is active again." : "The segment is archived.");
      if (saved) document.dispatchEvent(new CustomEvent("go", { detail: link("/segments/" + id) }));
    }
    replace(main,
      head(id ? segment.name : "Create Segment", id ? ["ID ", h("code", null, segment.id)] : "Name it, add filters, watch who matches.",
        id && button(segment.archived ? "Unarchive" : "Archive", archive, "quiet-button"), button("Save", save, "primary")),
      segment.archived && h("div", { class: "banner warn" }, "Archived: it is not listed for campaigns and the API."),
      h("div", { class: "columns wide-left" },
        h("div", null, card(null, field("Segment name", name), field("Description", description)), card("Filters", builder(segment, catalogue, changed)),
          (segment.used_in || []).length > 0 && card("Used in", h("ul", { class: "plain" }, segment.used_in.map((use) =>
            h("li", null, h("a", { href: link("/" + { campaign: "campaigns", canvas: "canvases", segment: "segments" }[use.kind] + "/" + use.id) }, use.name), " ", badge(use.kind), use.archived && [" ", badge("archived")]))))),
        h("div", null, panel.root, lookup((user) => api("POST", "/segments/preview", { ...body(), user })))));
    watch = live(panel.root, preview, 5000);
  })();
  return () => { stopped = true; if (watch) watch.stop(); };
}
