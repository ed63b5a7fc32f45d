#!/usr/bin/env python3
"""Asks DuckDB and chDB what `muster bench history` asked, on the same events, and compares: answers first, times second.

    muster bench history --events 20000000 --profiles 1000000 --directory /tmp/bench
    python3 -m venv .venv-bench && .venv-bench/bin/pip install duckdb chdb pyarrow numpy
    .venv-bench/bin/python Benchmarks/rivals.py /tmp/bench

Both keep the events sorted by (event, profile, time) and use two threads. Where there is more than one way to put a
question, each is tried and the faster one counts. No time is printed for an answer that differs.
"""

import json
import os
import statistics
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

directory = sys.argv[1]
rounds = int(os.environ.get("ROUNDS", "5"))
threads = int(os.environ.get("THREADS", "2"))
wanted = os.environ.get("RIVALS", "duckdb,chdb").split(",")
muster = json.load(open(f"{directory}/muster.json"))
NOW = 1_767_225_600_000
DAY = 86_400_000

NAMES = [
    "Page Viewed", "Product Viewed", "Product Added", "Product List Viewed", "Order Completed",
    "Cart Viewed", "Checkout Started", "Email Opened", "Product Removed", "Coupon Applied",
] + [f"Event {n}" for n in range(11, 50)] + ["Gift Card Redeemed"]
SORTED = sorted(NAMES)
CATEGORIES = [f"category {n:02}" for n in range(40)]
PLANS = ["enterprise", "free", "pro"]


def since(days):
    return f"ts BETWEEN {NOW - days * DAY} AND {NOW}"


def audiences(count):
    """As `BenchQuery.audiences`: (condition on events, at least, condition that must not occur or None)."""
    result = []
    for n in range(count):
        name, other = NAMES[n * 7 % 20], NAMES[(n * 3 + 1) % 20]
        days, price, times = [7, 30, 90, 180][n % 4], [25, 50, 75, 100, 125][n % 5], 1 + n % 3
        condition = f"event = '{name}' AND {since(days)}" + (f" AND price > {price}" if n % 2 == 0 else "")
        without = f"event = '{other}' AND {since(30)}" if n % 3 == 0 else None
        result.append((condition, times, without))
    return result


# Each question: ways to put it. A way is a list of statements whose rows are (profile) or (profile, value).
def members(condition, times, without=None):
    sql = f"SELECT profile FROM events WHERE {condition} GROUP BY profile HAVING count(*) >= {times}"
    if without:
        sql = f"SELECT profile FROM ({sql}) AS a WHERE profile NOT IN (SELECT profile FROM events WHERE {without})"
    return sql


def together(list_, engine):
    """All audiences in one pass: (profile, counts…), members found from the counts."""
    names = sorted({part.split("'")[1] for c, _, w in list_ for part in (c, w) if part})
    columns = []
    for n, (condition, times, without) in enumerate(list_):
        count = (lambda c: f"countIf({c})") if engine == "chdb" else (lambda c: f"count(*) FILTER (WHERE {c})")
        truth = f"{count(condition)} >= {times}"
        if without:
            truth += f" AND {count(without)} = 0"
        columns.append(f"({truth}) AS m{n}")
    where = "event IN (" + ", ".join(f"'{name}'" for name in names) + ")"
    return f"SELECT profile, {', '.join(columns)} FROM events WHERE {where} GROUP BY profile"


def questions(engine):
    duck = engine == "duckdb"
    filtered = f"event = 'Product Viewed' AND price > 50 AND {since(30)}"
    ordered = f"event = 'Order Completed' AND {since(90)}"
    rank = "enum_code(category)" if duck else "CAST(category, 'Int8')"
    asof = (
        "SELECT DISTINCT a.profile FROM (SELECT profile, ts FROM events WHERE event = 'Product Added') AS a "
        + ("ASOF LEFT JOIN" if duck else "ASOF LEFT JOIN")
        + " (SELECT profile, ts FROM events WHERE event = 'Order Completed') AS b "
        "ON a.profile = b.profile AND a.ts < b.ts "
        + (f"WHERE b.ts IS NULL OR b.ts > a.ts + {7 * DAY}" if duck else f"WHERE b.ts = 0 OR b.ts > a.ts + {7 * DAY}")
    )
    lead = (
        "SELECT DISTINCT profile FROM (SELECT profile, event, ts, "
        + (
            "min(CASE WHEN event = 'Order Completed' THEN ts END) OVER "
            "(PARTITION BY profile ORDER BY ts RANGE BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS next "
            if duck
            else "minIf(ts, event = 'Order Completed') OVER "
            "(PARTITION BY profile ORDER BY ts RANGE BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS next "
        )
        + "FROM events WHERE event IN ('Product Added', 'Order Completed')) AS w "
        + (
            f"WHERE event = 'Product Added' AND (next IS NULL OR next > ts + {7 * DAY})"
            if duck
            else f"WHERE event = 'Product Added' AND (next = 0 OR next > ts + {7 * DAY})"
        )
    )
    grouped = (
        f"SELECT profile, 39 - max(c * 64 + 39 - r) % 64 AS value FROM (SELECT profile, {rank} AS r, count(*) AS c "
        "FROM events WHERE event = 'Product Viewed' GROUP BY profile, r) AS g GROUP BY profile"
    )
    pro = "SELECT profile FROM plans WHERE plan = 'pro'"
    viewed = "SELECT profile FROM events WHERE event = 'Product Viewed' GROUP BY profile HAVING count(*) >= 3"
    redeemed = f"SELECT DISTINCT profile FROM events WHERE event = 'Gift Card Redeemed' AND gift AND {since(7)}"
    paged = (
        f"SELECT profile FROM events WHERE event = 'Page Viewed' AND quantity >= 3 AND {since(90)}%s "
        "GROUP BY profile HAVING count(*) >= 2"
    )
    everything = (
        f"SELECT profile, event, count(*) AS value FROM events WHERE price > 80 AND {since(360)} GROUP BY event, profile"
    )
    return [
        [[members(filtered, 2, ordered)], [f"SELECT profile FROM events WHERE ({filtered}) OR ({ordered}) GROUP BY profile HAVING "
          + (f"count(*) FILTER (WHERE {filtered}) >= 2 AND count(*) FILTER (WHERE {ordered}) = 0" if duck
             else f"countIf({filtered}) >= 2 AND countIf({ordered}) = 0")]],
        [[f"SELECT profile, sum(price) AS value FROM events WHERE {ordered} GROUP BY profile"]],
        [[asof], [lead]],
        [[grouped]],
        [["SELECT profile, count(*) AS value FROM events WHERE event = 'Page Viewed' GROUP BY profile"]],
        [[f"SELECT profile FROM ({viewed}) AS v WHERE profile IN ({pro})"]],
        [
            [f"SELECT profile FROM ({paged % ''}) AS p WHERE profile IN ({redeemed})"],
            [paged % f" AND profile IN ({redeemed})"],
        ],
        [[everything]],
        [[together(audiences(10), engine)], [members(*a) for a in audiences(10)]],
        [[together(audiences(100), engine)], [members(*a) for a in audiences(100)]],
    ]


def summary(sql):
    """The question as it is timed: the database answers in full and hands over a few numbers."""
    columns = sql.split(" FROM ")[0]
    if " AS m0" in columns:
        count = columns.count(" AS m")
        return "SELECT " + ", ".join(f"sum(CAST(m{n} AS INT))" for n in range(count)) + f" FROM ({sql}) AS q"
    if " AS value" in columns:
        return f"SELECT count(*), sum(CAST(profile AS BIGINT)), sum(value) FROM ({sql}) AS q"
    return f"SELECT count(*), sum(CAST(profile AS BIGINT)) FROM ({sql}) AS q"


def expected(number):
    """Muster's answer: a list of (profiles, values or None)."""
    data = np.fromfile(f"{directory}/answer-{number}.bin", dtype=np.uint8).tobytes()
    is_trait = number in (1, 3, 4, 7)
    answers, at = [], 0
    while at < len(data):
        count = int(np.frombuffer(data, np.uint32, 1, at)[0])
        profiles = np.frombuffer(data, np.uint32, count, at + 4)
        at += 4 + 4 * count
        values = None
        if is_trait:
            values = np.frombuffer(data, np.float64, count, at)
            at += 8 * count
        answers.append((profiles, values))
    return answers


def differs(number, way, fetch):
    """Whether a database says anything else of anybody."""
    answers = expected(number)
    found = []
    for sql in way:
        columns = fetch(sql)
        if "GROUP BY event, profile" in sql:
            events = columns[1].astype(str)
            for name in NAMES:
                part = events == name
                order = np.argsort(columns[0][part])
                found.append((columns[0][part][order], columns[2][part][order]))
        elif len(way) == 1 and len(answers) > 1:
            order = np.argsort(columns[0])
            profiles = columns[0][order]
            found += [(profiles[column[order].astype(bool)], None) for column in columns[1:]]
        else:
            order = np.argsort(columns[0])
            found.append((columns[0][order], columns[1][order] if len(columns) > 1 else None))
    if len(found) != len(answers):
        return f"{len(found)} answers instead of {len(answers)}"
    for n, ((profiles, values), (right, numbers)) in enumerate(zip(found, answers)):
        if not np.array_equal(profiles, right):
            return f"audience {n}: {len(profiles)} instead of {len(right)} profiles"
        if numbers is not None and not np.allclose(values.astype(np.float64), numbers, rtol=1e-9, atol=0):
            return f"values of {np.count_nonzero(values.astype(np.float64) != numbers)} profiles"
    return None


def parquet(path):
    """The events for the databases to load, in their order."""
    def column(name, type_):
        return np.memmap(f"{directory}/{name}", dtype=type_, mode="r")

    event, profile, ts = column("event.u8", np.uint8), column("profile.u32", np.uint32), column("ts.i64", np.int64)
    price, category = column("price.f64", np.float64), column("category.u8", np.uint8)
    quantity, gift, coupon = column("quantity.i32", np.int32), column("gift.u8", np.uint8), column("coupon.u32", np.uint32)
    texts = pa.array([f"C{n}" for n in range(16384)])
    step, writer = 1 << 22, None
    for at in range(0, len(event), step):
        part = slice(at, at + step)
        codes = coupon[part].astype(np.int32) - 1
        table = pa.table({
            "event": pa.DictionaryArray.from_arrays(pa.array(event[part].astype(np.int8)), SORTED),
            "profile": pa.array(profile[part]), "ts": pa.array(ts[part]), "price": pa.array(price[part]),
            "category": pa.DictionaryArray.from_arrays(pa.array(category[part].astype(np.int8)), CATEGORIES),
            "quantity": pa.array(quantity[part]), "gift": pa.array(gift[part].astype(bool)),
            "coupon": pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), texts),
        })
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
    writer.close()
    plans = np.fromfile(f"{directory}/plan.u8", dtype=np.uint8)
    pq.write_table(
        pa.table({
            "profile": pa.array(np.fromfile(f"{directory}/plan_profile.u32", dtype=np.uint32)),
            "plan": pa.DictionaryArray.from_arrays(pa.array(plans.astype(np.int8)), PLANS),
        }), path.replace("events", "plans"))


def size(path):
    if os.path.isfile(path):
        return os.path.getsize(path)
    return sum(os.path.getsize(os.path.join(root, f)) for root, _, files in os.walk(path) for f in files)


def open_duckdb(events, plans):
    import duckdb

    path = f"{directory}/duck.db"
    is_new = not os.path.exists(path)
    connection = duckdb.connect(path)
    connection.execute(f"SET threads = {threads}")
    if is_new:
        connection.execute("SET preserve_insertion_order = true")
        enum = lambda texts: "ENUM (" + ", ".join(f"'{t}'" for t in sorted(texts)) + ")"
        connection.execute(f"CREATE TYPE event_name AS {enum(NAMES)}")
        connection.execute(f"CREATE TYPE category_name AS {enum(CATEGORIES)}")
        started = time.perf_counter()
        connection.execute(
            "CREATE TABLE events AS SELECT event::event_name AS event, profile, ts, price, category::category_name AS category, "
            f"quantity, gift, coupon FROM '{events}'")
        print(f"DuckDB {duckdb.__version__}: loaded in {time.perf_counter() - started:.1f} s")
        connection.execute(f"CREATE TABLE plans AS SELECT profile, plan FROM '{plans}'")
        connection.execute("CHECKPOINT")
    def fetch(sql):
        return list(connection.execute(sql).fetchnumpy().values())

    def ask(sql):
        return connection.execute(sql).fetchall()

    return f"DuckDB {duckdb.__version__}", fetch, ask, size(path)


def open_chdb(events, plans):
    import chdb
    from chdb import session

    path = f"{directory}/chdb"
    is_new = not os.path.exists(path)
    connection = session.Session(path)
    connection.query(f"SET max_threads = {threads}")
    connection.query("SET join_use_nulls = 0")
    if is_new:
        connection.query("CREATE DATABASE IF NOT EXISTS bench ENGINE = Atomic")
        categories = ", ".join(f"'{c}' = {n}" for n, c in enumerate(CATEGORIES))
        connection.query(
            "CREATE TABLE bench.events (event LowCardinality(String), profile UInt32, ts Int64, price Float64, "
            f"category Enum8({categories}), quantity Int32, gift Bool, coupon LowCardinality(Nullable(String))) "
            "ENGINE = MergeTree ORDER BY (event, profile, ts)")
        started = time.perf_counter()
        connection.query(f"INSERT INTO bench.events SELECT * FROM file('{events}', Parquet)")
        connection.query("OPTIMIZE TABLE bench.events FINAL")
        print(f"chDB {chdb.__version__}: loaded and merged in {time.perf_counter() - started:.1f} s")
        connection.query("CREATE TABLE bench.plans (profile UInt32, plan LowCardinality(String)) ENGINE = MergeTree ORDER BY profile")
        connection.query(f"INSERT INTO bench.plans SELECT * FROM file('{plans}', Parquet)")
    connection.query("USE bench")
    def fetch(sql):
        table = connection.query(sql, "ArrowTable")
        return [column.to_numpy() for column in table.columns]

    def ask(sql):
        return str(connection.query(sql, "CSV"))

    return f"chDB {chdb.__version__}", fetch, ask, size(path)


def main():
    events, plans = f"{directory}/events.parquet", f"{directory}/plans.parquet"
    if not os.path.exists(events):
        parquet(events)
    count = muster["events"]
    sizes, results, titles = {}, {}, {}
    if "bytesPerEvent" in muster:
        # With what the rivals' tables lack: message ids of 16 bytes, offsets, sources, times of receipt, an index of texts.
        print(
            f"Muster: {muster['bytesPerEvent']:.1f} bytes an event on disk, {muster['ingestPerSecond']:,.0f} events/s taken in, "
            f"opened in {muster['openSeconds'] * 1000:.1f} ms")
    for engine, opening in (("duckdb", open_duckdb), ("chdb", open_chdb)):
        if engine not in wanted:
            continue
        title, fetch, ask, bytes_ = opening(os.path.abspath(events), os.path.abspath(plans))
        titles[engine], sizes[engine] = title, bytes_
        print(f"{title}: {bytes_ / count:.1f} bytes an event on disk")
        for number, ways in enumerate(questions(engine)):
            best = None
            for place, way in enumerate(ways):
                try:
                    wrong = differs(number, way, fetch)
                except Exception as error:
                    wrong = f"failed: {str(error)[:300]}"
                if wrong:
                    print(f"{title}, {muster['queries'][number]['name']}, way {place + 1}: DIFFERS, {wrong}")
                    continue
                timed = [summary(sql) for sql in way]
                times, used = [], []
                for _ in range(rounds + 1):
                    started, before = time.perf_counter(), time.process_time()
                    for sql in timed:
                        ask(sql)
                    times.append(time.perf_counter() - started)
                    used.append(time.process_time() - before)
                    if sum(times) > 120:
                        break
                median = statistics.median(times[1:] or times)
                processor = statistics.median(used[1:] or used)
                if best is None or processor < best[1]:
                    best = (median, processor, place + 1)
            results.setdefault(number, {})[engine] = best
    print(f"\n{count} events, {muster['profiles']} profiles, {threads} threads, median of {rounds}, in milliseconds\n")
    for place, what in ((0, "time that passed"), (1, "time of processors, all threads together")):
        print(f"\n{what}\n")
        print("| question | Muster | " + " | ".join(titles.values()) + " | times faster than the faster |")
        print("|---|--:|" + "--:|" * len(titles) + "--:|")
        ratios = []
        for number, query in enumerate(muster["queries"]):
            own = statistics.median(query["processor" if place else "seconds"])
            cells, times = [], []
            for engine in titles:
                best = results[number][engine]
                cells.append(f"{best[place] * 1000:.1f}" if best else "differs")
                if best:
                    times.append(best[place])
            if times:
                ratios.append(min(times) / own)
            ratio = f"{ratios[-1]:.1f}" if times else ""
            print(f"| {query['name']} | {own * 1000:.2f} | {' | '.join(cells)} | {ratio} |")
        print(f"\nmedian ratio {statistics.median(ratios):.1f}, smallest {min(ratios):.1f}")


main()
