#!/usr/bin/env python3
"""What a version costs: bytes that the store grows by for each edit of a parcel, by kind of edit, beside the size of the parcel.

    benches/history_size.py target/release/hromada [--edits 2000] [--at-once 100] [--place DIR-OR-postgres://…]
                            [--file FILE.gpkg] [--layer parcels] [--keep]

Makes a fresh store in a new folder (or below DIR, or in a schema of its own of the database), imports the parcels, serves them, and
edits by `POST /transactions`: first one property of N parcels, then one vertex of N others; each once with one parcel a request and
once with so many at once. After each part the tables are measured: `dbstat` of SQLite after a checkpoint, `pg_total_relation_size`
of PostgreSQL after a VACUUM FULL, without the room that waits to be used again. Last, all that was edited is made ten years old,
given a retention and trimmed, and measured again.

Printed for each part: bytes a version in the change log with its indexes, of that the states before alone, bytes a request in the
tables beside it (transactions, audit log), and how many times the size of a parcel in its own table a version is.
"""
import argparse, http.client, json, os, pathlib, shutil, sqlite3, subprocess, tempfile, time

HERE = pathlib.Path(__file__).resolve().parent
SAMPLE = HERE.parent / "data-samples/cambridge-ma/parcels_fy2014.gpkg"
LOG = ["hromada_changes"]
BESIDE = ["hromada_transactions", "hromada_audit"]
# A property of the sample that everybody has, and a vertex that may be moved without a second thought.
PROPERTY = "total_value"
STEP = 1e-6


class Folder:
    name = "folder"

    def __init__(self, below):
        self.folder = tempfile.mkdtemp(prefix="history-size-", dir=below)
        self.flags = ["--data", self.folder]

    def rows(self, sql):
        with sqlite3.connect(os.path.join(self.folder, "hromada.gpkg")) as link:
            return link.execute(sql).fetchall()

    def size(self, tables):
        names = ", ".join(f"'{t}'" for t in tables)
        sql = f"""SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE aggregate = TRUE AND name IN
                    (SELECT name FROM sqlite_schema WHERE tbl_name IN ({names}))"""
        return self.rows(sql)[0][0]

    def states(self):
        return self.rows("SELECT sum(coalesce(length(CAST(before_geometry AS BLOB)), 0) + "
                         "coalesce(length(CAST(before_properties AS BLOB)), 0)) FROM hromada_changes")[0][0] or 0

    def whole(self):
        with sqlite3.connect(os.path.join(self.folder, "hromada.gpkg")) as link:
            link.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            pages, free = link.execute("PRAGMA page_count").fetchone()[0], link.execute("PRAGMA freelist_count").fetchone()[0]
        return pages * 4096, free * 4096

    def settle(self):
        self.whole()

    def age(self, sql):
        with sqlite3.connect(os.path.join(self.folder, "hromada.gpkg")) as link:
            link.execute(sql)

    def remove(self):
        shutil.rmtree(self.folder)


class Database:
    name = "PostgreSQL"

    def __init__(self, url):
        self.schema = f"history_size_{os.getpid()}"
        self.url = url
        self.folder = tempfile.mkdtemp(prefix="history-size-")
        self.flags = ["--data", self.folder, "--database", f"{url}{'&' if '?' in url else '?'}schema={self.schema}"]

    def rows(self, sql):
        command = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql, self.url]
        env = {**os.environ, "PGOPTIONS": f"-c search_path={self.schema},public"}
        out = subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout
        number = lambda text: int(text) if text.lstrip("-").isdigit() else text
        return [tuple(number(v) for v in line.split("|")) for line in out.splitlines()]

    def size(self, tables):
        return sum(self.rows(f"SELECT pg_total_relation_size('{t}')")[0][0] for t in tables)

    def states(self):
        return self.rows("SELECT coalesce(sum(coalesce(pg_column_size(before_geometry), 0) + "
                         "coalesce(pg_column_size(before_properties), 0)), 0) FROM hromada_changes")[0][0]

    def whole(self):
        rows = self.rows(f"SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
                         f"WHERE nspname = '{self.schema}' AND relkind = 'r'")
        return rows[0][0], 0

    def settle(self):
        for table in LOG + BESIDE + ["parcels"]:
            self.rows(f"VACUUM FULL {table}")

    def age(self, sql):
        self.rows(sql)

    def remove(self):
        self.rows(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE")
        shutil.rmtree(self.folder)


class Server:
    def __init__(self, binary, place):
        self.process = subprocess.Popen([binary, *place.flags, "serve", "--listen", "127.0.0.1:0", "--requests-per-second", "0"],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment())
        line = self.process.stdout.readline()
        self.address = line.split("http://")[1].split("/")[0]

    def stop(self):
        self.process.terminate()
        self.process.wait()


def environment():
    return {**os.environ, "HROMADA_LANG": "en", "RUST_LOG": "warn"}


def run(binary, place, *args):
    done = subprocess.run([binary, *place.flags, *args], capture_output=True, text=True, env=environment())
    if done.returncode not in (0, 3):
        raise SystemExit(f"{' '.join(args)}: {done.stdout}{done.stderr}")
    return done.stdout


class Client:
    def __init__(self, address, token):
        host, port = address.split(":")
        self.link = http.client.HTTPConnection(host, int(port), timeout=120)
        self.headers = {"Authorization": f"Bearer {token}", "Accept": "application/geo+json"}

    def ask(self, method, path, body=None, kind="application/ogc-tx+json"):
        headers = {**self.headers, "Content-Type": kind} if body is not None else self.headers
        headers = {**headers, "Accept": "*/*"} if body is not None else headers
        self.link.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = self.link.getresponse()
        data = answer.read()
        if answer.status >= 400:
            raise SystemExit(f"{method} {path}: {answer.status} {data[:500]!r}")
        return json.loads(data) if data else None

    def transact(self, actions):
        self.ask("POST", "/transactions", {"semantic": "atomic", "description": "рішення № 12", "transaction": actions})


def property_edit(feature):
    value = (feature["properties"][PROPERTY] or 0) + 1
    return {"action": "update", "collection": "parcels", "filter": {"ids": [feature["id"]]},
            "properties": {"modify": [{"name": PROPERTY, "value": value}]}}


def geometry_edit(feature):
    geometry = json.loads(json.dumps(feature["geometry"]))
    ring = geometry["coordinates"]
    while not isinstance(ring[0][0], (int, float)):
        ring = ring[0]
    ring[0][0] += STEP
    ring[-1][0] = ring[0][0]
    return {"action": "update", "collection": "parcels", "filter": {"ids": [feature["id"]]},
            "properties": {"modify": [{"name": "geometry", "value": geometry}]}}


def measure(place):
    place.settle()
    return {"log": place.size(LOG), "states": place.states(), "beside": place.size(BESIDE)}


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("binary")
    words.add_argument("--edits", type=int, default=2000)
    words.add_argument("--at-once", type=int, default=100)
    words.add_argument("--place")
    words.add_argument("--file", default=str(SAMPLE))
    words.add_argument("--layer", default="parcels")
    words.add_argument("--keep", action="store_true")
    given = words.parse_args()
    place = Database(given.place) if (given.place or "").startswith("postgres") else Folder(given.place)
    servers = []
    try:
        measure_all(given, place, servers)
    finally:
        for server in servers:
            server.stop()
        if not given.keep:
            place.remove()


def measure_all(given, place, servers):
    run(given.binary, place, "import", given.file, "--layer", given.layer, "--collection", "parcels", "--access", "public")
    run(given.binary, place, "user", "add", "clerk", "--machine", "--name", "Clerk", "--role", "gis-editor")
    token = json.loads(run(given.binary, place, "token", "new", "clerk", "--scope", "write", "--json"))["token"]
    count = place.rows("SELECT count(*) FROM parcels")[0][0]
    place.settle()
    own = place.size(["parcels"]) / count
    whole, _ = place.whole()
    print(f"{place.name}: {count} parcels, {own:.0f} bytes each in their table with its indexes; {whole / 1e6:.1f} MB in all")
    print(f"the import itself: {place.size(LOG) / count:.0f} bytes a parcel in the log")
    server = Server(given.binary, place)
    servers.append(server)
    client = Client(server.address, token)
    features, path = [], "/collections/parcels/items?limit=5000"
    while path and len(features) < 4 * given.edits:
        page = client.ask("GET", path)
        features += [f for f in page["features"] if f["geometry"]]
        following = [l["href"] for l in page["links"] if l["rel"] == "next"]
        path = "/" + following[0].split("/", 3)[3] if following else None
    served = sum(len(json.dumps(f, ensure_ascii=False, separators=(",", ":")).encode()) for f in features) / len(features)
    print(f"as GeoJSON one is {served:.0f} bytes")
    parts = [("one property", property_edit, 1), ("one property", property_edit, given.at_once),
             ("one vertex", geometry_edit, 1), ("one vertex", geometry_edit, given.at_once)]
    print(f"{'edit':14}{'at once':>8}{'a version':>11}{'its state':>11}{'× parcel':>10}{'beside, a request':>19}{'edits/s':>9}")
    before = measure(place)
    for i, (name, edit, at_once) in enumerate(parts):
        chosen = (features * 4)[i * given.edits:(i + 1) * given.edits]
        begun = time.monotonic()
        for j in range(0, len(chosen), at_once):
            client.transact([edit(f) for f in chosen[j:j + at_once]])
        took = time.monotonic() - begun
        after = measure(place)
        grown = {k: after[k] - before[k] for k in after}
        requests = -(-len(chosen) // at_once)
        version = grown["log"] / len(chosen)
        print(f"{name:14}{at_once:8}{version:11.0f}{grown['states'] / len(chosen):11.0f}{version / own:10.2f}"
              f"{grown['beside'] / requests:19.0f}{len(chosen) / took:9.0f}")
        before = after
    servers.pop().stop()
    place.settle()
    log, (whole, free) = place.size(LOG), place.whole()
    print(f"before trimming: log {log / 1e6:.2f} MB, all {whole / 1e6:.2f} MB, free in it {free / 1e6:.2f} MB")
    place.age("UPDATE hromada_changes SET at = '2010-05-01T10:00:00.000Z'")
    place.settle()
    rules = pathlib.Path(place.folder) / "rules.json"
    rules.write_text('{"class": "public", "retention": {"days": 365}}')
    run(given.binary, place, "access", "set", "parcels", "--file", str(rules))
    begun = time.monotonic()
    trimmed = json.loads(run(given.binary, place, "history", "trim", "--json"))["collections"][0]
    took = time.monotonic() - begun
    place.settle()
    log, (whole, free) = place.size(LOG), place.whole()
    print(f"trimmed {trimmed['states']} states, {trimmed['bytes'] / 1e6:.2f} MB of them, in {took:.1f} s")
    print(f"after trimming: log {log / 1e6:.2f} MB, all {whole / 1e6:.2f} MB, free in it {free / 1e6:.2f} MB")
    changes = place.rows("SELECT count(*) FROM hromada_changes")[0][0]
    print(f"a change without its state: {log / changes:.0f} bytes")


if __name__ == "__main__":
    main()
