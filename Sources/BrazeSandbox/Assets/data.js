import { h, replace, get, api, head, empty, table, badge, number, time, live, attempt, select } from "./dom.js";

const types = [["", "Detect automatically"], ["boolean", "Boolean"], ["number", "Number"], ["string", "String"], ["time", "Time"], ["array", "Array"], ["object", "Object"], ["object_array", "Object Array"]];

function blocklist(path, entry, watch) {
  return h("label", { class: "check" }, h("input", {
    type: "checkbox", checked: entry.blocklisted, onchange: async (event) => {
      const on = event.target.checked;
      if (on && !confirm("Blocklist “" + entry.name + "”? New values are ignored, and segments and campaigns that use it are archived.")) { event.target.checked = false; return; }
      await attempt(() => api("POST", path, { name: entry.name, blocklisted: on }), on ? "Blocklisted." : "Taken off the blocklist.");
      watch().again();
    },
  }), "Blocklisted");
}

export function attributes(main) {
  const result = h("div");
  replace(main, head("Custom Attributes", "Names come with the data. The type decides which filter operators exist."), result);
  const watch = live(result, async () => {
    if (result.contains(document.activeElement) && document.activeElement.tagName === "SELECT") return;
    const list = (await get("/catalogue")).attributes;
    replace(result, list.length === 0 ? empty("No custom attributes yet", "Every key of an attributes object that is no reserved profile field becomes a custom attribute.")
      : table(["Name", "Type", "Set type", "First seen", "Last written", ""], list.map((entry) => h("tr", null,
        h("td", { class: "name" }, entry.name),
        h("td", null, entry.type_text, entry.type_changes > 0 && [" ", badge("changed " + number(entry.type_changes) + " ×", "warn", "The detected type flipped. Users with a value of the older type drop out of filters until it is written again.")]),
        h("td", null, select(types, entry.forced ? entry.type : "", async (type) => {
          await attempt(() => api("POST", "/attributes", { name: entry.name, type: type || null }), "The type is set.");
          watch.again();
        }, { "aria-label": "Type of " + entry.name })),
        h("td", null, time(entry.first_seen)), h("td", null, time(entry.last_seen)), h("td", null, blocklist("/attributes", entry, () => watch))))));
  }, 10000);
  return watch.stop;
}

export function events(main) {
  const result = h("div");
  replace(main, head("Custom Events", "Counts are lifetime totals over all users and never go down."), result);
  const watch = live(result, async () => {
    const catalogue = await get("/catalogue");
    const used = catalogue.events.reduce((sum, entry) => sum + entry.enabled_properties.length, 0);
    replace(result, catalogue.events.length === 0 ? empty("No custom events yet", "They come in the events array of /users/track, for example when an audience is connected by track.")
      : [table(["Name", { title: "Count", numeric: true }, "First", "Last", "Properties for segmentation", ""], catalogue.events.map((entry) => h("tr", null,
        h("td", { class: "name" }, entry.name), h("td", { class: "num" }, number(entry.count)), h("td", null, time(entry.first_seen)), h("td", null, time(entry.last_seen)),
        h("td", null, entry.seen_properties.length === 0 ? h("span", { class: "quiet" }, "none sent") : h("div", { class: "choices" }, entry.seen_properties.map((name) => h("label", { class: "check" },
          h("input", { type: "checkbox", checked: entry.enabled_properties.includes(name), onchange: async (event) => {
            const properties = event.target.checked ? [...entry.enabled_properties, name] : entry.enabled_properties.filter((other) => other !== name);
            await attempt(() => api("POST", "/events", { name: entry.name, properties }), "Saved.");
            watch.again();
          } }), name)))),
        h("td", null, blocklist("/events", entry, () => watch))))),
      h("p", { class: "note" }, "Event properties are not kept on profiles. Enabling one (" + used + " of " + catalogue.enabled_properties_limit + " in use) keeps it for 30 days from now on, for filters of the kind X Custom Event in Y Days; each costs a data point per event.")]);
  }, 10000);
  return watch.stop;
}
