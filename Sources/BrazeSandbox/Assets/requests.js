import { h, replace, link, get, head, card, empty, table, badge, code, number, count, bytes, time, absolute, live, pretty, select } from "./dom.js";
import { effectBadge } from "./users.js";

export function show(main, id) { return id ? detail(main, id) : list(main); }

function statusBadge(entry) {
  if (entry.status === 0) return badge("no answer", "bad");
  return badge(entry.status, entry.status < 300 ? (entry.refused > 0 ? "warn" : "good") : "bad");
}

function list(main) {
  let status = "";
  const result = h("div");
  const filter = select([["", "All calls"], ["problems", "With problems"], ["2xx", "2xx"], ["4xx", "4xx"], ["5xx", "5xx"], ["lost", "No answer"]], status,
    (value) => { status = value; watch.again(); load(); }, { "aria-label": "Filter" });
  replace(main, head("Request log", "What came to the REST API and what went back: the last 2,000 calls since the start."), h("div", { class: "bar" }, filter), result);
  async function load() {
    const page = await get("/requests", { status, limit: 100 });
    replace(result, page.requests.length === 0
      ? empty(status ? "No such calls" : "No calls yet", status ? "Choose another filter." : h("p", null, "Point a client to ", h("code", null, location.origin), "; the key is on the Settings page."))
      : table([{ title: "#", numeric: true }, "When", "Call", "Answer", { title: "Objects", numeric: true }, { title: "Refused", numeric: true }, { title: "Data points", numeric: true }, { title: "Size", numeric: true }, "Key"],
        page.requests.map((entry) => h("tr", null,
          h("td", { class: "num" }, h("a", { href: link("/requests/" + entry.number) }, entry.number)), h("td", null, time(entry.at)),
          h("td", null, h("a", { href: link("/requests/" + entry.number), class: "name" }, entry.method + " " + entry.path)),
          h("td", null, statusBadge(entry), entry.fault && [" ", badge("fault: " + entry.fault, "warn")], entry.waiting > 0 && [" ", badge("ingesting")]),
          h("td", { class: "num" }, number(entry.objects)), h("td", { class: "num" + (entry.refused ? " bad-text" : "") }, number(entry.refused)),
          h("td", { class: "num" }, number(entry.data_points)), h("td", { class: "num" }, bytes(entry.bytes)), h("td", null, entry.key || h("span", { class: "quiet" }, "none"))))));
  }
  const watch = live(result, load, 10000);
  return watch.stop;
}

function headers(list) {
  return list.length ? code(list.map((entry) => entry.name + ": " + entry.value).join("\n")) : h("p", { class: "quiet" }, "None worth showing.");
}

function detail(main, id) {
  return live(main, async () => {
    let entry;
    try { entry = await get("/requests/" + encodeURIComponent(id)); } catch (error) {
      replace(main, empty("This call is not in the log", h("p", null, error.message), h("a", { href: link("/requests") }, "Request log")));
      return;
    }
    replace(main, head("Call " + entry.number, [entry.method, " ", entry.path, " · ", absolute(entry.at), entry.remote && " · from " + entry.remote], statusBadge(entry)),
      entry.fault && h("div", { class: "banner warn" }, "A fault knob took part: " + entry.fault + "."),
      entry.outcomes.length > 0 && card(count(entry.outcomes.length, "object") + ", " + count(entry.data_points, "data point"),
        table(["Object", "User", "Effect", "Notes", { title: "Data points", numeric: true }], entry.outcomes.map((outcome) => h("tr", null,
          h("td", null, outcome.array + "[" + outcome.index + "]"),
          h("td", null, outcome.braze_id ? h("a", { href: link("/users/" + outcome.braze_id) }, outcome.identity || outcome.braze_id) : outcome.identity || h("span", { class: "quiet" }, "–")),
          h("td", null, effectBadge(outcome.effect)), h("td", { class: "wide" }, outcome.notes.map((note) => h("div", null, note))), h("td", { class: "num" }, number(outcome.data_points)))))),
      h("div", { class: "columns halves" },
        h("div", null, card("Request · " + bytes(entry.bytes), headers(entry.request_headers), code(pretty(entry.request_body)), entry.request_cut && h("p", { class: "note" }, "Cut after 128 KB."))),
        h("div", null, card("Answer · " + (entry.status || "connection closed"), headers(entry.answer_headers), code(pretty(entry.answer_body))))));
  }, 60000).stop;
}
