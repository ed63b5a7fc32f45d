// Builds an audience definition: groups of filters joined by AND or OR, and exclusions.
import { h, replace, select, badge } from "./dom.js";

const kinds = [
  ["attribute", "Custom Attribute"], ["event_count", "Custom Event"], ["event_last", "Last Did Custom Event"],
  ["event_first", "First Did Custom Event"], ["event_x_in_y", "X Custom Event in Y Days"], ["segment", "Segment Membership"],
  ["field", "Profile Field"], ["cohort", "Partner Cohort"], ["purchase_count", "Number of Purchases"],
  ["has_external_id", "External ID"], ["email_available", "Email Available"], ["push_enabled", "Foreground Push Enabled"],
  ["random_bucket", "Random Bucket"],
];
const comparisons = [["more_than", "more than"], ["less_than", "less than"], ["exactly", "exactly"]];

function fresh(kind, catalogue) {
  switch (kind) {
    case "attribute": {
      const first = catalogue.attributes.find((entry) => entry.type && !entry.blocklisted);
      return withType({ kind, name: first ? first.name : "" }, catalogue);
    }
    case "event_count": return { kind, name: firstEvent(catalogue), op: "more_than", n: 0 };
    case "event_last": case "event_first": return { kind, name: firstEvent(catalogue), op: "less_than_ago", value: 7 };
    case "event_x_in_y": return { kind, name: firstEvent(catalogue), op: "more_than", n: 0, days: 7 };
    case "segment": return { kind, id: (catalogue.segments.find((entry) => entry.nestable) || { id: "" }).id, include: true };
    case "cohort": return { kind, partner: "segment", id: (catalogue.cohorts[0] || { id: "" }).id, include: true };
    case "field": return { kind, name: "country", op: "is_any_of", value: [] };
    case "purchase_count": return { kind, op: "more_than", n: 0 };
    case "random_bucket": return { kind, op: "less_than", n: 5000 };
    default: return { kind, include: true };
  }
}

const firstEvent = (catalogue) => (catalogue.events.find((entry) => !entry.blocklisted) || { name: "" }).name;
const typeOf = (filter, catalogue) =>
  filter.type || (catalogue.attributes.find((entry) => entry.name === filter.name) || {}).type || "string";
const operators = (type, catalogue) => (catalogue.types.find((entry) => entry.name === type) || { operators: [] }).operators;

/** The filter with the registered type of its attribute and that type's first operator. */
function withType(filter, catalogue) {
  const type = (catalogue.attributes.find((entry) => entry.name === filter.name) || {}).type || "string";
  const isObject = type === "object" || type === "object_array";
  const operator = operators(isObject ? "string" : type, catalogue)[0] || { name: "is_any_of", operand: "texts" };
  const result = { kind: "attribute", name: filter.name, type: isObject ? "string" : type, op: operator.name, value: emptyValue(operator.operand) };
  if (isObject) result.path = type === "object_array" ? "[]." : "";
  return result;
}

function emptyValue(operand) {
  return { texts: [], number: 0, days: 7, pattern: "", date: new Date().toISOString().slice(0, 10), month_day: "01-31" }[operand];
}

/**
 * @param definition is changed in place.
 * @param changed is told of every change.
 */
export function builder(definition, catalogue, changed, options) {
  const root = h("div", { class: "builder" });
  definition.groups ||= [];
  definition.exclude ||= [];
  if (definition.groups.length === 0 && !options?.optional) definition.groups.push({ join: "AND", filters: [fresh("attribute", catalogue)] });

  function structural() { draw(); changed(); }

  function draw() {
    replace(root,
      options?.apps !== false && h("label", { class: "inline" }, "Users from ", select([["all", "all apps"], ["none", "no apps (API only)"]],
        Array.isArray(definition.apps) ? "some" : definition.apps || "all", (value) => { definition.apps = value; changed(); })),
      groups(definition.groups, definition, "join"),
      h("button", { type: "button", class: "add", onclick: () => { definition.groups.push({ join: "AND", filters: [fresh("attribute", catalogue)] }); structural(); } },
        definition.groups.length ? "+ Add filter group" : "+ Add filters"),
      definition.exclude.length > 0 && h("div", { class: "exclusions" }, h("h3", null, "Exclude users who match any of these groups"), groups(definition.exclude, null)),
      h("button", { type: "button", class: "add", onclick: () => { definition.exclude.push({ join: "AND", filters: [fresh("attribute", catalogue)] }); structural(); } },
        "+ Add exclusion group"));
  }

  function groups(list, owner, key) {
    return list.map((group, index) => [
      index > 0 && (owner ? joinSwitch(owner, key) : h("div", { class: "join" }, h("span", null, "OR"))),
      h("fieldset", { class: "group" }, h("legend", null, owner ? "Filter group " + (index + 1) : "Exclusion group " + (index + 1)),
        group.filters.map((filter, place) => [
          place > 0 && joinSwitch(group, "join"),
          row(group, filter, () => {
            group.filters.splice(place, 1);
            if (group.filters.length === 0) list.splice(index, 1);
            structural();
          }),
        ]),
        h("button", { type: "button", class: "add", onclick: () => { group.filters.push(fresh("attribute", catalogue)); structural(); } }, "+ Add filter")),
    ]);
  }

  function joinSwitch(owner, key) {
    return h("div", { class: "join" }, ["AND", "OR"].map((value) => h("button", {
      type: "button", class: (owner[key] || "AND") === value ? "here" : "", "aria-pressed": String((owner[key] || "AND") === value),
      onclick: () => { owner[key] = value; structural(); },
    }, value)));
  }

  function row(group, filter, remove) {
    const change = (changes) => { Object.assign(filter, changes); changed(); };
    const redraw = (changes) => { Object.assign(filter, changes); structural(); };
    return h("div", { class: "filter" },
      h("div", { class: "controls" }, select(kinds, filter.kind, (kind) => {
        for (const name of Object.keys(filter)) delete filter[name];
        redraw(fresh(kind, catalogue));
      }, { "aria-label": "Kind of filter" }), controls(filter, change, redraw)),
      h("button", { type: "button", class: "remove", "aria-label": "Remove filter", title: "Remove filter", onclick: remove }, "×"));
  }

  function controls(filter, change, redraw) {
    switch (filter.kind) {
      case "attribute": return attribute(filter, change, redraw);
      case "event_count":
        return [eventSelect(filter, redraw), select(comparisons, filter.op, (op) => change({ op })), integer(filter.n, 0, null, (n) => change({ n })), h("span", null, filter.n === 1 ? "time" : "times")];
      case "event_last": case "event_first": return moment(filter, change, redraw);
      case "event_x_in_y":
        return [eventSelect(filter, redraw), select(comparisons, filter.op, (op) => change({ op })), integer(filter.n, 0, 50, (n) => change({ n })), h("span", null, "times in"),
          integer(filter.days, 1, 30, (days) => change({ days })), h("span", null, "days"), property(filter, change, redraw)];
      case "segment":
        if (catalogue.segments.length === 0) return h("span", { class: "quiet" }, "There is no other segment yet.");
        return [select([[true, "is in"], [false, "is not in"]].map(([id, text]) => [String(id), text]), String(filter.include), (value) => change({ include: value === "true" })),
          select(catalogue.segments.filter((entry) => entry.nestable).map((entry) => [entry.id, entry.name]), filter.id, (id) => change({ id }))];
      case "cohort":
        if (catalogue.cohorts.length === 0) return h("span", { class: "quiet" }, "No partner has created a cohort yet.");
        return [select([["true", "includes"], ["false", "doesn't include"]], String(filter.include), (value) => change({ include: value === "true" })),
          select(catalogue.cohorts.map((entry) => [entry.partner + "\n" + entry.id, entry.name + " (" + entry.partner + ")"]), filter.partner + "\n" + filter.id,
            (value) => { const [partner, id] = value.split("\n"); change({ partner, id }); })];
      case "field": {
        const list = operators("string", catalogue);
        return [select(catalogue.fields, filter.name, (name) => change({ name })), operatorSelect(list, filter, redraw), operand(list, filter, change)];
      }
      case "purchase_count": return [select(comparisons, filter.op, (op) => change({ op })), integer(filter.n, 0, null, (n) => change({ n })), h("span", null, "purchases")];
      case "random_bucket": return [select(comparisons, filter.op, (op) => change({ op })), integer(filter.n, 0, 10000, (n) => change({ n }))];
      default: return select([["true", "is true"], ["false", "is false"]], String(filter.include), (value) => change({ include: value === "true" }));
    }
  }

  function attribute(filter, change, redraw) {
    const usable = catalogue.attributes.filter((entry) => (entry.type && !entry.blocklisted) || entry.name === filter.name);
    if (usable.length === 0) return h("span", { class: "quiet" }, "No user has a custom attribute yet. Names appear here with their first value.");
    const registered = catalogue.attributes.find((entry) => entry.name === filter.name);
    const type = typeOf(filter, catalogue);
    const list = operators(type, catalogue);
    const isNested = filter.path !== undefined;
    const parts = [
      select(usable.map((entry) => [entry.name, entry.name]), filter.name, (name) => {
        delete filter.path;
        redraw(withType({ name }, catalogue));
      }, { "aria-label": "Attribute" }),
    ];
    if (isNested) {
      parts.push(h("input", { type: "text", value: filter.path, placeholder: "path, such as address.city", "aria-label": "Path", oninput: (event) => change({ path: event.target.value }) }),
        select(["string", "number", "boolean", "time", "array"], type, (next) => {
          const operator = operators(next, catalogue)[0];
          redraw({ type: next, op: operator.name, value: emptyValue(operator.operand) });
        }, { "aria-label": "Type of the nested value" }));
    }
    parts.push(operatorSelect(list, filter, redraw), operand(list, filter, change));
    if (!isNested && registered && registered.type !== type) {
      parts.push(badge("type is now " + registered.type_text, "warn", "The attribute's type changed after this filter was made. Values of the new type do not match."));
    }
    return parts;
  }

  function operatorSelect(list, filter, redraw) {
    return select(list.map((entry) => [entry.name, entry.label + (entry.formerly ? " (formerly " + entry.formerly + ")" : "")]), filter.op, (op) => {
      const before = list.find((entry) => entry.name === filter.op);
      const after = list.find((entry) => entry.name === op);
      redraw(before && before.operand === after.operand ? { op } : { op, value: emptyValue(after.operand) });
    }, { "aria-label": "Operator" });
  }

  function operand(list, filter, change) {
    const operator = list.find((entry) => entry.name === filter.op);
    switch (operator ? operator.operand : "none") {
      case "texts": return chips(filter, change);
      case "number": return h("input", { type: "number", step: "any", class: "short", value: filter.value, "aria-label": "Number", oninput: (event) => change({ value: Number(event.target.value) }) });
      case "days": return [h("input", { type: "number", min: 0, step: "any", class: "short", value: filter.value, "aria-label": "Days", oninput: (event) => change({ value: Number(event.target.value) }) }), h("span", null, "days")];
      case "pattern": return h("input", { type: "text", class: "code-input", value: filter.value, placeholder: "^Sweater$", title: "Found anywhere, case-insensitive; ^ and $ anchor it", "aria-label": "Pattern", oninput: (event) => change({ value: event.target.value }) });
      case "date": return h("input", { type: "date", value: filter.value, "aria-label": "Date", oninput: (event) => change({ value: event.target.value }) });
      case "month_day": return h("input", { type: "text", class: "short", value: filter.value, placeholder: "12-24", "aria-label": "Month and day", oninput: (event) => change({ value: event.target.value }) });
      default: return null;
    }
  }

  /** Several values: Enter or leaving the field adds one. */
  function chips(filter, change) {
    const box = h("span", { class: "chip-input" });
    function drawChips() {
      const values = filter.value || [];
      const input = h("input", {
        type: "text", placeholder: values.length ? "or…" : "value, then Enter", "aria-label": "Value",
        onkeydown: (event) => {
          if (event.key === "Enter") { event.preventDefault(); add(input.value, true); }
          if (event.key === "Backspace" && input.value === "" && values.length) { change({ value: values.slice(0, -1) }); drawChips(); box.querySelector("input").focus(); }
        },
        onblur: () => add(input.value, false),
      });
      function add(text, focus) {
        if (text === "") return;
        if (!values.includes(text)) change({ value: [...values, text] });
        drawChips();
        if (focus) box.querySelector("input").focus();
      }
      replace(box, values.map((text, index) => h("span", { class: "chip" }, text, h("button", {
        type: "button", "aria-label": "Remove " + text, onclick: () => { change({ value: values.filter((_, place) => place !== index) }); drawChips(); },
      }, "×"))), input);
    }
    drawChips();
    return box;
  }

  function eventSelect(filter, redraw) {
    const usable = catalogue.events.filter((entry) => !entry.blocklisted || entry.name === filter.name).map((entry) => entry.name);
    if (filter.name && !usable.includes(filter.name)) usable.push(filter.name);
    if (usable.length === 0) return h("span", { class: "quiet" }, "No custom event has come yet.");
    return select(usable, filter.name, (name) => { delete filter.property; redraw({ name }); }, { "aria-label": "Event" });
  }

  function moment(filter, change, redraw) {
    const isDate = filter.op === "before" || filter.op === "after";
    return [eventSelect(filter, redraw),
      select([["less_than_ago", "less than"], ["more_than_ago", "more than"], ["before", "before"], ["after", "after"]], filter.op, (op) =>
        redraw({ op, value: (op === "before" || op === "after") === isDate ? filter.value : op === "before" || op === "after" ? emptyValue("date") : 7 })),
      isDate ? h("input", { type: "date", value: filter.value, oninput: (event) => change({ value: event.target.value }) })
        : [h("input", { type: "number", min: 0, step: "any", class: "short", value: filter.value, oninput: (event) => change({ value: Number(event.target.value) }) }), h("span", null, "days ago")]];
  }

  function property(filter, change, redraw) {
    const enabled = (catalogue.events.find((entry) => entry.name === filter.name) || {}).enabled_properties || [];
    if (enabled.length === 0) return null;
    if (!filter.property) return h("button", { type: "button", class: "add", onclick: () => redraw({ property: { name: enabled[0], op: "equals", value: "" } }) }, "+ Property");
    const condition = filter.property;
    const set = (changes) => { Object.assign(condition, changes); changed(); };
    return [h("span", null, "where"), select(enabled, condition.name, (name) => set({ name })),
      select([["equals", "equals"], ["does_not_equal", "does not equal"], ["more_than", "more than"], ["less_than", "less than"]], condition.op, (op) => set({ op })),
      h("input", { type: "text", class: "short", value: condition.value, oninput: (event) => set({ value: event.target.value }) }),
      h("button", { type: "button", class: "remove", "aria-label": "Remove property", onclick: () => { delete filter.property; structural(); } }, "×")];
  }

  function integer(value, min, max, onchange) {
    return h("input", { type: "number", class: "short", min, max, step: 1, value, "aria-label": "Number", oninput: (event) => onchange(Number(event.target.value)) });
  }

  draw();
  return root;
}

/** What is still missing in a definition, in words; null where it can be asked for. */
export function incomplete(definition) {
  for (const group of [...(definition.groups || []), ...(definition.exclude || [])]) {
    for (const filter of group.filters) {
      if (filter.name === "") return filter.kind === "attribute" ? "Choose a custom attribute." : "Choose a custom event.";
      if (filter.id === "") return filter.kind === "segment" ? "Choose a segment." : "Choose a cohort.";
      if (filter.value === "" || (Array.isArray(filter.value) && filter.value.length === 0)) return "Enter a value for " + filter.name + ".";
      if (filter.property && filter.property.value === "") return "Enter a value for the property " + filter.property.name + ".";
    }
  }
  return null;
}

/** The definition without what the server adds. */
export function clean(definition) {
  return { apps: definition.apps || "all", join: definition.join || "AND", groups: definition.groups || [], exclude: definition.exclude || [] };
}
