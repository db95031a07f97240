#!/usr/bin/env python3
"""Many clients write the same features while the server is killed again and again: nothing confirmed may be lost, nothing done twice.

    benches/checked_history.py target/release/hromada [--clients 64] [--operations 1000000] [--kills 200] [--seed N]
                               [--place DIR-OR-postgres://…] [--features 2000] [--workers 2] [--keep]
    benches/checked_history.py --self-test

Makes a fresh store in a new folder (or below DIR, or in a schema of its own of the database), serves it and lets the clients read,
change, replace, add and delete features, each write with `If-Match` of the tag last seen and an `Idempotency-Key`. At random moments
the server gets SIGKILL and is started again. A client whose connection broke repeats the same request with the same key until it
gets an answer; some hang up on purpose, and some repeat what was answered. Each write puts a text into the feature that no other
write has, so each state tells who made it. At the end the answers that the clients got are held against the change log of the
store, read by SQL, and a sample of it against the versions over HTTP. Exit code 1 when a check failed; then the folder with the
store and the clients' logs is kept. With --self-test the checks are fed with made-up faults and must find each.

SIGKILL leaves what was written in the system's memory: whether it also outlives a power cut is not seen here.
"""
import argparse, collections, csv, http.client, json, multiprocessing, os, random, re, select, shutil, socket, sqlite3
import subprocess, sys, tempfile, threading, time
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

ITEMS = "/collections/lots/items"
# The number of a write is its client's times this, and its place in what that client did. Those of the import are below zero.
STRIDE = 10**7
DONE = (200, 201, 204)
# Of one check's failures so many are printed.
MOST_SHOWN = 10
# How those begin that need no others to be understood.
PLAIN = ("lost update", "doubled", "swallowed", "stale", "unexpected answer", "hromada check")
# The server tells no more versions of a feature.
MAX_VERSIONS = 10_000
CHECKS = {
    1: "no lost update: each feature's history is one chain of the acknowledged writes, each on the state that it expected",
    2: "each acknowledged write is in the history once, nothing else is; each refusal was right",
    3: "reads show what was acknowledged before, or later states of the history",
    4: "numbers of changes: one for each write, rising along the chain; the same key gets the same answer",
    5: "the final state is the last acknowledged one, and `hromada check` finds the store clean",
    6: "the versions over HTTP are those of the change log",
}


class Write(NamedTuple):
    """A write with the answer that the client got in the end. Tags are numbers, times microseconds since the start."""
    id: int
    kind: str
    fid: int
    expected: int
    status: int
    tag: int
    change: int
    sent: int
    answered: int
    attempts: int
    replayed: int
    shown: int  # whether the answer, where it shows the feature, shows this write


class Read(NamedTuple):
    fid: int
    floor: int  # the greatest number that was known for the feature when the read was sent
    status: int
    id: int  # the write whose state was shown
    tag: int
    is_own: int  # right after a write of the same client


class Again(NamedTuple):
    """The answer to a write that was repeated though it had been answered."""
    id: int
    status: int
    tag: int
    change: int
    replayed: int


def name_of(id):
    """The text that a write puts into the feature."""
    return f"start-{-id}" if id < 0 else f"{id // STRIDE}-{id % STRIDE}"


def told(write):
    return f"{write.kind} {name_of(write.id)} of feature {write.fid} (If-Match {write.expected:016x}, answer {write.status}, change {write.change})"


class Found(collections.defaultdict):
    """Failures by the number of the check."""
    def __init__(self):
        super().__init__(list)

    def add(self, check, text):
        self[check].append(text)


def check(start, writes, reads, agains, history, final, versions):
    """Holds what the clients were told against what the store has.

    start: {fid: (tag, id)} before the first write. history: {fid: [(seq, operation, id of the state after it or None)]} in the
    order of seq. final: {fid: id}. versions: {fid: (how many, their times, {n: (id, tag)})} as HTTP tells them.
    """
    found = Found()
    done = {w.id: w for w in writes if w.status in DONE}
    others = {w.id: w for w in writes if w.status not in DONE}
    mine = collections.defaultdict(list)
    for write in done.values():
        mine[write.fid].append(write)
    tags = {id: tag for tag, id in start.values()} | {w.id: w.tag for w in done.values()}
    deletes = {(w.fid, w.change): w.id for w in done.values() if w.kind == "DELETE"}
    followers = {}
    times = collections.Counter()
    for fid in sorted(set(mine) | set(start) | set(history)):
        chain = chain_of(found, fid, start.get(fid), mine[fid], followers)
        stored = []
        for seq, operation, id in history.get(fid, []):
            if operation == "delete":
                id = deletes.get((fid, seq))
                if id is None:
                    found.add(2, f"feature {fid}: change {seq} deleted it, and no client was told so")
            elif id is None:
                found.add(2, f"feature {fid}: after change {seq} ({operation}) there is no state")
            stored.append(id)
            times[id] += 1
            if id in done and done[id].change != seq:
                found.add(4, f"{told(done[id])}: the change log has it as change {seq}")
            if id in done and done[id].fid != fid:
                found.add(2, f"{told(done[id])} is in the history of feature {fid}")
        for before, id in zip(stored, stored[1:]):
            if id in done and before in tags and done[id].expected != tags[before]:
                found.add(1, f"lost update: {told(done[id])} came after {name_of(before)}, whose tag is {tags[before]:016x}")
        acknowledged = [id for id, _ in chain]
        if stored != acknowledged:
            at = next((i for i, pair in enumerate(zip(stored, acknowledged)) if pair[0] != pair[1]), min(len(stored), len(acknowledged)))
            shown = [name_of(ids[at]) if at < len(ids) and ids[at] is not None else "nothing" for ids in (acknowledged, stored)]
            found.add(1, f"feature {fid}, state {at + 1}: the acknowledgements have {shown[0]}, the history has {shown[1]}")
        for (_, before), (id, change) in zip(chain, chain[1:]):
            if change <= before:
                found.add(4, f"{told(done[id])}: the state before it has change {before}")
        last = chain[-1][0] if chain and not (chain[-1][0] in done and done[chain[-1][0]].kind == "DELETE") else None
        if final.get(fid) != last:
            names = [name_of(id) if id is not None else "nothing" for id in (last, final.get(fid))]
            found.add(5, f"feature {fid}: {names[0]} was acknowledged last, the table has {names[1]}")
    once(found, start, done, others, times)
    refusals(found, others, followers)
    check_reads(found, start, done, reads)
    numbers(found, done, agains)
    check_versions(found, tags, history, versions)
    return found


def chain_of(found, fid, begin, mine, followers):
    """The acknowledged states of a feature with their numbers, each after the one that it expected."""
    chain = [(begin[1], 0)] if begin else []
    tag = begin[0] if begin else None
    following = {}
    for write in sorted(mine, key=lambda w: w.change):
        if write.kind == "POST":
            if chain:
                found.add(1, f"{told(write)}: there is such a feature already, {name_of(chain[0][0])}")
            else:
                chain, tag = [(write.id, write.change)], write.tag
        elif write.expected in following:
            found.add(1, f"lost update: {told(following[write.expected])} and {told(write)} both changed the same state")
        else:
            following[write.expected] = followers[fid, write.expected] = write
    while tag in following:
        write = following.pop(tag)
        chain.append((write.id, write.change))
        tag = write.tag if write.kind != "DELETE" else None
    for write in following.values():
        found.add(1, f"{told(write)}: no chain of acknowledged writes leads to the state that it expected")
    return chain


def once(found, start, done, others, times):
    begun = {id for _, id in start.values()}
    for id, n in times.items():
        if id is None:
            continue
        if id in others:
            found.add(2, f"{told(others[id])} is in the history all the same")
        elif id not in done and id not in begun:
            found.add(2, f"{name_of(id)} is in the history, and nobody sent it")
        if n > 1:
            found.add(2, f"doubled: {told(done[id]) if id in done else name_of(id)} is in the history {n} times")
    for id, write in done.items():
        if id not in times:
            found.add(2, f"swallowed: {told(write)} is not in the history")
        if not write.shown:
            found.add(3, f"{told(write)}: the answer does not show the feature as it was written")


def refusals(found, others, followers):
    for write in others.values():
        if write.status != 412:
            found.add(2, f"unexpected answer: {told(write)}")
            continue
        # Who was faster must have sent its request before this answer came.
        faster = followers.get((write.fid, write.expected))
        if faster is None:
            found.add(2, f"wrongly refused: {told(write)}: nobody ever changed the state that it expected")
        elif faster.sent > write.answered:
            found.add(2, f"wrongly refused: {told(write)}: {told(faster)} was sent later")


def check_reads(found, start, done, reads):
    begun = {id: (fid, tag) for fid, (tag, id) in start.items()}
    gone = {w.fid for w in done.values() if w.kind == "DELETE"}
    for read in reads:
        whose = "after the client's own write" if read.is_own else "after a write that was acknowledged"
        if read.status in (404, 410):
            if read.fid not in gone:
                found.add(3, f"feature {read.fid}: a read {whose} ({read.floor}) was answered {read.status}, and nobody deleted it")
            continue
        if read.status != 200:
            found.add(3, f"feature {read.fid}: a read was answered {read.status}")
            continue
        fid, tag, change = (done[read.id].fid, done[read.id].tag, done[read.id].change) if read.id in done else (*begun.get(read.id, (None, None)), 0)
        if fid is None:
            found.add(3, f"feature {read.fid}: a read showed {name_of(read.id)}, which was never acknowledged")
        elif fid != read.fid or tag != read.tag:
            found.add(3, f"feature {read.fid}: a read showed {name_of(read.id)} with tag {read.tag:016x}, which is of feature {fid} with tag {tag:016x}")
        elif change < read.floor:
            found.add(3, f"stale: feature {read.fid}: a read {whose} ({read.floor}) showed {name_of(read.id)}, change {change}")


def numbers(found, done, agains):
    given = {}
    for write in done.values():
        other = given.setdefault(write.change, write)
        if other is not write:
            found.add(4, f"the same number twice: {told(other)} and {told(write)}")
    for again in agains:
        first = done[again.id]
        if (again.status, again.tag, again.change) != (first.status, first.tag, first.change) or not again.replayed:
            found.add(4, f"{told(first)}, tag {first.tag:016x}, was repeated: {again}")


def check_versions(found, tags, history, versions):
    for fid, (count, times, states) in versions.items():
        stored = [id for _, operation, id in history.get(fid, []) if operation != "delete"]
        if count != len(stored):
            found.add(6, f"feature {fid}: {count} versions over HTTP, {len(stored)} in the change log")
            continue
        if times != sorted(times):
            found.add(6, f"feature {fid}: the times of its versions do not rise")
        for n, (id, tag) in states.items():
            if id != stored[n - 1] or tag != tags.get(id):
                found.add(6, f"feature {fid}, version {n}: {name_of(id)} with tag {tag:016x} over HTTP, {name_of(stored[n - 1])} in the change log")


def report(found):
    for number, text in CHECKS.items():
        failures = found.get(number, [])
        print(f"{'FAILED' if failures else 'ok':6} {number}. {text}")
        # What says what happened comes before what follows from it.
        for failure in sorted(failures, key=lambda text: not text.startswith(PLAIN))[:MOST_SHOWN]:
            print(f"         {failure}")
        if len(failures) > MOST_SHOWN:
            print(f"         and {len(failures) - MOST_SHOWN} more")
    return not any(found.values())


# The self-test: a right history, and one fault at a time put into it.


def right():
    """What clients of a right server see: three features of an import, one that is added, one that is deleted, refusals."""
    start = {fid: (1000 + fid, -fid) for fid in (1, 2, 3)}
    writes, reads, history, final = [], [], {fid: [(fid, "create", -fid)] for fid in start}, {fid: -fid for fid in start}
    now, seq, tags = 0, 3, {fid: tag for fid, (tag, _) in start.items()}
    for step, (kind, fid, is_stale) in enumerate([
        ("PATCH", 1, False), ("PATCH", 1, True), ("PUT", 1, False), ("POST", 4, False), ("PATCH", 4, False), ("PATCH", 1, False),
        ("DELETE", 2, False), ("PUT", 4, False), ("PATCH", 4, True), ("PATCH", 1, False),
    ]):
        id, now = STRIDE * (step % 2) + step, now + 10
        if is_stale:
            # Of the state before the last one.
            before = [w for w in writes if w.fid == fid and w.status in DONE][-1].expected
            writes.append(Write(id, kind, fid, before, 412, tags[fid], 0, now, now + 5, 1, 0, 1))
            continue
        seq += 1
        tag = 0 if kind == "DELETE" else 2000 + step
        status = {"POST": 201, "DELETE": 204}.get(kind, 200)
        writes.append(Write(id, kind, fid, 0 if kind == "POST" else tags[fid], status, tag, seq, now, now + 5, 1, 0, 1))
        tags[fid] = tag
        operation = {"POST": "create", "DELETE": "delete"}.get(kind, "replace")
        history.setdefault(fid, []).append((seq, operation, None if kind == "DELETE" else id))
        if kind == "DELETE":
            del final[fid]
            reads.append(Read(fid, seq, 404, 0, 0, 1))
        else:
            final[fid] = id
            reads.append(Read(fid, seq, 200, id, tag, 1))
    agains = [Again(w.id, w.status, w.tag, w.change, 1) for w in writes if w.status in DONE]
    known = {id: tag for tag, id in start.values()} | {w.id: w.tag for w in writes}
    versions = {}
    for fid, changes in history.items():
        states = [id for _, operation, id in changes if operation != "delete"]
        versions[fid] = (len(states), [f"{i}" for i in range(len(states))], {i + 1: (id, known[id]) for i, id in enumerate(states)})
    return dict(start=start, writes=writes, reads=reads, agains=agains, history=history, final=final, versions=versions)


def lost_update(case):
    """Two writes on the same state, both acknowledged."""
    last = case["writes"][-1]
    case["writes"][-1] = last._replace(expected=case["writes"][5].expected)


def unnoticed_update(case):
    """The second of two writes took hold of a state that its client never saw, and the first was forgotten in the chain."""
    case["history"][4][1], case["history"][4][2] = (7, "replace", case["history"][4][2][2]), (9, "replace", case["history"][4][1][2])


def doubled(case):
    seq, operation, id = case["history"][1][-1]
    case["history"][1].append((seq + 1, operation, id))


def swallowed(case):
    case["final"][1] = case["history"][1].pop(-1) and case["history"][1][-1][2]


def swallowed_delete(case):
    case["history"][2].pop()
    case["final"][2] = -2


def applied_though_refused(case):
    case["history"][1].append((99, "replace", case["writes"][1].id))


def from_nobody(case):
    case["history"][3].append((99, "replace", 7 * STRIDE))


def deleted_by_nobody(case):
    case["history"][3].append((99, "delete", None))


def wrongly_refused(case):
    case["writes"][8] = case["writes"][8]._replace(expected=case["writes"][7].tag)


def refused_too_early(case):
    case["writes"][1] = case["writes"][1]._replace(answered=1)
    case["writes"][0] = case["writes"][0]._replace(sent=2)


def server_error(case):
    case["writes"][1] = case["writes"][1]._replace(status=422)


def stale(case):
    case["reads"][-1] = case["reads"][-1]._replace(id=-1, tag=1001)


def dirty(case):
    case["reads"][-1] = case["reads"][-1]._replace(id=7 * STRIDE)


def vanished(case):
    case["reads"][0] = case["reads"][0]._replace(status=404)


def number_twice(case):
    case["writes"][-1] = case["writes"][-1]._replace(change=case["writes"][0].change)


def other_answer(case):
    case["agains"][0] = case["agains"][0]._replace(change=77)


def done_again(case):
    case["agains"][0] = case["agains"][0]._replace(replayed=0)


def rolled_back(case):
    case["final"][1] = -1


def version_missing(case):
    count, times, states = case["versions"][1]
    case["versions"][1] = (count - 1, times, states)


def version_wrong(case):
    case["versions"][1][2][2] = (-1, 1001)


FAULTS = [
    (lost_update, 1, "both changed the same state"), (unnoticed_update, 1, "lost update"), (doubled, 2, "doubled"),
    (swallowed, 2, "swallowed: PATCH"), (swallowed, 1, "the history has nothing"), (swallowed_delete, 2, "swallowed: DELETE"),
    (swallowed_delete, 5, "nothing was acknowledged last"), (applied_though_refused, 2, "all the same"), (from_nobody, 2, "nobody sent it"),
    (deleted_by_nobody, 2, "no client was told"), (wrongly_refused, 2, "wrongly refused"), (refused_too_early, 2, "was sent later"),
    (server_error, 2, "unexpected answer"), (stale, 3, "stale"), (dirty, 3, "never acknowledged"), (vanished, 3, "nobody deleted it"),
    (number_twice, 4, "the same number twice"), (number_twice, 4, "the state before it has"), (other_answer, 4, "was repeated"),
    (done_again, 4, "was repeated"), (rolled_back, 5, "was acknowledged last"), (version_missing, 6, "in the change log"),
    (version_wrong, 6, "over HTTP"),
]


def self_test(right, check, faults):
    """`right` makes what a right server gives, `check` takes it; a fault changes it: (fault, number of the check, text that it says)."""
    bad = [f"what is right: {text}" for failures in check(**right()).values() for text in failures]
    for fault, number, text in faults:
        case = right()
        fault(case)
        failures = check(**case)[number]
        if not any(text in failure for failure in failures):
            bad.append(f"{fault.__name__}: check {number} does not say “{text}”: {failures[:3]}")
    print("\n".join(bad) or f"ok: what is right passes, and {len(faults)} faults are found")
    return not bad


class Store:
    """A fresh store, in a folder or in a schema of PostgreSQL: the command line's options for it, and its log by SQL."""
    def __init__(self, program, place, work):
        self.program, self.work = program, work
        self.database = self.schema = None
        if place and place.startswith("postgres"):
            parts = urlsplit(place)
            others = [(name, value) for name, value in parse_qsl(parts.query) if name != "schema"]
            self.schema = f"checked_{os.getpid()}"
            # psql knows no schema in an address.
            self.database = urlunsplit(parts._replace(query=urlencode(others), scheme="postgresql"))
            self.options = ["--database", urlunsplit(parts._replace(query=urlencode([*others, ("schema", self.schema)])))]
        else:
            self.folder = os.path.join(work, "store")
            self.options = ["--data", self.folder]

    def __str__(self):
        return f"schema {self.schema} of the database" if self.database else self.folder

    def run(self, *words, may_fail=False):
        answer = subprocess.run([self.program, *self.options, *words], capture_output=True, text=True)
        if answer.returncode and not may_fail:
            raise SystemExit(f"hromada {' '.join(words)}: {answer.returncode}\n{answer.stdout}{answer.stderr}")
        return answer

    def fill(self, features):
        """Imports the features and makes an account; returns its token."""
        path = os.path.join(self.work, "lots.geojson")
        with open(path, "w") as file:
            all = [json.loads(feature(-n, n)) for n in range(1, features + 1)]
            json.dump({"type": "FeatureCollection", "features": all}, file)
        self.run("import", path, "--collection", "lots", "--access", "public", "--quiet")
        self.run("user", "add", "bench", "--machine", "--name", "Bench", "--role", "gis-editor", "--quiet")
        return json.loads(self.run("token", "new", "bench", "--scope", "read", "--scope", "write", "--json").stdout)["token"]

    def rows(self, sql):
        """The rows of a query in which {s} stands before the names of tables, {name} and {n} for the properties before a change."""
        if not self.database:
            link = sqlite3.connect(f"file:{self.folder}/hromada.gpkg?mode=ro", uri=True)
            yield from link.execute(sql.format(s="", name="before_properties ->> '$.name'", n="before_properties ->> '$.n'"))
            link.close()
            return
        sql = sql.format(s=f"{self.schema}.", name="before_properties ->> 'name'", n="before_properties ->> 'n'")
        with subprocess.Popen(["psql", "-X", "--csv", "-t", "-q", "-c", sql, self.database], stdout=subprocess.PIPE, text=True) as psql:
            for row in csv.reader(psql.stdout):
                yield tuple(int(x) if re.fullmatch(r"-?\d+", x) else x or None for x in row)
        if psql.returncode:
            raise SystemExit(f"psql: {psql.returncode}")

    def history(self, found):
        """The states of each feature by the change log, and the table: {fid: [(seq, operation, id or None)]}, {fid: id}."""
        log = self.rows("SELECT fid, seq, operation, {name}, {n} FROM {s}hromada_changes WHERE collection ="
                        " (SELECT n FROM {s}hromada_collections WHERE id = 'lots') ORDER BY fid, seq")
        return histories(found, log, self.rows("SELECT fid, name, n FROM {s}lots"))

    def drop(self):
        if self.database:
            subprocess.run(["psql", "-X", "-q", "-c", f"SET client_min_messages = error; DROP SCHEMA {self.schema} CASCADE", self.database], check=True)


def histories(found, log, table):
    def whose(fid, name, n):
        if name != name_of(n):
            found.add(2, f"feature {fid}: a state mixes {name} and {n} of different writes")
        return n

    history = {}
    for fid, seq, operation, name, n in log:
        changes = history.setdefault(fid, [])
        before = whose(fid, name, n) if n is not None else None
        if changes:
            # What was before a change is what the change before it made.
            changes[-1] = (*changes[-1][:2], before)
        elif before is not None:
            changes.append((0, "create", before))
        changes.append((seq, operation, None))
    final = {fid: whose(fid, name, n) for fid, name, n in table}
    for fid, changes in history.items():
        changes[-1] = (*changes[-1][:2], final.get(fid))
    for fid in final.keys() - history.keys():
        history[fid] = [(0, "create", final[fid])]
    return history, final


def square(fid, turn):
    """A lot of some 30 m; each feature has a place of its own, where it is moved by some centimetres."""
    x = 24 + fid % 1000 * 0.001 + turn % 100 * 0.000001
    y = 48 + fid // 1000 % 1000 * 0.001
    corners = ((x, y), (x + 0.0004, y), (x + 0.0004, y + 0.0004), (x, y + 0.0004), (x, y))
    return '{"type":"Polygon","coordinates":[[%s]]}' % ",".join("[%.6f,%.6f]" % corner for corner in corners)


def feature(id, place):
    return '{"type":"Feature","geometry":%s,"properties":{"name":"%s","n":%d}}' % (square(place, id), name_of(id), id)


class Server:
    def __init__(self, store, work):
        self.store, self.port = store, free_port()
        self.log = open(os.path.join(work, "server.log"), "ab")
        self.starts = []

    def start(self):
        words = [self.store.program, *self.store.options, "serve", "--listen", f"127.0.0.1:{self.port}", "--requests-per-second", "0"]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def wait(self):
        """Waits until it is ready."""
        begun = time.monotonic()
        while time.monotonic() < begun + 120:
            if self.process.poll() is not None:
                raise SystemExit(f"the server ended by itself: {self.process.returncode}, see server.log")
            link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            try:
                link.request("GET", "/health/ready")
                if link.getresponse().status == 200:
                    self.starts.append(time.monotonic() - begun)
                    return
            except (OSError, http.client.HTTPException):
                pass
            finally:
                link.close()
            time.sleep(0.01)
        raise SystemExit("the server is not ready after 120 s")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        return self.process.wait(60)


def free_port():
    """Outside of the range from which clients get theirs: one that knocks while the server is away would connect to itself."""
    while True:
        port = random.SystemRandom().randrange(15000, 30000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


TAG = re.compile(rb'\r\netag: "([^"\r]*)"', re.I)
CHANGE = re.compile(rb"\r\nhromada-change: [^\r]*\.(\d+)\r", re.I)
LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.I)
LOCATION = re.compile(rb"\r\nlocation: [^\r]*/(\d+)\r", re.I)
KEY = re.compile(rb'"key":"([^"]*)"')
SHOWN = re.compile(rb'"n":(-?\d+)')


READS = ("GET", "OWN")
# What each process counts.
ACKNOWLEDGED, REFUSED, REPLAYED, AGAINS, BROKEN, HANG_UPS, TIMEOUTS, BUSY = range(8)


def number_of(tag):
    """A tag as a number: it is a hash of 64 bits in hexadecimal digits."""
    assert len(tag) == 16, tag
    return int(tag, 16)


class Answer:
    """An answer that is whole in the bytes, or None."""
    def __new__(cls, data):
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = bytes(data[: end + 2])
        length = LENGTH.search(head)
        status = int(head[9:12])
        if length is None and status != 204:
            raise OSError(f"an answer without a length: {head!r}")
        length = int(length[1]) if length else 0
        if len(data) < end + 4 + length:
            return None
        self = super().__new__(cls)
        self.status, self.head, self.body = status, head, bytes(data[end + 4 : end + 4 + length])
        self.size = end + 4 + length
        tag = TAG.search(head)
        self.tag = number_of(tag[1]) if tag else 0
        self.stays = b"\r\nconnection: close" not in head.lower()
        return self


class Client:
    """One connection that has at most one request under way. A request whose connection breaks is sent again as it was."""
    def __init__(self, number):
        self.number, self.count = number, 0
        self.socket, self.data = None, bytearray()
        self.request = b""
        self.plan = collections.deque()  # what it has decided to do next
        self.kind, self.id, self.fid, self.expected, self.slot, self.floor = "", 0, 0, 0, 0, 0
        self.sent, self.attempts, self.retry_at, self.give_up_at = 0.0, 0, 0.0, 0.0
        self.is_again = False  # a write that is repeated though it was answered
        # Sends later. Its connection may stay open meanwhile, and break: then it still sends once.
        self.is_waiting = False


class Work:
    """What one process does: some of the clients, in one loop."""
    GONE = 0
    # Shares of what clients do.
    SHARE_READ, PUTS, DELETES = 0.15, 0.25, 0.05
    HOT, MINIMAL, WITH_PLACE = 0.25, 0.5, 0.3
    OWN_READS, AGAIN, HANG_UPS, CHASES = 0.15, 0.03, 0.01, 0.5
    PATIENCE = 60.0  # seconds
    MOST_ATTEMPTS = 10_000

    def __init__(self, number, clients, budget, shared):
        self.number, self.budget, self.shared = number, budget, shared
        self.dice = random.Random(f"{shared.seed} {number}")
        self.clients = [Client(n) for n in clients]
        self.tags = {fid: tag for fid, (tag, _) in shared.start.items()}
        self.floors = {}
        self.poll = select.epoll()
        self.open = {}
        self.waiting = []
        self.abandoned = collections.deque()
        self.busy = collections.Counter()
        self.common = f"Host: 127.0.0.1:{shared.port}\r\nAuthorization: Bearer {shared.token}\r\n"
        self.lines = []
        self.log = open(os.path.join(shared.work, f"log-{number}.tsv"), "w")
        self.stats = shared.stats[number]

    def run(self):
        for client in self.clients:
            self.next(client)
        looked = time.monotonic()
        while self.open or self.waiting:
            pause = min((client.retry_at for client in self.waiting), default=looked + 2) - time.monotonic()
            for descriptor, _ in self.poll.poll(min(max(pause, 0.0), 1.0)):
                client = self.open.get(descriptor)
                if client:
                    self.hear(client)
            now = time.monotonic()
            if self.waiting:
                due = [client for client in self.waiting if client.retry_at <= now]
                self.waiting = [client for client in self.waiting if client.retry_at > now]
                for client in due:
                    client.is_waiting = False
                    self.send(client)
            if now > looked + 1:
                looked = now
                while len(self.abandoned) > 8:
                    self.abandoned.popleft().close()
                for client in [client for client in self.open.values() if now > client.give_up_at]:
                    self.stats[TIMEOUTS] += 1
                    self.broken(client)
        for reason, count in self.busy.items():
            self.note("B", reason, count)
        self.flush()

    def next(self, client):
        """The next thing that a client does, or its end."""
        if self.budget <= 0:
            self.close(client)
            return
        self.budget -= 1
        self.shared.counts[self.number] += 1
        kind, fid, slot = client.plan.popleft() if client.plan else self.choice()
        if kind in ("PATCH", "PUT", "DELETE") and self.tags.get(fid, self.GONE) == self.GONE:
            kind = "GET"
        client.kind, client.fid, client.slot, client.is_again, client.attempts = kind, fid, slot, False, 0
        if kind in READS:
            client.floor = self.floors.get(fid, 0)
            client.request = f"GET {ITEMS}/{fid} HTTP/1.1\r\n{self.common}Accept: application/geo+json\r\n\r\n".encode()
        else:
            client.count += 1
            client.id = client.number * STRIDE + client.count
            client.expected = self.tags.get(fid, self.GONE)
            client.request = self.write(client)
        self.send(client)

    def choice(self):
        dice, slots = self.dice, self.shared.slots
        hot = max(2, len(slots) // 50)
        slot = dice.randrange(hot if dice.random() < self.HOT else len(slots))
        fid = slots[slot]
        kind = dice.random()
        if kind < self.SHARE_READ or self.tags.get(fid, self.GONE) == self.GONE:
            return "GET", fid, slot
        return self.kind_of_write(slot), fid, slot

    def kind_of_write(self, slot):
        kind = self.dice.random()
        # Half of the features are never deleted, so that their chains get long.
        if kind < self.DELETES and slot % 2:
            return "DELETE"
        return "PUT" if kind < self.DELETES + self.PUTS else "PATCH"

    def write(self, client):
        dice, kind = self.dice, client.kind
        lines = f'{self.common}Idempotency-Key: "{name_of(client.id)}"\r\n'
        if kind != "POST":
            lines += f'If-Match: "{client.expected:016x}"\r\n'
        if kind == "DELETE":
            return f"DELETE {ITEMS}/{client.fid} HTTP/1.1\r\n{lines}\r\n".encode()
        if dice.random() < self.MINIMAL:
            lines += "Prefer: return=minimal\r\n"
        if kind == "PATCH":
            place = f'"geometry":{square(client.fid, client.id)},' if dice.random() < self.WITH_PLACE else ""
            body = '{%s"properties":{"name":"%s","n":%d}}' % (place, name_of(client.id), client.id)
        else:
            body = feature(client.id, client.slot if kind == "POST" else client.fid)
        media = "application/merge-patch+json" if kind == "PATCH" else "application/geo+json"
        path = ITEMS if kind == "POST" else f"{ITEMS}/{client.fid}"
        return f"{kind} {path} HTTP/1.1\r\n{lines}Content-Type: {media}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

    def send(self, client):
        client.attempts += 1
        if client.attempts > self.MOST_ATTEMPTS:
            raise SystemExit(f"no answer after {client.attempts} attempts: {client.request!r}")
        now = time.monotonic()
        if client.attempts == 1:
            client.sent = now
        client.give_up_at = now + self.PATIENCE
        try:
            if client.socket is None:
                client.socket = socket.create_connection(("127.0.0.1", self.shared.port), timeout=10)
                client.data.clear()
                self.open[client.socket.fileno()] = client
                self.poll.register(client.socket.fileno(), select.EPOLLIN)
                client.socket.settimeout(None)
                client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.socket.sendall(client.request)
        except OSError:
            self.broken(client)
            return
        if client.attempts == 1 and client.kind not in READS and self.dice.random() < self.HANG_UPS:
            # The same request comes again on another connection while this one may still be under way: one whose connection
            # is closed before the server works on it is never done, one whose connection stays is.
            self.stats[HANG_UPS] += 1
            if self.dice.random() < 0.5:
                self.abandoned.append(socket.socket(fileno=os.dup(client.socket.fileno())))
            self.close(client)
            self.later(client, self.dice.random() * 0.01)

    def hear(self, client):
        try:
            data = client.socket.recv(65536, socket.MSG_DONTWAIT)
            client.data += data
            answer = Answer(client.data)
        except BlockingIOError:
            # The event was of a connection that had the same descriptor.
            return
        except OSError:
            self.broken(client)
            return
        if answer is None:
            if not data:
                self.broken(client)
            return
        if client.is_waiting or len(client.data) > answer.size:
            # All that follows would be taken for the answer to something else.
            raise SystemExit(f"more was answered than asked: {bytes(client.data[:600])!r}; the last request was {client.request!r}")
        client.data.clear()
        if not answer.stays:
            self.close(client)
        self.answered(client, answer)

    def close(self, client):
        if client.socket is not None:
            del self.open[client.socket.fileno()]
            self.poll.unregister(client.socket.fileno())
            client.socket.close()
            client.socket = None

    def broken(self, client):
        self.stats[BROKEN] += 1
        self.close(client)
        if not client.is_waiting:
            self.later(client, 0.02)

    def later(self, client, pause):
        client.is_waiting, client.retry_at = True, time.monotonic() + pause
        self.waiting.append(client)

    def answered(self, client, answer):
        if answer.status == 429 or answer.status >= 500:
            # 503 is right while the server reads its data after a start.
            self.stats[BUSY] += 1
            key = KEY.search(answer.body)
            self.busy[f"{answer.status} {key[1].decode() if key else ''}"] += 1
            if answer.status not in (429, 503):
                request, body = client.request.replace(self.shared.token.encode(), b"TOKEN"), answer.body[:300]
                self.note("E", f"{answer.status} {body!r} to attempt {client.attempts} of {request!r}")
            self.later(client, 0.05)
            return
        fid = client.fid
        if client.kind in READS:
            shown = SHOWN.search(answer.body) if answer.status == 200 else None
            self.tags[fid] = answer.tag if shown else self.GONE
            self.note("R", fid, client.floor, answer.status, int(shown[1]) if shown else 0, answer.tag if shown else 0, int(client.kind == "OWN"))
            if shown and client.kind == "GET" and self.dice.random() < self.CHASES:
                client.plan.append((self.kind_of_write(client.slot), fid, client.slot))
            self.next(client)
            return
        change = CHANGE.search(answer.head)
        change = int(change[1]) if change else 0
        replayed = int(b"\r\nidempotent-replayed: true" in answer.head.lower())
        if client.is_again:
            self.stats[AGAINS] += 1
            self.note("A", client.id, answer.status, answer.tag, change, replayed)
            self.next(client)
            return
        if client.kind == "POST" and answer.status == 201:
            fid = int(LOCATION.search(answer.head)[1])
            self.shared.slots[client.slot] = fid
        shows = SHOWN.search(answer.body) if answer.status in DONE else None
        now = time.monotonic()
        times = [int((moment - self.shared.begun) * 1e6) for moment in (client.sent, now)]
        self.note("W", client.id, client.kind, fid, client.expected, answer.status, answer.tag, change, *times, client.attempts, replayed,
                  int(shows is None or int(shows[1]) == client.id))
        if answer.status in DONE:
            self.acknowledged(client, fid, answer.tag, change, replayed)
        else:
            self.stats[REFUSED] += answer.status == 412
            self.tags[fid] = answer.tag
            if answer.tag and self.dice.random() < self.CHASES:
                client.plan.append((client.kind, fid, client.slot))
            self.next(client)

    def acknowledged(self, client, fid, tag, change, replayed):
        self.stats[ACKNOWLEDGED] += 1
        self.stats[REPLAYED] += replayed
        self.tags[fid] = tag
        self.floors[fid] = max(self.floors.get(fid, 0), change)
        if self.dice.random() < self.OWN_READS:
            client.plan.append(("OWN", fid, client.slot))
        if client.kind == "DELETE":
            # Its place is taken by a new feature, so that there are always as many.
            client.plan.append(("POST", 0, client.slot))
        if self.budget > 0 and self.dice.random() < self.AGAIN:
            self.budget -= 1
            self.shared.counts[self.number] += 1
            client.is_again, client.attempts = True, 0
            self.send(client)
        else:
            self.next(client)

    def note(self, *values):
        self.lines.append("\t".join(map(str, values)))
        if len(self.lines) >= 2000:
            self.flush()

    def flush(self):
        self.log.write("".join(line + "\n" for line in self.lines))
        self.log.flush()
        self.lines.clear()


def logged(work):
    """What the clients wrote down: writes, reads, writes that were repeated, errors of the server, why it told them to come later."""
    writes, reads, agains, errors, busy = [], [], [], [], collections.Counter()
    for name in sorted(os.listdir(work)):
        if not name.startswith("log-"):
            continue
        with open(os.path.join(work, name)) as file:
            for line in file:
                what, *values = line.rstrip("\n").split("\t")
                if what == "W":
                    writes.append(Write(int(values[0]), sys.intern(values[1]), *map(int, values[2:])))
                elif what == "R":
                    reads.append(Read(*map(int, values)))
                elif what == "A":
                    agains.append(Again(*map(int, values)))
                elif what == "B":
                    busy[values[0]] += int(values[1])
                else:
                    errors.append(values[0])
    return writes, reads, agains, errors, busy


def ask(link, path, token):
    link.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    answer = link.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise SystemExit(f"GET {path}: {answer.status} {body[:300]!r}")
    return answer, json.loads(body)


def state(answer, body):
    return body["properties"]["n"], number_of(answer.headers["ETag"].strip('"'))


def each(shared, work, things, threads=4):
    """Does the work for each thing, over some connections: {thing: result}."""
    left, results, failures = collections.deque(things), {}, []

    def run():
        link = http.client.HTTPConnection("127.0.0.1", shared.port, timeout=60)
        try:
            while left and not failures:
                thing = left.popleft()
                results[thing] = work(link, thing)
        except IndexError:
            pass
        except (SystemExit, OSError, http.client.HTTPException) as failure:
            failures.append(failure)

    runs = [threading.Thread(target=run) for _ in range(threads)]
    for one in runs:
        one.start()
    for one in runs:
        one.join()
    if failures:
        raise SystemExit(str(failures[0]))
    return results


def sampled(shared, writes, dice):
    """The versions over HTTP of 200 features: those with the most changes, some that are gone, some that were added, others."""
    counts = collections.Counter(w.fid for w in writes if w.status in DONE)
    gone = {w.fid for w in writes if w.kind == "DELETE" and w.status in DONE}
    added = {w.fid for w in writes if w.kind == "POST" and w.status in DONE}
    most = [fid for fid, n in counts.most_common(20)]
    groups = [most, *(dice.sample(sorted(group), min(60, len(group))) for group in (gone, added, set(shared.start)))]
    fids = sorted({fid for group in groups for fid in group if counts[fid] < MAX_VERSIONS - 1})[:200]

    def versions(link, fid):
        _, answer = ask(link, f"{ITEMS}/{fid}/versions", shared.token)
        count = len(answer["versions"])
        # The server reads all versions for each one: of a long history some are enough.
        some = range(1, count + 1) if count <= 20 else sorted({1, 2, count - 1, count, *dice.sample(range(1, count + 1), 16)})
        states = {n: state(*ask(link, f"{ITEMS}/{fid}/versions/{n}", shared.token)) for n in some}
        return count, [version["from"] for version in answer["versions"]], states

    return each(shared, versions, fids)


def under_load(server, shared, options, dice):
    """Lets the clients work, kills the server meanwhile; returns how often."""
    begun = shared.begun
    moments = sorted(dice.uniform(0.01, 0.99) * options.operations for _ in range(options.kills))
    processes = []
    for n in range(options.workers):
        budget = options.operations // options.workers + (n < options.operations % options.workers)
        work = lambda n=n, budget=budget: Work(n, range(n, options.clients, options.workers), budget, shared).run()
        processes.append(multiprocessing.get_context("fork").Process(target=work, daemon=True))
        processes[-1].start()
    kills, told_at, told_count = 0, begun, 0
    while any(process.is_alive() for process in processes):
        if any(process.exitcode for process in processes):
            raise SystemExit("a process of clients failed")
        count, now = sum(shared.counts), time.monotonic()
        if moments and count >= moments[0]:
            is_early = True
            while moments and is_early:
                moments.pop(0)
                kills += 1
                server.kill()
                server.start()
                # Some die while they start: what is repaired then has to bear being broken off.
                is_early = dice.random() < 0.1
                time.sleep(dice.uniform(0, 0.2) if moments and is_early else 0)
            server.wait()
        if now > told_at + 10:
            stats = [sum(stat[i] for stat in shared.stats) for i in range(8)]
            print(f"{now - begun:6.0f} s  {count} operations, {(count - told_count) / (now - told_at):.0f} a second, "
                  f"{stats[ACKNOWLEDGED]} writes acknowledged, {stats[REFUSED]} refused, {kills} kills", flush=True)
            told_at, told_count = now, count
        if server.process.poll() is not None:
            raise SystemExit(f"the server ended by itself: {server.process.returncode}, see server.log")
        time.sleep(0.002)
    if any(process.exitcode for process in processes):
        raise SystemExit("a process of clients failed")
    return kills


def figures(writes, shared, kills, seconds, starts):
    count = sum(shared.counts)
    stats = [sum(stat[i] for stat in shared.stats) for i in range(8)]
    print(f"{count} operations in {seconds:.0f} s, {count / seconds:.0f} a second: {stats[ACKNOWLEDGED]} writes acknowledged, "
          f"{stats[REFUSED]} answered 412, {stats[AGAINS]} repeated though answered")
    print(f"{kills} kills, {stats[BROKEN]} broken connections or vain tries, {stats[HANG_UPS]} hung up on purpose, {stats[TIMEOUTS]} answers "
          f"that did not come, {stats[BUSY]} told to come later; {stats[REPLAYED]} writes had been done when they were repeated, "
          f"{sum(w.attempts > 1 for w in writes)} were sent more than once")
    print(f"start to ready: median {sorted(starts)[len(starts) // 2]:.2f} s, longest {max(starts):.2f} s")
    for what, of in [("acknowledged", True), ("answered 412", False)]:
        times = sorted(w.answered - w.sent for w in writes if w.attempts == 1 and (w.status in DONE) == of)
        if times:
            p50, p99 = (times[min(len(times) - 1, int(len(times) * q))] / 1000 for q in (0.5, 0.99))
            print(f"writes {what}, sent once: p50 {p50:.1f} ms, p99 {p99:.1f} ms, longest {times[-1] / 1000:.0f} ms")


class Shared:
    """What all processes see."""


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("program", nargs="?")
    for name, value in [("clients", 64), ("operations", 1_000_000), ("kills", 200), ("seed", None), ("features", 2000), ("workers", 2)]:
        options.add_argument(f"--{name}", type=int, default=value)
    options.add_argument("--place", help="a folder to make the store below, or the address of a PostgreSQL database")
    options.add_argument("--keep", action="store_true", help="keep the store and the logs even when all is well")
    options.add_argument("--self-test", action="store_true")
    options = options.parse_args()
    if options.self_test:
        sys.exit(0 if self_test(right, check, FAULTS) else 1)
    if not options.program:
        sys.exit("name the program: target/release/hromada")
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    dice = random.Random(seed)
    is_folder = options.place and not options.place.startswith("postgres")
    work = tempfile.mkdtemp(prefix="checked-", dir=options.place if is_folder else None)
    store = Store(os.path.realpath(options.program), options.place, work)
    shared = Shared()
    shared.seed, shared.work = seed, work
    shared.token = store.fill(options.features)
    server = Server(store, work)
    shared.port = server.port
    server.start()
    try:
        is_right = run(options, store, server, shared, dice)
    finally:
        if server.process.poll() is None:
            server.kill()
        print(f"seed {seed}; {work}", flush=True)
    if is_right and not options.keep:
        store.drop()
        shutil.rmtree(work)
    sys.exit(0 if is_right else 1)


def run(options, store, server, shared, dice):
    server.wait()
    print(f"{options.clients} clients, {options.operations} operations, {options.kills} kills, {store}", flush=True)
    states = each(shared, lambda link, fid: state(*ask(link, f"{ITEMS}/{fid}", shared.token)), range(1, options.features + 1))
    shared.start = {fid: (tag, id) for fid, (id, tag) in states.items()}
    shared.slots = multiprocessing.RawArray("q", sorted(shared.start))
    shared.counts = multiprocessing.RawArray("q", options.workers)
    shared.stats = [multiprocessing.RawArray("q", 8) for _ in range(options.workers)]
    shared.begun = time.monotonic()
    kills = under_load(server, shared, options, dice)
    seconds = time.monotonic() - shared.begun
    writes, reads, agains, errors, busy = logged(shared.work)
    versions = sampled(shared, writes, dice)
    stopped = server.stop()
    checked = store.run("check", "--json", may_fail=True)
    torn = Found()
    history, final = store.history(torn)
    found = check(shared.start, writes, reads, agains, history, final, versions)
    found[2] += torn[2] + [f"unexpected answer: {error}" for error in errors]
    if stopped != 0:
        found.add(5, f"the server ended with {stopped} when it was asked to stop")
    try:
        is_clean = json.loads(checked.stdout)["clean"] is True
    except (ValueError, KeyError):
        is_clean = False
    if checked.returncode or not is_clean:
        found.add(5, f"hromada check: {checked.returncode} {checked.stdout[:2000]}{checked.stderr[:500]}")
    is_right = report(found)
    print(f"checked: {len(writes)} writes, {len(reads)} reads, {len(history)} features with {sum(map(len, history.values()))} changes; "
          f"over HTTP {len(versions)} features, {sum(len(states) for _, _, states in versions.values())} states")
    figures(writes, shared, kills, seconds, server.starts)
    print("told to come later:", ", ".join(f"{count} x {reason}" for reason, count in busy.items()) or "nobody")
    return is_right


if __name__ == "__main__":
    main()
