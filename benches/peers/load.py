"""Asks a server: with wrk, many at once, or one request after the other; and reads from /proc what it cost."""
import collections, gzip, http.client, json, os, subprocess, tempfile, time
from urllib.parse import urlsplit

LUA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "load.lua")
TICK = os.sysconf("SC_CLK_TCK")
GOOD = {200, 204, 304}


def processes():
    """{pid: (parent, session, seconds used, seconds used by children that ended)}"""
    out = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        own, ended = (sum(map(int, fields[a:a + 2])) / TICK for a in (11, 13))
        out[int(name)] = int(fields[1]), int(fields[3]), own, ended
    return out


def busy():
    """Seconds in which any processor worked, for anybody."""
    with open("/proc/stat") as file:
        fields = list(map(int, file.readline().split()[1:9]))
    return (sum(fields) - fields[3] - fields[4]) / TICK


def quiet(seconds=float(os.environ.get("QUIET_SECONDS", "5"))):
    """Waits until others leave the machine alone, but not for ever."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        before, begun = busy(), time.monotonic()
        time.sleep(0.3)
        if busy() - before < 0.1 * (time.monotonic() - begun) * os.cpu_count():
            return


def favour(pids):
    """Gives sessions the niceness of this process: by itself it counts among the processes of one session only (autogroup)."""
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    for pid in pids if nice else ():
        try:
            with open(f"/proc/{pid}/autogroup", "w") as file:
                file.write(str(nice))
        except OSError:
            pass


class Meter:
    """What a server and PostgreSQL use of the processor between two looks, and how much was left to others."""
    def __init__(self, sessions, postmaster):
        self.sessions, self.postmaster = set(sessions), postmaster

    def look(self):
        table = processes()
        server = sum(own + ended for _, session, own, ended in table.values() if session in self.sessions)
        # Who has ended is in the sum of its parent, so that this never falls.
        database = sum(own + (ended if pid == self.postmaster else 0) for pid, (parent, _, own, ended) in table.items()
                       if self.postmaster and self.postmaster in (pid, parent))
        times = os.times()
        return server, database, times.user + times.system + times.children_user + times.children_system, busy(), time.monotonic()

    def __enter__(self):
        # Each connection of PostgreSQL is a session too.
        favour([os.getpid(), *(pid for pid, (parent, session, _, _) in processes().items()
                               if session in self.sessions or self.postmaster and self.postmaster in (pid, parent))])
        self.before = self.look()
        return self

    def __exit__(self, *_):
        server, database, load, anybody, self.seconds = (b - a for a, b in zip(self.before, self.look()))
        self.server, self.database = server, database
        # The share of one processor that none of those concerned used.
        self.others = max(0.0, anybody - server - database - load) / self.seconds


def memory(session):
    """MiB resident, summed over the processes of a server: what they share counts more than once."""
    total = 0
    for pid, (_, its, _, _) in processes().items():
        if its == session:
            try:
                with open(f"/proc/{pid}/status") as file:
                    total += next((int(line.split()[1]) for line in file if line.startswith("VmRSS")), 0)
            except OSError:
                pass
    return total / 1024


class Client:
    """One connection, kept while the server keeps it."""
    def __init__(self, base, timeout=120):
        self.connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=timeout)

    def ask(self, path, headers, method="GET", body=None):
        """Seconds to the last byte, status, headers, body as it came."""
        for is_last in (False, True):
            try:
                begun = time.perf_counter()
                self.connection.request(method, path, body=body, headers=headers)
                answer = self.connection.getresponse()
                read = answer.read()
                return time.perf_counter() - begun, answer.status, answer.headers, read
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                # Some close it after each answer, or after a thousand; what was written is not sent twice.
                self.connection.close()
                if is_last or method != "GET":
                    raise


def verify(base, paths, accept):
    """Asks each path once: {statuses, encoding, mean and largest body on the wire, tags}."""
    client, statuses, encodings, sizes, tags, bodies = Client(base), collections.Counter(), set(), [], [], []
    for path in paths:
        _, status, headers, body = client.ask(path, {"Accept-Encoding": accept})
        statuses[status] += 1
        if status == 200:
            encodings.add(headers.get("Content-Encoding", "identity"))
        sizes.append(len(body))
        tags.append(headers.get("ETag"))
        bodies.append(body)
    step = max(1, len(paths) // 6)
    return {"statuses": dict(statuses), "encoding": "+".join(sorted(encodings)), "mean": sum(sizes) / len(sizes), "largest": max(sizes),
            "tags": tags, "sampled": bodies[::step]}


def parallel(base, paths, accept, connections, seconds, tags=None):
    """wrk, closed loop: rate, p50 and p99 under that load, bytes of an answer with its head. With tags each path is asked for with its
    own in If-None-Match."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        for n, path in enumerate(paths):
            file.write(f"{path}\t{tags[n] if tags else ''}\n")
        file.flush()
        words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "120s", "--latency", "-s", LUA, base]
        out = subprocess.run(words, env={**os.environ, "PATHS": file.name, "ACCEPT": accept}, stdin=subprocess.DEVNULL, capture_output=True,
                             text=True, check=True).stdout
    return json.loads(out[out.index("JSON{") + 4:].splitlines()[0])


def serial(base, paths, accept, seconds):
    """One request at a time, each path as often as any other: p99 is the slowest."""
    client, times, size, errors, until = Client(base), [], 0, 0, time.perf_counter() + seconds
    while not times or time.perf_counter() < until:
        for path in paths:
            took, status, _, body = client.ask(path, {"Accept-Encoding": accept})
            times.append(took * 1000)
            size += len(body)
            errors += status not in GOOD
    times.sort()
    return {"rate": 1000 * len(times) / sum(times), "p50": times[len(times) // 2], "p99": times[-1], "bytes": size / len(times),
            "requests": len(times), "errors": errors}


def raw(body, encoding):
    """A tile as it is, or None where nothing here reads its encoding."""
    if encoding == "gzip" or body[:2] == b"\x1f\x8b":
        return gzip.decompress(body)
    return None if encoding == "zstd" else body


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def fields(data):
    """(number, bytes) of the fields that have a length."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 2:
            length, at = varint(data, at)
            yield key >> 3, data[at:at + length]
            at += length
        elif key & 7 == 0:
            _, at = varint(data, at)
        else:
            at += 8 if key & 7 == 1 else 4


def contents(tile):
    """{layer: (features, bytes of geometry)}"""
    out = {}
    for number, layer in fields(tile):
        if number == 3:
            parts = list(fields(layer))
            name = next(value for n, value in parts if n == 1).decode()
            features = [value for n, value in parts if n == 2]
            out[name] = len(features), sum(len(v) for f in features for n, v in fields(f) if n == 4)
    return out
