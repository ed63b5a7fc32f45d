"""A second oracle: random definitions translated to SQL, and the same events in DuckDB. What the real binary says of every
person must be what DuckDB says: windowed counts, sums and other reducers, funnels, and sets made of them.

Short form 100,000 events, long form (MUSTER_LONG=1) a million; MUSTER_SEED repeats a run. Some definitions are there before the
events and are kept up event by event, the others are answered from history afterwards.

Events stand on a grid of hours, half an hour away from now and moved by up to ten minutes, and windows are whole hours: so no
answer changes by time alone while the test looks.
"""

import json
import math
import os
import random
import threading
import time
from datetime import datetime, timedelta, timezone

import duckdb
import pytest

from harness import PATIENCE, basic, request

LONG = os.environ.get("MUSTER_LONG") == "1"
EVENTS = int(os.environ.get("MUSTER_EVENTS", 1_000_000 if LONG else 100_000))
SEED = int(os.environ.get("MUSTER_SEED", 20_261_124))
DAYS = 60
NAMES = ["Order Completed", "Product Viewed", "Product Added", "Signed In"]
CATEGORIES = ["shoes", "hats", "books", "Bücher", "it's"]


def quoted(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def sql_quoted(text):
    return "'" + text.replace("'", "''") + "'"


class Stream:
    """Events of one name with filters: as Muster's text, and as a condition on rows of `events`."""

    def __init__(self, draw, now, depth=0):
        self.event = draw.choice(NAMES)
        self.filters = []
        self.conditions = [f"{{e}}.name = {sql_quoted(self.event)}"]
        if draw.random() < 0.6:
            hours = draw.choice([6, 24, 72, 24 * 7, 24 * 30])
            if draw.random() < 0.7:
                near, far, text = 0, hours, f"within({hours} hours)"
            else:
                near, far = hours, hours * 2
                text = f"between({near} hours, {far} hours)"
            self.filters.append(text)
            self.conditions.append(
                f"{{e}}.moment >= {now - far * 3_600_000} AND {{e}}.moment <= {now - near * 3_600_000}")
        wheres = []
        if draw.random() < 0.4:
            category = draw.choice(CATEGORIES)
            if draw.random() < 0.7:
                wheres.append((f"property('category') = {quoted(category)}", f"{{e}}.category = {sql_quoted(category)}"))
            else:
                # What lacks the property is no other category.
                wheres.append(
                    (f"property('category') != {quoted(category)}", f"coalesce({{e}}.category <> {sql_quoted(category)}, false)"))
        if draw.random() < 0.3:
            amount = draw.randrange(100)
            wheres.append((f"property('revenue') > {amount}", f"coalesce({{e}}.revenue > {amount}, false)"))
        self.depth = depth
        if depth < 2 and draw.random() < (0.35 if depth == 0 else 0.2):
            wheres.append(self.funnel(draw, now))
        if wheres:
            glue = draw.choice([" AND ", " OR "])
            self.filters.append("where(" + glue.join(text for text, _ in wheres) + ")")
            self.conditions.append("(" + glue.join(f"({sql})" for _, sql in wheres) + ")")
        draw.shuffle(self.filters)

    def funnel(self, draw, now):
        child = Stream(draw, now, self.depth + 1)
        inner = f"e{self.depth + 1}"
        sql = f"{inner}.person = {{e}}.person AND {inner}.moment > {{e}}.moment"
        if draw.random() < 0.8:
            hours = draw.choice([1, 6, 48, 24 * 7])
            child.filters.append(f"within(parent: {hours} hours)")
            sql += f" AND {inner}.moment <= {{e}}.moment + {hours * 3_600_000}"
        if draw.random() < 0.3:
            child.filters.append("where(property('category') = property(parent: 'category'))")
            sql += f" AND coalesce({inner}.category = {{e}}.category, false)"
        sql = f"EXISTS (SELECT 1 FROM events {inner} WHERE {sql} AND {child.sql(inner)})"
        text = f"{child.text()}.count() >= 1"
        return (f"NOT {text}", f"NOT {sql}") if draw.random() < 0.5 else (text, sql)

    def text(self):
        return ".".join([f"event({quoted(self.event)})", *self.filters])

    def sql(self, alias):
        return " AND ".join(self.conditions).replace("{e}", alias)


def audience(draw, now, depth=0):
    """A definition and the set of its members."""
    if depth < 3 and draw.random() < (0.9 if depth == 0 else 0.4):
        parts = [audience(draw, now, depth + 1) for _ in range(draw.randint(2, 3))]
        word, operation = draw.choice([("AND", "INTERSECT"), ("OR", "UNION")])
        return (
            f" {word} ".join(f"({text})" for text, _ in parts), f" {operation} ".join(f"({sql})" for _, sql in parts))
    if depth < 4 and draw.random() < 0.25:
        text, sql = audience(draw, now, depth + 1)
        return f"NOT ({text})", f"(SELECT person FROM people) EXCEPT ({sql})"
    stream = Stream(draw, now)
    if draw.random() < 0.75:
        reducer, aggregate = "count()", "count(*)"
        number = draw.choice([1, 1, 1, 2, 3, 5])
    else:
        reducer, aggregate = draw.choice(
            [("sum(property('revenue'))", "sum(revenue)"), ("max(property('revenue'))", "max(revenue)")])
        number = draw.choice([20, 80, 200])
    comparator = draw.choice([">=", ">=", ">", "=", "<"])
    having = f"{aggregate} {comparator} {number}"
    sql = f"SELECT person FROM events e WHERE {stream.sql('e')} GROUP BY person HAVING {having}"
    if reducer == "count()" and (comparator == "<" or (comparator == "=" and number == 0)):
        # Those without any event have a count of 0 as well; a sum they have not.
        sql = (f"(SELECT person FROM people) EXCEPT (SELECT person FROM events e WHERE {stream.sql('e')} "
               f"GROUP BY person HAVING count(*) >= {number})")
    return f"{stream.text()}.{reducer} {comparator} {number}", sql


def trait(draw, now):
    """A definition and a value for everybody who has one."""
    stream = Stream(draw, now)
    reducer, column = draw.choice([
        ("count()", "count(*)"), ("sum(property('revenue'))", "sum(revenue)"), ("avg(property('revenue'))", "avg(revenue)"),
        ("min(property('revenue'))", "min(revenue)"), ("max(property('revenue'))", "max(revenue)"),
        ("unique(property('category')).count()", "count(DISTINCT category)"),
        ("unique(property('category'))", "list_sort(list(DISTINCT category) FILTER (WHERE category IS NOT NULL))"),
        ("first(property('category'))", "arg_min(category, moment) FILTER (WHERE category IS NOT NULL)"),
        ("last(property('revenue'))", "arg_max(revenue, moment) FILTER (WHERE revenue IS NOT NULL)"),
        ("mode(property('category'), 2)", None)])
    where = f"FROM events e WHERE {stream.sql('e')}"
    if column:
        sql = f"SELECT person, {column} {where} GROUP BY person"
    else:
        sql = (f"SELECT person, category FROM (SELECT person, category, count(*) AS often {where} AND category IS NOT NULL "
               f"GROUP BY ALL) WHERE often >= 2 QUALIFY row_number() OVER "
               f"(PARTITION BY person ORDER BY often DESC, category) = 1")
    return f"{stream.text()}.{reducer}", sql


def generated(draw, now):
    """Events as rows, each person's at different instants."""
    people = max(50, EVENTS // 50)
    taken = set()
    while len(taken) < EVENTS:
        # Some do far more than others, the first of 100,000 events about 600.
        person = int(people * draw.random() ** 1.5)
        at = now - 1_800_000 - draw.randrange(DAYS * 24) * 3_600_000 + draw.randint(-600_000, 600_000)
        if (person, at) in taken:
            continue
        taken.add((person, at))
        yield (
            len(taken) - 1, f"p{person}", draw.choice(NAMES), at,
            draw.choice(CATEGORIES) if draw.random() < 0.9 else None,
            draw.randrange(10_000) / 100 if draw.random() < 0.9 else None)


def message(row):
    number, person, name, at, category, revenue = row
    properties = {key: value for key, value in (("category", category), ("revenue", revenue)) if value is not None}
    instant = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=at)
    return {
        "type": "track", "messageId": f"e{number}", "userId": person, "event": name, "properties": properties,
        "timestamp": instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")}


def send(muster, key, rows):
    """Everything, in any order, over three connections."""
    batches = [rows[start:start + 1000] for start in range(0, len(rows), 1000)]
    failures = []

    def run(mine):
        try:
            for batch in mine:
                body = json.dumps({"batch": [message(row) for row in batch]})
                while True:
                    try:
                        request(muster.url, "POST", "/v1/import", body, headers=basic(key), timeout=120)
                        break
                    except Exception as error:
                        if getattr(error, "status", None) != 429:
                            raise
                        time.sleep(0.2)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(batches[number::3],)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def is_same(found, expected):
    """Decimals of SQL are exact, Muster's numbers have 15 digits."""
    if isinstance(expected, list) or isinstance(expected, str):
        return found == expected
    return isinstance(found, (int, float)) and math.isclose(found, float(expected), rel_tol=1e-12, abs_tol=1e-9)


@pytest.fixture
def database(tmp_path):
    with duckdb.connect(str(tmp_path / "oracle.duckdb")) as connection:
        yield connection


def test_answers_are_those_of_sql(muster, database, tmp_path):
    draw = random.Random(SEED)
    now = int(time.time() * 1000)
    print(f"MUSTER_SEED={SEED}, {EVENTS} events")
    definitions = []
    while len(definitions) < 40:
        make = audience if len(definitions) < 24 else trait
        text, sql = make(draw, now)
        # Muster takes at most 50 conditions.
        if text.count("event(") + text.count("property(") < 45:
            definitions.append((make.__name__, text, sql))
    draw.shuffle(definitions)

    def create(number):
        kind, text, _ = definitions[number]
        make = muster.create_audience if kind == "audience" else muster.create_trait
        return make(f"d{number}", text)

    source = muster.create_source()
    early = 8
    made = {number: create(number) for number in range(early)}

    rows = list(generated(draw, now))
    file = tmp_path / "events.csv"
    with open(file, "w", encoding="utf-8") as output:
        for number, person, name, at, category, revenue in rows:
            output.write("\t".join([str(number), person, name, str(at), category or "", "" if revenue is None else str(revenue)]))
            output.write("\n")
    database.execute(
        "CREATE TABLE events AS SELECT * FROM read_csv(?, delim = '\t', header = false, quote = '', escape = '', columns = {"
        "'number': 'INTEGER', 'person': 'VARCHAR', 'name': 'VARCHAR', 'moment': 'BIGINT', 'category': 'VARCHAR', "
        "'revenue': 'DECIMAL(9,2)'}, nullstr = '')", [str(file)])
    database.execute("CREATE TABLE people AS SELECT DISTINCT person FROM events")
    assert database.execute("SELECT count(*), count(DISTINCT number) FROM events").fetchone() == (EVENTS, EVENTS)

    send(muster, source["writeKey"], draw.sample(rows, len(rows)))
    muster.await_applied(timeout=max(PATIENCE, EVENTS / 500))
    assert sum(muster.event_counts().values()) == EVENTS
    made |= {number: create(number) for number in range(early, len(definitions))}
    muster.await_applied(timeout=max(PATIENCE, EVENTS / 500))

    somebody = 0
    for number, (kind, text, sql) in enumerate(definitions):
        found = muster.members(made[number])
        answer = database.execute(sql).fetchall()
        if kind == "audience":
            expected = {person for (person,) in answer}
            wrong = expected ^ found.keys()
            assert not wrong, f"{text}\n{sql}\n{len(wrong)} differ of {len(expected)}: {sorted(wrong)[:5]}"
        else:
            # A count of 0 of those who never had more is no value.
            expected = {person: value for person, value in answer if value not in (None, 0, [])}
            found = {person: value for person, value in found.items() if value not in (None, 0, [])}
            wrong = [person for person in expected.keys() | found.keys()
                     if person not in found or person not in expected or not is_same(found[person], expected[person])]
            assert not wrong, (
                f"{text}\n{sql}\n{len(wrong)} differ of {len(expected)}: "
                f"{[(person, found.get(person), expected.get(person)) for person in sorted(wrong)[:5]]}")
        somebody += len(expected) > 0
    assert somebody > len(definitions) / 2, "too many definitions are about nobody"
    assert time.time() * 1000 - now < 15 * 60_000, "the test took so long that answers may have changed by time"
