#!/usr/bin/env python3
"""How fast edits are, what a million of them weigh, and whether reading today's state gets slower by them.

    benches/edit_speed.py target/release/hromada [--edits 1000000] [--features 100000] [--single 2000] [--concurrent 20000] [--clients 16]
                          [--batch 1000] [--rounds 15] [--reads 100] [--limit 1.05] [--settle 10] [--warm 5] [--seed N]
                          [--place DIR-OR-postgres://…] [--keep]
    benches/edit_speed.py --self-test

Makes three stores with the same lots, all in new folders (or below DIR, or in schemas of the database). One is edited: by one client
and by sixteen, each write a PATCH of properties and geometry with `If-Match`, then by transactions of a thousand up to `--edits` in all,
then by one client again. All answers come after the commit: beside them stands what a write of 4 KiB with fdatasync costs on the disk.
The new values are as long as the old ones, so that today's data weigh the same.

The others are never edited. All are asked for the same things in turn, request by request: a feature, a page of a box, a tile; no tile
and no encoded feature is kept (`--tile-cache 0 --feature-cache 0`); before, sixteen clients at once ask each. A round has `--reads` of each; the median of a round is held against
those of the two unedited stores in the same round: how those two differ is the noise. The first `--warm` rounds do not count, but are
printed. This is done while the edited server still runs that took the edits, `--settle` seconds after the last of them (what they have
scattered in memory it gathers some seconds after), and when all have been started again. Exit code 1 when an edit is not in the log and
the table, or the median of the rounds is above `--limit`; then the stores are kept. PostgreSQL is told to VACUUM ANALYZE before.
With --self-test the checks are fed with made-up faults.

Where there is strace, it counts the syncs of the server's file while one client makes 50 edits: each has to have one.
"""
import json, multiprocessing, os, random, re, shutil, signal, socket, statistics, subprocess, sys, threading, time

from evidence import Found, Store, arguments, in_ms, percentile, report, self_test, serve, tile_at, with_store

KINDS = ("item", "page", "tile")
SYNCED = 50
CHECKS = {
    1: "each acknowledged edit is in the change log, and nothing else",
    2: "the table has what was acknowledged last",
    3: "reading today's state is as fast as without the edits, within the limit",
    4: "all stores answer alike: as many features, no errors",
    5: "`hromada check` finds the store clean",
    6: "a commit is on the disk before it is answered",
}


def check(counts, values, ratios, alike, limit, synced):
    """counts: (acknowledged, in the log). values: ({fid: number acknowledged last}, {fid: number in the table}). ratios: {(when, kind):
    [(ratio, that of the two stores without edits) of each round]}. alike: [(path, the answer of one store, of the other)] that differ.
    synced: of SYNCED edits one after the other so many times the disk was waited for, or None."""
    found = Found()
    if counts[0] != counts[1]:
        found.add(1, f"{counts[0]} edits were acknowledged, the log has {counts[1]}")
    told, stored = values
    wrong = sorted(fid for fid in told.keys() | stored.keys() if told.get(fid) != stored.get(fid))
    for fid in wrong[:3]:
        found.add(2, f"lot {fid}: {told.get(fid)} was acknowledged last, the table has {stored.get(fid)}")
    if len(wrong) > 3:
        found.add(2, f"{len(wrong)} lots differ")
    for (when, kind), each in ratios.items():
        middle, noise = (statistics.median(values) for values in zip(*each))
        if max(noise, 1 / noise) > limit:
            found.add(3, f"{kind}, {when}: {middle:.3f} times as long; the two stores without edits differ by {noise:.3f}: once more, on a machine at rest")
        elif middle > limit:
            found.add(3, f"{kind}, {when}: {middle:.3f} times as long, {limit} is the limit")
    if synced is not None and synced < SYNCED:
        found.add(6, f"{SYNCED} edits were answered after {synced} syncs")
    for path, one, other in alike:
        found.add(4, f"{path}: {one} without edits, {other} with them")
    return found


class Raw:
    """One kept connection with as little of its own as can be."""
    LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.I)
    TAG = re.compile(rb'\r\netag: ("[^"\r]*")', re.I)

    def __init__(self, port, token):
        self.port = port
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=300)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.common = f"Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"

    def request(self, method, path, body=b"", media="", more=""):
        lines = f"{method} {path} HTTP/1.1\r\n{self.common}{more}"
        if body:
            lines += f"Content-Type: {media}\r\nContent-Length: {len(body)}\r\n"
        return (lines + "\r\n").encode() + body

    def send(self, request):
        """The status, the head and the body."""
        self.socket.sendall(request)
        data = bytearray()
        while (end := data.find(b"\r\n\r\n")) < 0:
            self.receive(data)
        head = bytes(data[:end + 2])
        status, length = int(head[9:12]), self.LENGTH.search(head)
        if length:
            while len(data) < end + 4 + int(length[1]):
                self.receive(data)
        elif b"\r\ntransfer-encoding: chunked" in head.lower():
            while not data.endswith(b"\r\n0\r\n\r\n"):
                self.receive(data)
        return status, head, bytes(data[end + 4:])

    def receive(self, data):
        part = self.socket.recv(1 << 18)
        if not part:
            raise OSError("the server closed the connection")
        data += part


MERGE, TRANSACTION = "application/merge-patch+json", "application/ogc-tx+json"
# The first number of a lot; all have as many digits.
FIRST = 100_000_000


def square(fid, n):
    """A lot of some 30 m in a place of its own, where it moves by some centimetres."""
    x, y = 24 + fid % 1000 * 0.001 + n % 97 * 0.000001, 48 + fid // 1000 * 0.001 + n % 89 * 0.000001
    corners = ((x, y), (x + 0.0004, y), (x + 0.0004, y + 0.0004), (x, y + 0.0004), (x, y))
    return '{"type":"Polygon","coordinates":[[%s]]}' % ",".join("[%.6f,%.6f]" % corner for corner in corners)


def properties(n):
    return '{"name":"lot no. %d","n":%d}' % (n, n)


class Lots:
    """The lots that one client writes, with the number that each has; numbers are never given twice."""
    def __init__(self, fids, next, stride):
        self.fids, self.next, self.stride = list(fids), next, stride
        self.tags, self.told = {}, {}

    def number(self):
        self.next += self.stride
        return self.next


def patch(raw, dice, lots, count):
    """Edits one after the other: how long each took."""
    times = []
    for _ in range(count):
        fid, n = dice.choice(lots.fids), lots.number()
        path = f"/collections/lots/items/{fid}"
        if fid not in lots.tags:
            status, head, _ = raw.send(raw.request("GET", path))
            lots.tags[fid] = Raw.TAG.search(head)[1].decode()
        body = ('{"geometry":%s,"properties":%s}' % (square(fid, n), properties(n))).encode()
        request = raw.request("PATCH", path, body, MERGE, f"If-Match: {lots.tags[fid]}\r\nPrefer: return=minimal\r\n")
        begun = time.perf_counter()
        status, head, answer = raw.send(request)
        times.append(time.perf_counter() - begun)
        if status != 204:
            raise SystemExit(f"PATCH {path}: {status} {answer[:300]!r}")
        lots.tags[fid] = Raw.TAG.search(head)[1].decode()
        lots.told[fid] = n
    return times


def batch(raw, dice, lots, size):
    """A transaction of so many edits: how long it took."""
    actions, told = [], {}
    for fid in dice.sample(lots.fids, size):
        n = told[fid] = lots.number()
        feature = f'{{"type":"Feature","geometry":{square(fid, n)},"properties":{properties(n)}}}'
        actions.append(f'{{"action":"replace","collection":"lots","filter":{{"ids":[{fid}]}},"properties":{{"feature":{feature}}}}}')
    body = ('{"semantic":"atomic","transaction":[%s]}' % ",".join(actions)).encode()
    request = raw.request("POST", "/transactions", body, TRANSACTION, "Prefer: return=minimal\r\n")
    begun = time.perf_counter()
    status, _, answer = raw.send(request)
    took = time.perf_counter() - begun
    if status not in (200, 204):
        raise SystemExit(f"a transaction: {status} {answer[:300]!r}")
    lots.told.update(told)
    return took


def side_by_side(port, token, options, work, first):
    """Clients at once, each with lots of its own: (how long each edit took, seconds in all, {fid: number})."""
    share = options.concurrent // options.clients

    def client(k):
        raw, dice = Raw(port, token), random.Random(f"{options.seed} {k}")
        lots = Lots(range(1 + k, options.features + 1, options.clients), first + k, options.clients)
        patch(raw, dice, lots, 1)
        ready.wait()
        begun = time.monotonic()
        times = patch(raw, dice, lots, share - 1)
        with open(os.path.join(work, f"client-{k}.json"), "w") as file:
            json.dump([times, begun, time.monotonic(), lots.told], file)

    fork = multiprocessing.get_context("fork")
    ready = fork.Barrier(options.clients)
    processes = [fork.Process(target=client, args=(k,), daemon=True) for k in range(options.clients)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise SystemExit("a client failed")
    times, told, begins, ends = [], {}, [], []
    for k in range(options.clients):
        with open(os.path.join(work, f"client-{k}.json")) as file:
            some, begun, ended, lots = json.load(file)
        times += some
        begins.append(begun)
        ends.append(ended)
        told.update((int(fid), n) for fid, n in lots.items())
    return times, max(ends) - min(begins), told


def questions(dice, features):
    """A path of each kind."""
    fid = dice.randint(1, features)
    x, y = 24 + fid % 1000 * 0.001, 48 + fid // 1000 * 0.001
    z, column, row = tile_at(15, (x, y))
    return {"item": f"/collections/lots/items/{fid}",
            "page": f"/collections/lots/items?limit=50&bbox={x - 0.005:.6f},{y - 0.005:.6f},{x + 0.005:.6f},{y + 0.005:.6f}",
            "tile": f"/tiles/lots/{z}/{column}/{row}"}


MATCHED = re.compile(rb'"numberMatched":(\d+)')


def told_by(kind, answer):
    """What both stores have to say alike: the status, and how many features of a box there are, at its edges give or take some."""
    status, _, body = answer
    matched = MATCHED.search(body)
    return status, int(matched[1]) if kind == "page" and matched else 0


def pin(process, core):
    """Lets a process run on one core alone: what it costs to wake another would be more than what is looked for."""
    for thread in os.listdir(f"/proc/{process}/task"):
        try:
            os.sched_setaffinity(int(thread), {core})
        except (ProcessLookupError, PermissionError):
            pass


def database_processes():
    """The processes of the database, where it is that of .ci/services."""
    folder = os.environ.get("HROMADA_TEST_PGDATA")
    if not folder:
        return []
    with open(os.path.join(folder, "postmaster.pid")) as file:
        first = file.readline().strip()
    with open(f"/proc/{first}/task/{first}/children") as file:
        return [first, *file.read().split()]


def compared(asked, tokens, dice, options, alike):
    """Reads from a server with edits between two without in turn: {kind: [the medians of a round]}. Servers have one core, the client
    another, the database that of the servers."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        for process in [server.process.pid for server in asked] + database_processes():
            pin(process, cores[0])
        pin("self", cores[1])
    try:
        return in_turn(asked, tokens, dice, options, alike)
    finally:
        for process in ["self", *database_processes()]:
            for thread in os.listdir(f"/proc/{process}/task"):
                os.sched_setaffinity(int(thread), cores)


def in_turn(asked, tokens, dice, options, alike):
    links = [Raw(server.port, token) for server, token in zip(asked, tokens)]
    rounds = {kind: [] for kind in KINDS}
    for _ in range(options.warm + options.rounds):
        times = {(kind, n): [] for kind in KINDS for n in range(3)}
        for _ in range(options.reads):
            for kind, path in questions(dice, options.features).items():
                answers = {}
                order = [0, 1, 2]
                dice.shuffle(order)
                for n in order:
                    raw = links[n]
                    request = raw.request("GET", path)
                    begun = time.perf_counter()
                    answer = raw.send(request)
                    times[kind, n].append(time.perf_counter() - begun)
                    answers[n] = told_by(kind, answer)
                (status, matched), (status_edited, matched_edited) = answers[0], answers[1]
                if status != status_edited or status != 200 or abs(matched - matched_edited) > 40:
                    alike.append((path, answers[0], answers[1]))
        for kind in KINDS:
            rounds[kind].append(tuple(statistics.median(times[kind, n]) for n in range(3)))
    return rounds


def spread(values):
    values = sorted(values)
    quarter = lambda part: values[min(len(values) - 1, int(part * len(values)))]
    return f"{statistics.median(values):.3f} (quartiles {quarter(0.25):.3f} to {quarter(0.75):.3f}, all {values[0]:.3f} to {values[-1]:.3f})"


def ratios_of(each):
    return [(edited / ((a + b) / 2), b / a) for a, edited, b in each]


def print_reads(when, rounds, warm):
    for kind, all in rounds.items():
        each = all[warm:]
        plain, edited = (statistics.median(m) for m in zip(*(((a + b) / 2, e) for a, e, b in each)))
        (ratio, noise), order = zip(*ratios_of(each)), [f"{r:.2f}" for r, _ in ratios_of(all)]
        print(f"{kind}, {when}: p50 {plain * 1000:.3f} ms without edits, {edited * 1000:.3f} ms with them; ratio {spread(ratio)}; "
              f"the two without against each other {spread(noise)}; "
              f"in the order of the rounds ({' '.join(order[:warm])}) {' '.join(order[warm:])}", flush=True)


def sizes(store):
    """{file or table: bytes}"""
    if store.database:
        return dict(store.rows("SELECT c.relname, pg_total_relation_size(c.oid) FROM pg_class AS c JOIN pg_namespace AS s ON s.oid = c.relnamespace"
                               f" WHERE s.nspname = '{store.schema}' AND c.relkind IN ('r', 'S')"))
    out = {}
    for folder, _, names in os.walk(store.folder):
        for name in names:
            path = os.path.join(folder, name)
            out[os.path.relpath(path, store.folder)] = os.stat(path).st_size
    return out


def disk(work):
    """How long it takes until 4 KiB are on the disk: at the end of a file, which grows, and within one, which need not."""
    path, out = os.path.join(work, "probe"), []
    for grows in (True, False):
        times = []
        with open(path, "wb", buffering=0) as file:
            if not grows:
                file.write(os.urandom(4096 * 200))
                os.fsync(file.fileno())
                file.seek(0)
            for _ in range(200):
                begun = time.perf_counter()
                file.write(os.urandom(4096))
                os.fdatasync(file.fileno())
                times.append(time.perf_counter() - begun)
        os.remove(path)
        out.append(times)
    return out


def syncs(server, edit, n):
    """How often the server has its file written to the disk in so many edits; None where that can't be seen."""
    if not shutil.which("strace"):
        return None
    trace = subprocess.Popen(["strace", "-f", "-e", "trace=fdatasync,fsync", "-p", str(server.process.pid)], stderr=subprocess.PIPE, text=True)
    lines = []
    listener = threading.Thread(target=lambda: lines.extend(trace.stderr))
    listener.start()
    time.sleep(1)
    for _ in range(n):
        edit()
    time.sleep(0.5)
    trace.send_signal(signal.SIGINT)
    listener.join()
    is_attached = any("attached" in line for line in lines)
    return sum(" = 0" in line for line in lines) if is_attached else None


class Plain(Store):
    """A store that is not edited, beside the other."""
    def __init__(self, program, place, work, name):
        os.mkdir(os.path.join(work, name))
        super().__init__(program, place, os.path.join(work, name))
        if self.database:
            schema, self.schema = self.schema, f"{self.schema}_{name}"
            self.options[1] = self.options[1].replace(schema, self.schema)


def run(options, store, work, servers):
    plain = [Plain(store.program, options.place, work, f"plain{n}") for n in (1, 2)]
    is_right = measured(options, store, plain, work, servers, random.Random(options.seed))
    if is_right and not options.keep:
        for one in plain:
            one.drop()
    return is_right


def measured(options, store, plain, work, servers, dice):
    lots = [{"type": "Feature", "geometry": json.loads(square(fid, fid)), "properties": json.loads(properties(FIRST + fid))}
            for fid in range(1, options.features + 1)]
    stores = [plain[0], store, plain[1]]
    for one in stores:
        one.features("lots", lots)
    tokens = [one.account() for one in stores]
    after_import, before = store.last(), sizes(store)
    # A folder is measured again as a whole when the server has stopped; a database as it is.
    words = ("--tile-cache", "0", "--feature-cache", "0")
    asked = [serve(one, one.work, servers, *words) for one in stores]
    server = asked[1]
    print(f"{options.edits} edits of {options.features} lots, {store}, {os.cpu_count()} cores", flush=True)
    if store.database:
        told = {name: next(store.rows(f"SHOW {name}"))[0] for name in ("fsync", "synchronous_commit", "full_page_writes", "wal_sync_method")}
        print("PostgreSQL:", ", ".join(f"{name} {value}" for name, value in told.items()))
    print("4 KiB with fdatasync: " + "; ".join(f"{where} a file {in_ms(times)}" for where, times in zip(("at the end of", "within"), disk(work))), flush=True)
    all = {fid: FIRST + fid for fid in range(1, options.features + 1)}
    edits = 0

    def single(when):
        nonlocal edits
        mine = Lots(all, FIRST * 2 + edits * 2, 1)
        begun = time.monotonic()
        times = patch(Raw(server.port, tokens[1]), dice, mine, options.single)
        edits += options.single
        all.update(mine.told)
        print(f"one client, {when}: {options.single / sum(times):.0f} edits a second; {in_ms(times)}", flush=True)

    single("at the start")
    if not store.database:
        mine = Lots(all, FIRST * 3, 1)
        link = Raw(server.port, tokens[1])
        synced = syncs(server, lambda: patch(link, dice, mine, 1), SYNCED)
        edits += SYNCED if shutil.which("strace") else 0
        all.update(mine.told)
        print(f"syncs of {SYNCED} edits: {'not counted' if synced is None else synced}", flush=True)
    else:
        synced = SYNCED if told["fsync"] == told["synchronous_commit"] == "on" else 0
    times, seconds, told = side_by_side(server.port, tokens[1], options, work, FIRST * 4)
    edits += (options.concurrent // options.clients) * options.clients
    all.update(told)
    print(f"{options.clients} clients: {len(times) / seconds:.0f} edits a second; {in_ms(times)}", flush=True)
    raw, times, mine, shown = Raw(server.port, tokens[1]), [], Lots(all, FIRST * 5, 1), time.monotonic()
    # As many transactions as are needed; at least some, so that there is something to tell.
    while edits + options.single < options.edits or len(times) < 10:
        times.append(batch(raw, dice, mine, options.batch))
        edits += options.batch
        if time.monotonic() > shown + 30:
            shown = time.monotonic()
            print(f"{edits} edits; the last ten transactions took {statistics.median(times[-10:]) * 1000:.0f} ms each", flush=True)
    all.update(mine.told)
    tenth = max(1, len(times) // 10)
    print(f"transactions of {options.batch}: {options.batch * len(times) / sum(times):.0f} edits a second; {in_ms(times)}; p50 of the first tenth "
          f"{percentile(times[:tenth], 0.5) * 1000:.1f} ms, of the last {percentile(times[-tenth:], 0.5) * 1000:.1f} ms", flush=True)
    single(f"after {edits} edits")
    ratios, alike = {}, []

    def read_at_once(port, token):
        link, own = Raw(port, token), random.Random(port)
        for _ in range(200):
            for path in questions(own, options.features).values():
                link.send(link.request("GET", path))

    def reads(when):
        # What clients at once leave in a server, connections to its database first of all, is no matter of edits: all have it.
        for one, token in zip(asked, tokens):
            clients = [threading.Thread(target=read_at_once, args=(one.port, token)) for _ in range(options.clients)]
            for client in clients:
                client.start()
            for client in clients:
                client.join()
        for one in stores if store.database else []:
            # As the database does by itself sooner or later.
            names = [name for name, in one.rows(f"SELECT relname FROM pg_class WHERE relnamespace = '{one.schema}'::regnamespace AND relkind = 'r'")]
            words = [word for name in names for word in ("-c", f'VACUUM ANALYZE {one.schema}."{name}"')]
            subprocess.run(["psql", "-X", "-q", *words, one.database], check=True)
        time.sleep(options.settle)
        rounds = compared(asked, tokens, dice, options, alike)
        print_reads(when, rounds, options.warm)
        ratios.update({(when, kind): ratios_of(each[options.warm:]) for kind, each in rounds.items()})

    reads("the server that took the edits")
    resident = [memory(one) for one in asked]
    for one in asked:
        one.stop()
    after = sizes(store)
    grown = sum(after.values()) - sum(before.values())
    print(f"the store: {sum(before.values()) / 1e6:.1f} MB before, {sum(after.values()) / 1e6:.1f} MB after {edits} edits: {grown / edits:.0f} bytes an edit; "
          + ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in sorted(after.items(), key=lambda one: -one[1])[:4]))
    asked = [serve(one, one.work, servers, *words) for one in stores]
    print(f"memory: {resident[0]} and {resident[2]} MB without edits, {resident[1]} MB with them; from start to ready "
          f"{asked[0].starts[-1]:.2f} s and {asked[1].starts[-1]:.2f} s", flush=True)
    reads("all started again")
    for one in asked:
        one.stop()
    count = next(store.rows(f"SELECT count(*) FROM {{s}}hromada_changes WHERE seq > {after_import}"))[0]
    stored = dict(store.rows("SELECT fid, n FROM {s}lots"))
    found = check((edits, count), (all, stored), ratios, alike, options.limit, synced)
    begun = time.monotonic()
    dirt = store.is_clean()
    if dirt:
        found.add(5, dirt)
    is_right = report(CHECKS, found)
    print(f"hromada check took {time.monotonic() - begun:.1f} s")
    return is_right


def memory(server):
    with open(f"/proc/{server.process.pid}/status") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1]) // 1024


# The self-test.


def right():
    ratios = {("now", kind): [(0.98, 1.01), (1.01, 1), (1.2, 1.3)] for kind in KINDS}
    return dict(counts=(10, 10), values=({1: 5, 2: 6}, {1: 5, 2: 6}), ratios=ratios, alike=[], limit=1.05, synced=SYNCED)


def swallowed(case):
    case["counts"] = (10, 9)


def doubled(case):
    case["counts"] = (10, 11)


def older(case):
    case["values"][1][1] = 4


def gone(case):
    del case["values"][1][2]


def slower(case):
    case["ratios"]["now", "page"] = [(1.0, 1), (1.06, 1), (1.07, 1)]


def noisy(case):
    case["ratios"]["now", "tile"] = [(1.0, 0.9)] * 3


def other_answer(case):
    case["alike"].append(("/x", 200, 500))


def not_synced(case):
    case["synced"] = 49


FAULTS = [(not_synced, 6, "after 49 syncs"), (swallowed, 1, "the log has 9"), (doubled, 1, "the log has 11"), (older, 2, "lot 1"), (gone, 2, "lot 2"), (slower, 3, "page, now: 1.060"), (noisy, 3, "at rest"),
          (other_answer, 4, "500 with them")]


def main():
    options = arguments(__doc__, edits=1_000_000, features=100_000, single=2000, concurrent=20_000, clients=16, batch=1000, rounds=15, reads=100, limit=1.05, settle=10, warm=5)
    if options.self_test:
        sys.exit(0 if self_test(right, check, FAULTS) else 1)
    with_store(options, lambda store, work, servers: run(options, store, work, servers))


if __name__ == "__main__":
    main()
