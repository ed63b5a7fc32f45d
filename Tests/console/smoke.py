#!/usr/bin/env python3
"""Opens every page of the console of a running server, as a newcomer would, and looks for what a person would not see:
console errors, failed requests, and pages that can't be reached. Saves screenshots into ./artifacts.

    muster serve --data /tmp/smoke --port 7700 &
    Tests/console/smoke.py http://127.0.0.1:7700 [--braze http://127.0.0.1:7701] [--password …]

Needs: pip install playwright; apt-get install chromium. Leaves what it creates on the server: use a fresh one.
"""

import argparse
import base64
import json
import os
import sys
import time
import urllib.error
import urllib.request

from playwright.sync_api import expect, sync_playwright

SPACE = "/spaces/spa_muster"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--braze", default="http://127.0.0.1:9", help="address of a Braze or sandbox; need not answer")
    parser.add_argument("--key", default="smoke-test-key-0000", help="its REST API key")
    parser.add_argument("--password")
    parser.add_argument("--browser", default="/usr/bin/chromium")
    parser.add_argument("--out", default="artifacts")
    return parser.parse_args()


class Server:
    """The API, from outside."""

    def __init__(self, url, password):
        self.url = url.rstrip("/")
        self.headers = {"Content-Type": "application/json"}
        if password:
            self.headers["Authorization"] = f"Bearer {password}"

    def call(self, method, path, body=None, headers=None):
        data = json.dumps(body if body is not None else {}).encode() if method != "GET" else None
        request = urllib.request.Request(self.url + path, data, headers or self.headers, method=method)
        with urllib.request.urlopen(request, timeout=20) as response:
            return json.loads(response.read())

    def get(self, path):
        return self.call("GET", path)["data"]

    def wait(self):
        for _ in range(100):
            try:
                return self.get("/status")["status"]
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        sys.exit(f"no server answers at {self.url}")

    def send(self, write_key, messages):
        basic = base64.b64encode(f"{write_key}:".encode()).decode()
        self.call("POST", "/v1/batch", {"batch": messages}, {"Content-Type": "application/json", "Authorization": f"Basic {basic}"})
        for _ in range(200):
            if self.get("/status")["status"]["engine"]["lagRecords"] == 0:
                return
            time.sleep(0.05)
        sys.exit("the engine does not catch up")


def events():
    """Forty people, one of them hostile; half have bought."""
    messages = []
    for number in range(40):
        user = f"smoke_{number}"
        name = "<img src=x onerror=document.title='hacked'>" if number == 0 else f"Person {number}"
        traits = {"name": name, "email": f"{user}@example.org", "plan": "pro" if number % 2 else "free"}
        messages.append({"type": "identify", "userId": user, "anonymousId": f"anon_{number}", "traits": traits})
        messages.append({"type": "track", "userId": user, "event": "Product Viewed", "properties": {"name": "Sweater", "price": number}})
        if number % 2 == 0:
            messages.append({"type": "track", "userId": user, "event": "Order Completed", "properties": {"revenue": number * 1.5}})
        if number % 10 == 0:
            messages.append({"type": "group", "userId": user, "groupId": "smoke_inc", "traits": {"name": "Smoke Inc"}})
    return messages


class Console:
    """The browser; collects everything that goes wrong."""

    def __init__(self, page, url, out):
        self.page, self.url, self.out = page, url, out
        self.problems = []
        self.shots = 0
        page.on("console", lambda message: message.type in ("error", "warning") and self.problem(message.text))
        page.on("pageerror", lambda error: self.problem(f"uncaught: {error}"))
        page.on("response", lambda response: response.status >= 400 and self.problem(f"{response.status} {response.url}"))
        page.on("requestfailed", self.request_failed)

    def problem(self, text):
        self.problems.append(f"{self.page.url}: {text}")

    def request_failed(self, request):
        # Leaving a page takes its requests back.
        if "ERR_ABORTED" not in (request.failure or ""):
            self.problem(f"{request.failure} {request.url}")

    def open(self, path, heading=None):
        self.page.goto(f"{self.url}/#/{path}")
        title = self.page.locator("main h1")
        expect(title).to_be_visible()
        if heading:
            expect(title).to_have_text(heading)
        self.page.wait_for_load_state("networkidle")
        if self.page.title() == "hacked":
            self.problem("ran a script that came as data")
        expect(self.page.locator("main .loading")).to_have_count(0)
        self.shoot(path)

    def shoot(self, name):
        self.shots += 1
        safe = "".join(character if character.isalnum() else "_" for character in name)[:60]
        self.page.screenshot(path=os.path.join(self.out, f"{self.shots:02d}_{safe}.png"), full_page=True)


def add_braze(console, arguments):
    page = console.page
    console.open("destinations", "Destinations")
    page.get_by_role("button", name="Add Braze").first.click()
    sheet = page.get_by_role("dialog")
    sheet.get_by_label("Data centre").select_option(label="Another address …")
    sheet.get_by_label("Address").fill(arguments.braze)
    sheet.get_by_label("REST API key").fill(arguments.key)
    console.shoot("add_braze")
    sheet.get_by_role("button", name="Add Destination").click()
    expect(page.locator("main h1")).to_have_text("Braze")


def create_audience(console, name):
    """The seed, steps 2 to 5."""
    page = console.page
    console.open("audiences", "Audiences")
    page.get_by_role("link", name="New").first.click()
    page.get_by_role("button", name="Users People").click()
    page.get_by_text("Add condition").click()
    page.get_by_role("button", name="Performed an Event").click()
    page.get_by_label("event name").fill("Order Completed")
    page.get_by_role("button", name="time window").click()
    expect(page.get_by_text("Realtime Enabled")).to_be_visible()
    expect(page.locator(".preview .big")).to_have_text("20")
    console.shoot("configure")
    page.get_by_role("tab", name="Query").click()
    query = page.locator("textarea.query")
    expect(query).to_have_value("event('Order Completed').within(30 days).count() >= 1")
    query.fill("evnt('Order Completed').count() >= 1")
    expect(page.locator(".excerpt .caret")).to_be_visible()
    console.shoot("query_error")
    query.fill("event('Order Completed').within(30 days).count()>=1")
    page.get_by_role("tab", name="Builder").click()
    expect(page.get_by_label("event name")).to_have_value("Order Completed")
    page.get_by_role("button", name="Select Destinations").click()
    page.get_by_role("button", name="Braze").first.click()
    page.get_by_label("Connection settings of Braze").click()
    page.get_by_label("Send Track").check()
    console.shoot("connection_settings")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Review & Create").click()
    expect(page.get_by_label("Historical Backfill")).to_be_checked()
    page.get_by_label("Audience name").fill(name)
    expect(page.locator(".preview .big")).to_have_text("20")
    console.shoot("review")
    page.get_by_role("button", name="Create Audience").click()
    expect(page.locator("main h1")).to_have_text(name)
    expect(page.locator(".figure strong").first).to_have_text("20")


def create_trait(console, name):
    page = console.page
    console.open("traits", "Computed Traits")
    page.get_by_role("link", name="New").first.click()
    console.shoot("trait_types")
    page.get_by_role("button", name="Last The latest").click()
    page.get_by_label("event name").fill("Product Viewed")
    page.get_by_label("property", exact=True).fill("name")
    expect(page.locator(".preview .big")).to_have_text("40")
    expect(page.locator(".preview .funnel-head")).to_have_text("Sweater40")
    page.get_by_role("button", name="Select Destinations").click()
    page.get_by_role("button", name="Review & Create").click()
    page.get_by_label("Computed trait name").fill(name)
    page.get_by_role("button", name="Create Computed Trait").click()
    expect(page.locator("main h1")).to_have_text(name)


def ask_why(console, server):
    """Why somebody is in, why not, and how it was before anybody was."""
    page = console.page
    audience = server.get(f"{SPACE}/audiences")["audiences"][0]["id"]
    console.open(f"audiences/{audience}")
    expect(page.get_by_role("heading", name="When people leave")).to_be_visible()
    page.get_by_role("link", name="Why?").first.click()
    expect(page.locator("main h1")).to_contain_text("is in “Recent Buyers”")
    expect(page.locator(".why .holds")).to_have_count(1)
    page.get_by_text("1 event counts").click()
    expect(page.locator(".why-events li")).to_contain_text("Order Completed")
    console.shoot("why_in")
    console.open(f"audiences/{audience}/why/smoke_1")
    expect(page.locator("main h1")).to_contain_text("is not in “Recent Buyers”")
    expect(page.get_by_text("must become true")).to_be_visible()
    # A month after the last order, if nothing happens.
    console.open(f"audiences/{audience}")
    expect(page.locator("tbody tr")).to_have_count(20)
    later = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() + 32 * 86_400))
    page.get_by_label("As of (your local time)").fill(later)
    expect(page.get_by_text("Nobody was in at that time.")).to_be_visible()
    page.get_by_role("button", name="Now").click()
    expect(page.locator("tbody tr")).to_have_count(20)


def look_into_a_preview(console):
    """How many each condition leaves, and who of them is in another audience, too."""
    page = console.page
    console.open("audiences/new")
    page.get_by_role("button", name="Users People").click()
    page.get_by_role("tab", name="Query").click()
    page.locator("textarea.query").fill(
        "trait('plan') = 'free' AND (event('Order Completed').sum(property('revenue')) > 30"
        " OR event('Product Viewed').where(property('price') < 6).count() >= 1) AND event('Order Completed').count() >= 1")
    expect(page.locator(".preview .big")).to_have_text("12")
    counts = page.locator(".preview .funnel-head strong")
    # Everybody; the plan; the group and its two branches; the order.
    expect(counts).to_have_text(["40", "20", "12", "9", "15", "12"])
    page.get_by_label("Compare with an audience").select_option(label="Recent Buyers")
    expect(page.locator(".overlap circle")).to_have_count(2)
    expect(page.locator(".overlap-row strong")).to_have_text(["0", "12", "8"])
    expect(page.get_by_role("region", name="Identifier breakdown")).to_contain_text("user_id")
    console.shoot("preview_conditions_overlap")


def visit_everything(console, server):
    audience = server.get(f"{SPACE}/audiences")["audiences"][0]["id"]
    trait = server.get(f"{SPACE}/computed-traits")["computedTraits"][0]["id"]
    destination = server.get("/destinations")["destinations"][0]["id"]
    source = server.get("/sources")["sources"][0]["id"]
    person = server.get(f"{SPACE}/profiles?search=smoke_0")["profiles"][0]["id"]
    account = server.get(f"{SPACE}/profiles?search=smoke_inc&collection=accounts")["profiles"][0]["id"]
    console.open("overview", "Overview")
    for path in ["audiences", "traits", "profiles", "profiles?collection=accounts", "sources", "destinations", "debugger", "debugger?person=smoke_0", "traits/new"]:
        console.open(path)
    for tab in ["", "/builder", "/destinations", "/settings"]:
        console.open(f"audiences/{audience}{tab}")
        console.open(f"traits/{trait}{tab}")
    for tab in ["", "/audiences", "/events", "/identities", "/accounts", "/deliveries"]:
        console.open(f"profiles/{person}{tab}")
    console.open(f"profiles/{account}/accounts")
    for tab in ["", "/debugger", "/settings"]:
        console.open(f"sources/{source}{tab}")
    for tab in ["", "/deliveries", "/parked", "/tester", "/settings"]:
        console.open(f"destinations/{destination}{tab}")
    console.open("no/such/page", "Not found")


def connect_a_source_and_try_a_call(console, server):
    """Passes a source on to the destination, and asks what would become of a call and of an anonymous one."""
    destination = server.get("/destinations")["destinations"][0]["id"]
    source = server.get("/sources")["sources"][0]
    page = console.page
    console.open(f"destinations/{destination}")
    page.get_by_role("button", name=f"Connect {source['name']}").click()
    sheet = page.locator("dialog.sheet")
    sheet.get_by_label("Page Calls").check()
    console.shoot("source_connection")
    sheet.get_by_role("button", name=f"Connect {source['name']}").click()
    expect(page.locator("main").get_by_role("link", name=source["name"])).to_be_visible()
    console.open(f"destinations/{destination}/tester")
    page.get_by_role("button", name="Dry run").click()
    expect(page.get_by_text("It would be sent like this.")).to_be_visible()
    page.get_by_label("Start from").select_option("anonymous")
    page.get_by_role("button", name="Dry run").click()
    expect(page.get_by_text("takes identified users only")).to_be_visible()
    console.shoot("event_tester")


def set_how_long_events_are_kept(console, server):
    """Looks at what rules would delete, and saves one that deletes what is too old."""
    page = console.page
    old = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 900 * 86400))
    server.send(server.get("/sources")["sources"][0]["writeKey"], [
        {"type": "track", "userId": "smoke_0", "event": "Ancient Visit", "timestamp": old, "properties": {"number": number}}
        for number in range(3)])
    for _ in range(100):
        if any(event["name"] == "Ancient Visit" for event in server.get(f"{SPACE}/events")["events"]):
            break
        time.sleep(0.1)
    console.open("settings", "Settings")
    page.get_by_label("All events", exact=True).select_option("days")
    page.get_by_label("All events: days").fill("3650")
    page.get_by_role("button", name="Add exception").click()
    page.get_by_label("Event", exact=True).fill("Never Seen")
    page.get_by_role("button", name="Review change").click()
    expect(page.get_by_text("Not seen so far: Never Seen.")).to_be_visible()
    expect(page.get_by_text("Nothing would be deleted now.")).to_be_visible()
    page.get_by_role("button", name="Remove").click()
    page.get_by_label("All events: days").fill("800")
    page.get_by_role("button", name="Review change").click()
    expect(page.get_by_text("3 events of 1 person would be deleted at once, for good.")).to_be_visible()
    console.shoot("retention_review")
    page.get_by_role("button", name="Delete 3 events and save").click()
    page.get_by_role("button", name="Delete and save", exact=True).click()
    expect(page.get_by_text("for 800 days", exact=True)).to_be_visible()
    console.shoot("retention")
    assert server.get("/spaces/default/retention")["retention"]["days"] == 800
    assert all(event["name"] != "Ancient Visit" for event in server.get(f"{SPACE}/events")["events"])


def visit_on_a_phone(console, server):
    """Nothing may be wider than the screen."""
    audience = server.get(f"{SPACE}/audiences")["audiences"][0]["id"]
    for path in ["overview", "audiences", f"audiences/{audience}", f"audiences/{audience}/builder", "profiles", "destinations", "debugger", "settings"]:
        console.open(path)
        width = console.page.evaluate("document.documentElement.scrollWidth")
        if width > 390:
            console.problem(f"is {width} pixels wide on a phone of 390")
    console.page.get_by_role("button", name="Menu").click()
    expect(console.page.get_by_role("link", name="Computed Traits")).to_be_visible()
    console.shoot("phone_menu")


def main():
    arguments = parse_arguments()
    os.makedirs(arguments.out, exist_ok=True)
    server = Server(arguments.url, arguments.password)
    server.wait()
    sources = server.get("/sources")["sources"]
    source = sources[0] if sources else server.call("POST", "/sources", {"name": "Smoke <b>test</b>"})["data"]["source"]
    server.send(source["writeKey"], events())
    credentials = {"username": "admin", "password": arguments.password} if arguments.password else None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=arguments.browser, args=["--no-sandbox"])
        desk = browser.new_context(viewport={"width": 1280, "height": 860}, http_credentials=credentials)
        console = Console(desk.new_page(), server.url, arguments.out)
        add_braze(console, arguments)
        create_audience(console, "Recent Buyers")
        create_trait(console, "Last Product Viewed Item")
        ask_why(console, server)
        look_into_a_preview(console)
        connect_a_source_and_try_a_call(console, server)
        set_how_long_events_are_kept(console, server)
        visit_everything(console, server)
        phone = browser.new_context(viewport={"width": 390, "height": 844}, http_credentials=credentials, has_touch=True)
        pocket = Console(phone.new_page(), server.url, arguments.out)
        pocket.shots = 60
        visit_on_a_phone(pocket, server)
        browser.close()
    problems = console.problems + pocket.problems
    for problem in problems:
        print(problem)
    print(f"{console.shots + pocket.shots - 60} screenshots in {arguments.out}, {len(problems)} problems")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
