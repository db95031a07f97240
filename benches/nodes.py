#!/usr/bin/env python3
"""Three servers on one database: how soon each shows a change, that none misses one, and what faults cost.

    HROMADA_SERVICES_LISTEN=10.213.7.0/24 .ci/services benches/nodes.py HROMADA MINUTES [FOLDER]

A writer sends 50 edits a second through the first node, another program writes the table with psql: single rows,
transactions of 1,000 rows, some that stay open for two seconds, some that are rolled back. After each minute the writers
pause and every node is compared with the table. Then a node is killed, the database is restarted, and the network
between one node and the database is silent for 30 s (needs root: the node runs in a network namespace).
Logs of the nodes go to FOLDER. Exit code 1 when a verdict is bad.
"""
import http.client, json, math, multiprocessing, os, queue, random, re, signal, subprocess, sys, tempfile, threading, time
from urllib.parse import urlsplit

EDITS = 50          # a second, markers among them
MARKERS = 5
POINTS = 4000       # at the start, half of them for each writer
CUT = 30            # seconds of silence
NAMESPACE, LINK = f"hromada{os.getpid()}", "10.213.7"
WEB = "10.213.8"    # the way to the third node's own port, which is never cut
ITEMS = "/collections/points/items"
DATABASE = os.environ.get("HROMADA_TEST_POSTGRES") or sys.exit("nodes.py: run it by .ci/services")
PSQL = os.path.join(os.environ["HROMADA_TEST_PGBIN"], "psql")
STORE = DATABASE + "?schema=nodes"
bad = []


def say(text):
    print(f"[{time.monotonic() - BEGUN:5.0f} s] {text}", flush=True)


def verdict(name, good, text):
    if not good:
        bad.append(name)
    say(f"{'good' if good else 'BAD '}  {name}: {text}")


def psql(sql):
    done = subprocess.run([PSQL, "-XAtq", "-F", "\t", DATABASE, "-c", sql], capture_output=True, text=True)
    if done.returncode:
        raise OSError(done.stderr.strip())
    return [line.split("\t") for line in done.stdout.splitlines()]


class Client:
    """One kept connection. Answers (status, headers, body); a connection that breaks is OSError."""

    def __init__(self, address, timeout=20):
        self.address, self.timeout, self.connection = address, timeout, None

    def ask(self, method, path, body=None, headers=()):
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.address, timeout=self.timeout)
        try:
            given = {"Authorization": f"Bearer {os.environ['HROMADA_BENCH_TOKEN']}", **dict(headers)}
            if body is not None:
                given["Content-Type"] = "application/geo+json"
            self.connection.request(method, path, body and json.dumps(body), given)
            answer = self.connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            self.connection = None
            raise OSError(str(error) or type(error).__name__) from error

    def get(self, path):
        return self.ask("GET", path)


class Node:
    def __init__(self, number, binary, folder, address="127.0.0.1", prefix=(), database=STORE):
        self.number, self.folder, self.prefix = number, folder, list(prefix)
        self.address = f"{address}:{free_port()}"
        self.command = [binary, "serve", "--database", database, "--listen", self.address,
                        "--base-url", f"http://{self.address}"]
        self.process = None

    def start(self):
        log = open(os.path.join(self.folder, f"node{self.number}.log"), "a")
        self.process = subprocess.Popen(self.prefix + self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        begun = time.monotonic()
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() - begun > 60:
                raise SystemExit(f"node {self.number} did not start: see {log.name}")
            time.sleep(0.005)
        return time.monotonic() - begun

    def is_ready(self):
        try:
            return Client(self.address, 2).get("/health/ready")[0] == 200
        except OSError:
            return False

    def metric(self, name):
        text = Client(self.address, 5).get("/metrics")[2].decode()
        return float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.M).group(1))

    def seq(self):
        return int(self.metric('hromada_change_seq{collection="points"}'))


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def point(key, version, x, y):
    return {"type": "Feature", "properties": {"key": key, "version": version},
            "geometry": {"type": "Point", "coordinates": [x, y]}}


def spot(random_):
    return round(random_.uniform(24, 25), 6), round(random_.uniform(48, 49), 6)


# The writers are processes of their own, so that they do not slow what is measured. A ledger holds the state of each key
# as it was acknowledged: a set of one, or of two when nobody answered.

def http_writer(number, pairs, addresses, going, ended, out):
    """Edits through the addresses in turn: creates, replaces and deletes of own features."""
    random_, clients = random.Random(number), [Client(a) for a in addresses]
    ids = dict(pairs)                                     # key -> id
    ledger = {key: {"1"} for key in ids}                  # key -> versions, "" for none
    count = {"2xx": 0, "503": 0, "no answer": 0, "other": {}, "without Retry-After": 0}
    period, n, version = 2 / (EDITS - MARKERS), 0, 1
    due = time.monotonic()
    while not ended.is_set():
        if not going.is_set():
            out.put((f"paused {number}", None))
            going.wait()
            due = time.monotonic()
        due += period
        time.sleep(max(0, due - time.monotonic()))
        due = max(due, time.monotonic() - 1)
        n, version = n + 1, version + 1
        kind = random_.choices(("create", "replace", "delete"), (3, 5, 2))[0]
        client = clients[n % len(clients)]
        key = f"w{number}-{n}" if kind == "create" else random_.choice(list(ids))
        body = None if kind == "delete" else point(key, version, *spot(random_))
        path = ITEMS if kind == "create" else f"{ITEMS}/{ids[key]}"
        before, after = ledger.get(key, {""}), {""} if kind == "delete" else {str(version)}
        try:
            status, headers, answer = client.ask({"create": "POST", "replace": "PUT", "delete": "DELETE"}[kind], path, body)
        except OSError:
            status = None
        if status in (200, 201, 204):
            count["2xx"] += 1
            ledger[key] = after
            if kind == "create":
                ids[key] = headers["Location"].rsplit("/", 1)[1]
        elif status in (503, None):
            # Whether it was done is not known.
            count["503" if status else "no answer"] += 1
            count["without Retry-After"] += status == 503 and "Retry-After" not in headers
            ledger[key] = before | after
        else:
            text = f"{kind} {status} {answer[:300]!r}"
            gone = status == 404 and "" in before
            if not gone:
                count["other"][text[:300]] = count["other"].get(text[:300], 0) + 1
            ledger[key] = {""} if gone else before | after
        if kind == "delete" and (status is None or status in (204, 404)) or ledger[key] == {""}:
            ids.pop(key, None)
    out.put((f"ledger {number}", (ledger, count)))


class Session:
    """A psql that stays; `do` returns when the statements are done and committed."""

    def __init__(self):
        self.process = None

    def do(self, sql):
        if self.process is None:
            self.process = subprocess.Popen([PSQL, "-XAtq", "-v", "ON_ERROR_STOP=1", DATABASE], text=True,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            self.process.stdin.write("SET search_path = nodes, public;\n")
        try:
            self.process.stdin.write(sql + "\n\\echo did\n")
            self.process.stdin.flush()
            while line := self.process.stdout.readline():
                if line == "did\n":
                    return
        except OSError:
            pass
        self.process.kill()
        self.process.wait()
        self.process = None
        raise OSError("psql ended")


def outside_writer(keys, going, ended, out):
    random_, session = random.Random(99), Session()
    alive = list(keys)
    ledger, count = {key: {"1"} for key in keys}, {"committed": 0, "rolled back": 0, "no answer": 0}
    heap, n = [], 1
    make = "ST_SetSRID(ST_MakePoint({}, {}), 4326)"
    while not ended.is_set():
        if not going.is_set():
            out.put(("paused outside", None))
            going.wait()
        time.sleep(0.1)
        n += 1
        after = {}
        kind = "rollback" if n % 60 == 17 else "thousand" if n % 60 == 31 else "slow" if n % 60 == 47 else \
            random_.choice(("insert", "update", "update", "delete"))
        if kind == "insert" or kind == "slow":
            rows = [f"o-{n}-{i}" for i in range(3)]
            after = {key: str(n) for key in rows}
            sql = "".join(f"INSERT INTO points (key, version, geom) VALUES ('{key}', {n}, {make.format(*spot(random_))});"
                          for key in rows)
            if kind == "slow":
                sql = f"BEGIN; {sql} SELECT pg_sleep(2); COMMIT;"
        elif kind == "update":
            key = random_.choice(alive)
            after = {key: str(n)}
            sql = f"UPDATE points SET version = {n}, geom = {make.format(*spot(random_))} WHERE key = '{key}';"
        elif kind == "delete":
            key = random_.choice(alive)
            after = {key: ""}
            sql = f"DELETE FROM points WHERE key = '{key}';"
        elif kind == "rollback":
            sql = (f"BEGIN; INSERT INTO points (key, version, geom) SELECT 'r-{n}-' || i, 0, {make.format('24 + i / 100.0', 49)} "
                   "FROM generate_series(1, 50) AS i; UPDATE points SET version = -1 WHERE key LIKE 'o-%'; ROLLBACK;")
        elif heap:
            after = dict.fromkeys(heap, "")
            sql, heap = f"DELETE FROM points WHERE key LIKE '{heap[0].rsplit('-', 1)[0]}-%';", []
        else:
            heap = [f"b-{n}-{i}" for i in range(1, 1001)]
            after = dict.fromkeys(heap, str(n))
            sql = (f"INSERT INTO points (key, version, geom) SELECT 'b-{n}-' || i, {n}, {make.format('24 + i / 1000.0', 49.1)} "
                   "FROM generate_series(1, 1000) AS i;")
        try:
            session.do(sql)
            count["rolled back" if kind == "rollback" else "committed"] += 1
            ledger.update((key, {state}) for key, state in after.items())
        except OSError:
            count["no answer"] += 1
            for key, state in after.items():
                ledger[key] = ledger.get(key, {""}) | {state}
                if key in alive:
                    alive.remove(key)
            # An update of a row that may not be there would tell nothing.
            after = {}
            time.sleep(0.3)
        for key, state in after.items():
            if state == "" and key in alive:
                alive.remove(key)
            elif key.startswith("o-") and key not in alive:
                alive.append(key)
    out.put(("ledger outside", (ledger, count)))


class Writers:
    def __init__(self, ids, addresses):
        self.going, self.ended, self.out = multiprocessing.Event(), multiprocessing.Event(), multiprocessing.Queue()
        self.going.set()
        half, own = POINTS // 2, list(ids.items())
        self.processes = [
            multiprocessing.Process(target=http_writer, args=(0, own[:half // 2], addresses, self.going, self.ended, self.out)),
            multiprocessing.Process(target=http_writer, args=(1, own[half // 2:half], addresses, self.going, self.ended, self.out)),
            multiprocessing.Process(target=outside_writer, args=([k for k, _ in own[half:]], self.going, self.ended, self.out))]
        for process in self.processes:
            process.daemon = True
            process.start()

    def pause(self):
        self.going.clear()
        waiting = {"paused 0", "paused 1", "paused outside"}
        while waiting:
            waiting.discard(self.out.get(timeout=60)[0])

    def end(self):
        self.ended.set()
        self.going.set()
        parts = {}
        while len(parts) < 3:
            name, value = self.out.get(timeout=60)
            if name.startswith("ledger"):
                parts[name] = value
        return parts


class Markers:
    """Points at spots of their own, alternately through the first node and by psql; the time from the acknowledgement to
    each node's own tile."""

    def __init__(self, nodes):
        self.nodes, self.times = nodes, {(s, n.number): [] for s in ("server", "psql") for n in nodes}
        self.client, self.session, self.n = Client(nodes[0].address), Session(), 0
        self.lost, self.going = [], True
        self.jobs = [queue.Queue() for _ in nodes]
        self.done = queue.Queue()
        for node, jobs in zip(nodes, self.jobs):
            threading.Thread(target=self.poll, args=(node, jobs), daemon=True).start()

    def poll(self, node, jobs):
        client = Client(node.address)
        while True:
            path, status, since = jobs.get()
            seen = None
            while time.monotonic() - since < 10:
                try:
                    if client.get(path)[0] == status:
                        seen = time.monotonic() - since
                        break
                except OSError:
                    pass
                time.sleep(0.001)
            self.done.put((node.number, seen))

    def all(self, source, path, status, since):
        for jobs in self.jobs:
            jobs.put((path, status, since))
        for _ in self.nodes:
            number, seen = self.done.get()
            if source and seen is not None:
                self.times[source, number].append(seen * 1000)
            elif source:
                self.lost.append(f"node {number} did not show {path} as {status} within 10 s ({source})")

    def one(self):
        self.n += 1
        x, y = 30 + self.n % 1000 * 0.01, 50 + self.n // 1000 * 0.01
        column = int((x + 180) / 360 * 2**18)
        row = int((1 - math.asinh(math.tan(math.radians(y))) / math.pi) / 2 * 2**18)
        path = f"/tiles/points/18/{column}/{row}"
        self.all(None, path, 204, time.monotonic())    # the empty tile is in each node's memory now
        if self.n % 2:
            status, headers, body = self.client.ask("POST", ITEMS, point(f"m-{self.n}", 1, x, y))
            since = time.monotonic()
            assert status == 201, body
            self.all("server", path, 200, since)
            status, _, body = self.client.ask("DELETE", urlsplit(headers["Location"]).path)
            since = time.monotonic()
            assert status == 204, body
            self.all("server", path, 204, since)
        else:
            self.session.do(f"INSERT INTO points (key, version, geom) VALUES ('m-{self.n}', 1, ST_SetSRID(ST_MakePoint({x}, {y}), 4326));")
            self.all("psql", path, 200, time.monotonic())
            self.session.do(f"DELETE FROM points WHERE key = 'm-{self.n}';")
            self.all("psql", path, 204, time.monotonic())

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            begun = time.monotonic()
            self.one()
            time.sleep(max(0, 2 / MARKERS - (time.monotonic() - begun)))


def reach(nodes, patience=60):
    """Waits until the nodes hold all of the table's changes; the time that took, None when it took too long."""
    begun = time.monotonic()
    [[wanted]] = psql("SELECT coalesce(max(seq), 0) FROM nodes.hromada_changes WHERE collection = "
                      "(SELECT n FROM nodes.hromada_collections WHERE id = 'points')")
    while time.monotonic() - begun < patience:
        try:
            if all(node.seq() >= int(wanted) for node in nodes):
                return time.monotonic() - begun
        except OSError:
            pass
        time.sleep(0.01)
    return None


def differences(node):
    """Between the table and what a node's index finds, and between the numbers of both."""
    table = {int(fid): (key, int(version), float(x), float(y)) for fid, key, version, x, y in
             psql("SELECT fid, key, version, ST_X(geom), ST_Y(geom) FROM nodes.points")}
    client, found, matched = Client(node.address), {}, None
    path = f"{ITEMS}?bbox=-180,-90,180,90&limit=10000"
    while path:
        status, _, body = client.get(path)
        if status != 200:
            return [f"{path}: {status} {body[:200]!r}"]
        page = json.loads(body)
        matched = page["numberMatched"]
        for f in page["features"]:
            if f["id"] in found:
                return [f"feature {f['id']} is on two pages"]
            found[f["id"]] = (f["properties"]["key"], f["properties"]["version"], *f["geometry"]["coordinates"])
        path = next((l["href"] for l in page["links"] if l["rel"] == "next"), None)
        if path:
            parts = urlsplit(path)
            path = f"{parts.path}?{parts.query}"
    out = [] if matched == len(table) else [f"numberMatched {matched}, {len(table)} rows"]
    wrong = [fid for fid in table.keys() | found.keys() if table.get(fid) != found.get(fid)]
    return out + [f"feature {fid}: {table.get(fid)} in the table, {found.get(fid)} by the node" for fid in sorted(wrong)[:2]] + \
        ([f"{len(wrong)} features differ"] if wrong else [])


def tiles(nodes):
    """Tiles over the writers' ground, which are cut from the index: the nodes must agree."""
    out = []
    for z, x, y in [(z, int((lon + 180) / 360 * 2**z), int((1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * 2**z))
                    for z in (6, 9, 11, 13) for lon in (24.1, 24.4, 24.6, 24.9) for lat in (48.2, 48.5, 48.8, 49.1)]:
        path = f"/tiles/points/{z}/{x}/{y}"
        if len({Client(node.address).get(path)[2] for node in nodes}) > 1:
            out.append(f"{path} differs between nodes")
    return out


def compare(name, writers, nodes, binary):
    writers.pause()
    took = reach(nodes, 15)
    if took is None:
        verdict(name, False, "the nodes do not reach the last change")
    found = [f"node {node.number}: {text}" for node in nodes for text in differences(node)] + tiles(nodes)
    check = subprocess.run([binary, "check", "--database", STORE, "--lang", "en"], capture_output=True, text=True)
    if check.returncode:
        found.append("check: " + (check.stdout + check.stderr).strip())
    rows = psql("SELECT count(*), (SELECT count(*) FROM nodes.hromada_changes) FROM nodes.points")[0]
    text = "; ".join(found) or f"{rows[0]} rows after {rows[1]} changes are the same on all nodes, check is clean"
    verdict(name, not found, text)
    writers.going.set()


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))] if values else float("nan")


def killed(nodes, node):
    node.process.send_signal(signal.SIGKILL)
    node.process.wait()
    time.sleep(3)
    took = node.start()
    caught = reach(nodes)
    verdict("a node is killed and started again", caught is not None, f"ready {took * 1000:.0f} ms after its start" +
            (f", all changes after {caught * 1000:.0f} ms more" if caught is not None else ", changes are missing"))


def restarted(nodes):
    owner = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"] if os.geteuid() == 0 else []
    data = os.environ["HROMADA_TEST_PGDATA"]
    begun = time.monotonic()
    subprocess.run(owner + [os.path.join(os.environ["HROMADA_TEST_PGBIN"], "pg_ctl"), "-D", data, "-m", "immediate", "-w",
                            "-s", "-l", os.path.join(os.path.dirname(data), "server.log"), "restart"],
                   check=True, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    up = time.monotonic()
    took = {}
    random_ = random.Random(5)
    while len(took) < len(nodes) and time.monotonic() - up < 60:
        for node in nodes:
            if node.number in took:
                continue
            try:
                if Client(node.address, 20).ask("POST", ITEMS, point(f"d-{node.number}", 1, *spot(random_)))[0] == 201:
                    took[node.number] = time.monotonic() - up
            except OSError:
                pass
        time.sleep(0.02)
    caught = reach(nodes)
    good = len(took) == len(nodes) and caught is not None
    verdict("the database is restarted at once", good,
            f"down for {up - begun:.1f} s; after it is up the nodes take a write after " +
            ", ".join(f"{s * 1000:.0f} ms" for s in took.values()) + (f" and hold all changes {caught * 1000:.0f} ms later" if caught is not None else "; changes are missing"))


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def make_network():
    ip("netns", "add", NAMESPACE)
    for name, net in (("d", LINK), ("w", WEB)):
        ends = f"hr{name}{os.getpid() % 100000}", f"hp{name}{os.getpid() % 100000}"
        ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1], "netns", NAMESPACE)
        ip("addr", "add", f"{net}.1/24", "dev", ends[0])
        ip("link", "set", ends[0], "up")
        ip("-n", NAMESPACE, "addr", "add", f"{net}.2/24", "dev", ends[1])
        ip("-n", NAMESPACE, "link", "set", ends[1], "up")
    ip("-n", NAMESPACE, "link", "set", "lo", "up")


def drop_network():
    subprocess.run(["ip", "netns", "del", NAMESPACE], stderr=subprocess.DEVNULL)
    for name in "dw":
        subprocess.run(["ip", "link", "del", f"hr{name}{os.getpid() % 100000}"], stderr=subprocess.DEVNULL)


def silenced(nodes, node):
    """The link to the database goes down at the database's end: packets of the node are lost without an answer."""
    link = f"hrd{os.getpid() % 100000}"
    client, random_ = Client(node.address, 30), random.Random(6)
    statuses, slow, ages, problems, n = {}, {"tile": 0, "edit": 0, "read": 0}, [], [], 0
    tile = f"/tiles/points/9/{int((24.5 + 180) / 360 * 512)}/176"
    ip("link", "set", link, "down")
    cut = time.monotonic()
    while time.monotonic() - cut < CUT:
        for name, method, path, body in (("tile", "GET", tile, None), ("read", "GET", ITEMS + "?limit=5", None),
                                         ("edit", "POST", ITEMS, point(f"c-{n}", 1, *spot(random_)))):
            begun = time.monotonic()
            try:
                status, headers, answer = client.ask(method, path, body)
            except OSError as error:
                status, headers, answer = str(error), {}, b""
            took, at = time.monotonic() - begun, time.monotonic() - cut
            if at > 6:
                slow[name] = max(slow[name], took)
            statuses[name, status] = statuses.get((name, status), 0) + 1
            if name == "tile":
                if status != 200 or at > 6 and "Age" not in headers:
                    problems.append(f"tile at {at:.1f} s: {status}, Age {headers.get('Age')}")
                elif "Age" in headers:
                    ages.append((at, int(headers["Age"])))
            elif status != 503 or "Retry-After" not in headers:
                if not (name == "read" and status == 200 and at < 6):
                    problems.append(f"{name} at {at:.1f} s: {status}, Retry-After {headers.get('Retry-After')} {answer[:200]!r}")
        n += 1
        time.sleep(0.2)
    ready = client.get("/health/ready")[0]
    if ready != 503:
        problems.append(f"/health/ready is {ready} at the end of the cut")
    wrong_age = [f"Age {age} at {at:.1f} s" for at, age in ages if not at - 2.5 <= age <= at + 2.5]
    ip("link", "set", link, "up")
    healed = time.monotonic()
    caught = reach([node])
    at = time.monotonic() - healed
    while time.monotonic() - healed < 60:
        try:
            if client.ask("POST", ITEMS, point("c-healed", 1, *spot(random_)))[0] == 201:
                break
        except OSError:
            pass
        time.sleep(0.02)
    writes = time.monotonic() - healed
    counts = ", ".join(f"{name} {status} x{count}" for (name, status), count in sorted(statuses.items(), key=str))
    verdict("the network of a node is silent", not problems and not wrong_age and caught is not None,
            f"{counts}; Age from {ages[0][0]:.1f} s on, {ages[-1][1]} at the end" if ages else f"{counts}; no Age")
    say("      longest answers after 6 s of silence: " + ", ".join(f"{k} {v * 1000:.0f} ms" for k, v in slow.items()))
    say(f"      after healing: all changes after {at * 1000:.0f} ms, the first write after {writes * 1000:.0f} ms" if caught is not None
        else "      after healing changes are missing")
    for problem in (problems + wrong_age)[:8]:
        say(f"      {problem}")
    after = psql("SELECT count(*), count(DISTINCT key) FROM nodes.points WHERE key ~ '^c-[0-9]'")[0]
    verdict("edits refused during the cut", after == ["0", "0"], f"{after[0]} of {n} are in the table")


def large(nodes):
    """More changes at once than a node follows one by one, one feature among them twice."""
    make = "ST_SetSRID(ST_MakePoint(25 + i * 1e-5, 48.5), 4326)"
    psql("BEGIN; INSERT INTO nodes.points (key, version, geom) VALUES ('l-0', 1, ST_SetSRID(ST_MakePoint(25, 48.4), 4326)); "
         "UPDATE nodes.points SET version = 2 WHERE key = 'l-0'; INSERT INTO nodes.points (key, version, geom) "
         f"SELECT 'l-' || i, 1, {make} FROM generate_series(1, 25000) AS i; COMMIT")
    took = reach(nodes, 15)
    verdict("a transaction of 25,002 changes", took is not None, f"on all nodes after {took * 1000:.0f} ms" if took is not None
            else "; ".join(f"node {node.number} holds change {node.seq()} of its collection" for node in nodes))


def ledgers(parts):
    rows = {}
    for key, version in psql("SELECT key, version FROM nodes.points"):
        rows.setdefault(key, []).append(version)
    twice = [key for key, versions in rows.items() if len(versions) > 1]
    lost, unknown, total = [], 0, 0
    for name, (ledger, count) in parts.items():
        say(f"{name.removeprefix('ledger ')}: {count}")
        for key, states in ledger.items():
            total += 1
            unknown += len(states) > 1
            state = rows.get(key, [""])[0]
            if state not in states:
                lost.append(f"{key}: {state or 'none'} in the table, {' or '.join(s or 'none' for s in states)} acknowledged")
        if count.get("other") or count.get("without Retry-After"):
            verdict(f"answers to {name.removeprefix('ledger ')}", False, str(count))
    rolled = [key for key in rows if key.startswith("r-")]
    verdict("acknowledged edits", not lost and not twice and not rolled,
            f"{len(lost)} of {total} features lost, {len(twice)} twice, {len(rolled)} of a rollback; {unknown} without a certain answer "
            + "; ".join(lost[:5] + twice[:5]))


def main():
    binary, minutes = os.path.realpath(sys.argv[1]), float(sys.argv[2])
    folder = sys.argv[3] if len(sys.argv) > 3 else tempfile.mkdtemp()
    os.makedirs(folder, exist_ok=True)
    sys.setswitchinterval(0.0005)
    random_ = random.Random(1)
    source = os.path.join(folder, "points.geojson")
    with open(source, "w") as file:
        json.dump({"type": "FeatureCollection", "features": [point(f"i-{i}", 1, *spot(random_)) for i in range(POINTS)]}, file)
    subprocess.run([binary, "import", source, "--collection", "points", "--access", "public", "--database", STORE, "--quiet"], check=True)
    # The administrator may read figures, which the nodes are asked for.
    subprocess.run([binary, "user", "add", "bench", "--machine", "--name", "Bench", "--role", "gis-editor", "--role", "administrator",
                    "--database", STORE, "--quiet"], check=True)
    made = subprocess.run([binary, "token", "new", "bench", "--scope", "read", "--scope", "write", "--scope", "manage", "--database", STORE,
                           "--quiet"], check=True, capture_output=True, text=True)
    # In the environment, so that the writers' processes have it too.
    os.environ["HROMADA_BENCH_TOKEN"] = made.stdout.strip()
    ids = {key: fid for fid, key in psql("SELECT fid, key FROM nodes.points ORDER BY fid")}
    cuts = os.geteuid() == 0 and bool(os.environ.get("HROMADA_SERVICES_LISTEN"))
    nodes = [Node(1, binary, folder), Node(2, binary, folder)]
    try:
        if cuts:
            make_network()
            nodes.append(Node(3, binary, folder, f"{WEB}.2", ["ip", "netns", "exec", NAMESPACE],
                              STORE.replace("127.0.0.1", f"{LINK}.1")))
        else:
            nodes.append(Node(3, binary, folder))
        say("nodes are ready after " + ", ".join(f"{node.start() * 1000:.0f} ms" for node in nodes))
        writers, markers = Writers(ids, [nodes[0].address]), Markers(nodes)
        for minute in range(max(1, round(minutes))):
            markers.run(60)
            compare(f"minute {minute + 1}", writers, nodes, binary)
        parts = writers.end()
        wrote = sum(count.get("2xx", 0) for _, count in parts.values()) + sum(
            len(times) for (source_, node), times in markers.times.items() if source_ == "server" and node == 1)
        say(f"{wrote} edits through the first node, {wrote / (minutes * 60):.0f} a second")
        for (source_, number), times in markers.times.items():
            p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
            verdict(f"a change by {source_} in a tile of node {number}", p50 <= 50 and p99 <= 250,
                    f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, longest {max(times):.0f} ms of {len(times)} (aims 50, 250)")
        verdict("markers", not markers.lost, "; ".join(markers.lost[:5]) or "all were seen by all nodes")
        ledgers(parts)

        ids = {key: fid for fid, key in psql(f"SELECT fid, 'f' || fid FROM nodes.points WHERE key !~ '^[bd]-' ORDER BY fid LIMIT {POINTS}")}
        psql("UPDATE nodes.points SET key = 'f' || fid, version = 1 WHERE fid IN "
             f"(SELECT fid FROM nodes.points WHERE key !~ '^[bd]-' ORDER BY fid LIMIT {POINTS})")
        psql("DELETE FROM nodes.points WHERE key !~ '^f'")
        say("faults; edits go through the first two nodes in turn")
        writers = Writers(ids, [node.address for node in nodes[:2]])
        time.sleep(5)
        killed(nodes, nodes[0])
        compare("after the kill", writers, nodes, binary)
        time.sleep(3)
        restarted(nodes)
        time.sleep(3)
        compare("after the restart", writers, nodes, binary)
        if cuts:
            time.sleep(3)
            silenced(nodes, nodes[2])
            compare("after the silence", writers, nodes, binary)
        else:
            say("the network is not cut: that needs root and HROMADA_SERVICES_LISTEN")
        large(nodes)
        compare("after the large transaction", writers, nodes, binary)
        ledgers(writers.end())
    finally:
        for node in nodes:
            if node.process:
                node.process.kill()
        if cuts:
            drop_network()
    say("all good" if not bad else f"BAD: {', '.join(bad)}")
    sys.exit(bool(bad))


BEGUN = time.monotonic()
if __name__ == "__main__":
    main()
