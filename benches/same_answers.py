#!/usr/bin/env python3
"""The same data in both stores must give the same answers.

    .ci/services benches/same_answers.py HROMADA TOWN.gpkg LAYER [N] [SEED]

Imports the samples and a town into a folder and into PostGIS, serves both and compares N random requests (500) of each
kind. Allowed to differ: the store's epoch, the time of the answer, the request's number. JSON must be equal byte by byte,
tiles must decode equal. Every difference is printed with its request; exit code 1 when there is one. ETags of single
features that differ in the number of the change alone are counted: an import may number its features in another order.
"""
import http.client, json, math, os, random, re, socket, struct, subprocess, sys, tempfile, time
from urllib.parse import quote, urlencode

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
BASE = "http://town.test"
# Headers that are part of the answer.
HEADERS = ["Content-Type", "Content-Language", "Content-Crs", "Cache-Control", "Vary", "Location", "Allow", "Retry-After"]


class Server:
    def __init__(self, name, binary, place):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.name = name
        self.process = subprocess.Popen([binary, "serve", *place, "--listen", f"127.0.0.1:{self.port}", "--base-url", BASE],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.connection = None
        for _ in range(3000):
            try:
                if self.ask("/health/ready")[0] == 200:
                    break
            except OSError:
                pass
            if self.process.poll() is not None:
                raise SystemExit(f"the server of the {name} store did not start")
            time.sleep(0.02)
        page = json.loads(self.ask("/collections/parcels/items?limit=1")[2])
        self.epoch = next(l["href"] for l in page["links"] if l["rel"] == "next").split("cursor=")[1].split(".")[0]

    def ask(self, path, headers={}):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            self.connection.request("GET", path, headers={"Host": "town.test", **headers})
            answer = self.connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection = None
            raise OSError(str(error)) from error

    def plain(self, path, headers):
        """The answer without what may differ: status, headers, body."""
        status, given, body = self.ask(path.replace("EPOCH", self.epoch), headers)
        kept = {name: given[name] for name in HEADERS if given[name] is not None}
        tag = given["ETag"]
        if tag is not None:
            # A hash over the epoch and the content, but for single features, where epoch and change are told.
            kept["ETag"] = tag.replace(self.epoch, "EPOCH") if tag.startswith(f'"{self.epoch}') else "a hash"
        if "mapbox" not in given.get("Content-Type", ""):
            body = body.replace(self.epoch.encode(), b"EPOCH")
            body = re.sub(rb'"timeStamp":"[^"]*"', b'"timeStamp":""', body)
            body = body.replace(given["X-Request-Id"].encode(), b"REQUEST")
        return status, kept, body


def fields(data):
    """(number, wire type, value) of a protocol buffer's message."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = varint()
        number, kind = key >> 3, key & 7
        if kind == 0:
            yield number, varint()
            continue
        size = varint() if kind == 2 else {1: 8, 5: 4}[kind]
        yield number, data[at:at + size]
        at += size


def packed(data):
    value = shift = 0
    out = []
    for byte in data:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            out.append(value)
            value = shift = 0
    return out


def decoded(tile):
    """Layers of a vector tile (Mapbox Vector Tile 2.1) with the features in their order."""
    out = []
    for number, layer in fields(tile):
        if number != 3:
            raise ValueError(f"field {number} in a tile")
        named, features, keys, values = {}, [], [], []
        for number, value in fields(layer):
            if number == 2:
                features.append(value)
            elif number == 3:
                keys.append(value.decode())
            elif number == 4:
                [(kind, v)] = fields(value)
                v = struct.unpack("<f" if kind == 2 else "<d", v)[0] if kind in (2, 3) else v
                values.append((kind, v))
            else:
                named[number] = value
        read = []
        for feature in features:
            parts = dict(fields(feature))
            tags = packed(parts.pop(2, b""))
            properties = {keys[k]: values[v] for k, v in zip(tags[::2], tags[1::2])}
            read.append((parts.get(1), parts.get(3), packed(parts.get(4, b"")), properties))
        out.append((named, read))
    return out


class Requests:
    def __init__(self, server, seed):
        self.r = random.Random(seed)
        self.ids = [c["id"] for c in json.loads(server.ask("/collections")[2])["collections"]]
        self.boxes, self.samples, self.schemas = {}, {}, {}
        for id_ in self.ids:
            self.boxes[id_] = json.loads(server.ask(f"/collections/{id_}")[2])["extent"]["spatial"]["bbox"][0]
            self.schemas[id_] = json.loads(server.ask(f"/collections/{id_}/schema")[2])["properties"]
            # All of a small collection, a part of a large one.
            self.samples[id_] = json.loads(server.ask(f"/collections/{id_}/items?limit=10000")[2])["features"]
        self.count = {id_: json.loads(server.ask(f"/collections/{id_}/items?limit=1")[2])["numberMatched"] for id_ in self.ids}

    def collection(self):
        # The town and the parcels more often: they are large and have times.
        return self.r.choice(self.ids + ["town", "parcels", "parcels-dated"])

    def feature(self, id_):
        return self.r.choice(self.samples[id_])

    def box(self, id_):
        west, south, east, north = self.boxes[id_]
        size = 10 ** self.r.uniform(-5, 0)
        x, y = self.r.uniform(west, east), self.r.uniform(south, north)
        a, b = (east - west) * size, (north - south) * size
        kind = self.r.random()
        if kind < 0.05:
            x, y = math.floor(x), math.floor(y)
            a = b = 0
        elif kind < 0.15:   # touches a vertex of a feature
            point = self.feature(id_)["geometry"]["coordinates"]
            while isinstance(point[0], list):
                point = point[0]
            x, y = point[:2]
            a, b = self.r.choice(((0, 0), (a, b), (-a, b)))
            if a < 0:
                x, a = x + a, -a
        return ",".join(repr(round(v, 9)) for v in (x, y, x + a, y + b))

    def limit(self):
        return self.r.choice((1, 2, 10, 10, 33, 100, 1000, 0, 10000, 10001, -1, "x") if self.r.random() < 0.3 else (1, 5, 10, 20, 50, 100))

    def page(self):
        id_ = self.collection()
        query = {"limit": self.limit()}
        if self.r.random() < 0.7:
            query["bbox"] = self.box(id_)
        if self.r.random() < 0.5:
            query["cursor"] = f"EPOCH.{self.r.choice((0, self.r.randrange(self.count[id_] + 2), self.feature(id_)['id']))}"
        if self.r.random() < 0.05:
            query["f"] = "html"
        return f"/collections/{id_}/items?{urlencode(query)}"

    def value(self, given):
        kind = self.r.random()
        if given is None:
            return self.r.choice(("", "null", "0", "x"))
        if isinstance(given, bool):
            given = str(given).lower()
        text = str(given) if not isinstance(given, float) else repr(given)
        if kind < 0.8:
            return text
        return self.r.choice((text.upper(), text.lower(), text + " ", " " + text, text[:-1], text + "0", "1e3", "-0", "0.10", "9" * 25,
                              "'", '"', "%", "_", "*", text[:2] + "*", "\\", "Ї", "2014-01-01", "true", "nan", ""))

    def filtered(self):
        id_ = self.collection()
        query = {"limit": self.limit()}
        for _ in range(self.r.choice((1, 1, 1, 2))):
            feature = self.feature(id_)
            if not feature["properties"]:
                continue
            name = self.r.choice(list(feature["properties"]))
            query[name] = self.value(feature["properties"][name])
        if self.r.random() < 0.2:
            query["bbox"] = self.box(id_)
        if self.r.random() < 0.2:
            query["cursor"] = f"EPOCH.{self.r.randrange(self.count[id_])}"
        return f"/collections/{id_}/items?{urlencode(query)}"

    def moment(self, id_):
        dates = [v for f in (self.feature(id_) for _ in range(10)) for v in f["properties"].values()
                 if isinstance(v, str) and re.match(r"\d{4}-\d\d-\d\d", v)]
        text = self.r.choice(dates or ["2014-01-01"])
        return self.r.choice((text, text[:10], text[:10] + "T00:00:00Z", text[:10] + "T23:59:59.999Z", "..", "", text[:10] + "T03:00:00+03:00",
                              "2014-13-01") if self.r.random() < 0.5 else (text[:10],))

    def dated(self):
        id_ = self.r.choice(("parcels-dated", "parcels-dated", "wards-dated", "town"))
        one, two = self.moment(id_), self.moment(id_)
        query = {"datetime": one if self.r.random() < 0.3 else f"{min(one, two)}/{max(one, two)}", "limit": self.limit()}
        if self.r.random() < 0.3:
            query["bbox"] = self.box(id_)
        return f"/collections/{id_}/items?{urlencode(query)}"

    def item(self):
        id_ = self.collection()
        key = self.feature(id_)["id"] if self.r.random() < 0.8 else self.r.choice(
            (0, -1, self.count[id_], self.count[id_] + 1, "x", "1.0", "01", "+1", 2**63, 2**63 - 1, "1e1", "'", "%", "Ї"))
        return f"/collections/{id_}/items/{quote(str(key), safe='')}{self.r.choice(('', '', '', '?f=json', '?f=html', '?x=1'))}"

    def document(self):
        id_ = self.collection()
        return self.r.choice(("/collections", f"/collections/{id_}", f"/collections/{id_}", f"/collections/{id_}/schema",
                              f"/collections/{id_}/schema", f"/collections/{id_}/queryables", f"/collections/{id_}/tiles",
                              f"/tiles/{id_}", "/", "/conformance", "/api", "/tiles", f"/collections/{id_}x")) + \
            self.r.choice(("", "?f=json", "?f=html", "?lang=uk", "?lang=en"))

    def search(self):
        id_ = self.collection()
        texts = [v for v in self.feature(id_)["properties"].values() if isinstance(v, str) and v] or ["Main"]
        text = self.r.choice(texts)
        kind = self.r.random()
        if kind < 0.4:
            text = text[:self.r.randrange(1, len(text) + 1)]
        elif kind < 0.6:
            text = self.r.choice(text.split() or [text])
        elif kind < 0.7:
            text = text.upper()
        elif kind < 0.75:
            text = self.r.choice(("", " ", "'", "%", "_", "\"", "Івано", "калуш", "ß", "İ", "é", "-", ":", "a" * 300, "26101"))
        query = {"q": text}
        if self.r.random() < 0.4:
            query["limit"] = self.limit()
        if self.r.random() < 0.3:
            query["collections"] = ",".join(self.r.sample(self.ids, self.r.choice((1, 2))))
        return f"/search?{urlencode(query)}"

    def tile(self):
        id_ = self.collection()
        ids = [id_] + self.r.sample([i for i in self.ids if i != id_], self.r.choice((0, 0, 0, 1, 2)))
        z = self.r.randrange(8, 19)
        west, south, east, north = self.boxes[id_]
        x, y = self.r.uniform(west, east), self.r.uniform(south, north)
        if self.r.random() < 0.7:   # where something is
            at = self.feature(id_)["geometry"]["coordinates"]
            while isinstance(at[0], list):
                at = at[0]
            x, y = at[:2]
        column = int((x + 180) / 360 * 2**z)
        row = int((1 - math.asinh(math.tan(math.radians(y))) / math.pi) / 2 * 2**z)
        return f"/tiles/{','.join(ids)}/{z}/{column}/{row}"


def first_difference(a, b):
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    return f"at byte {at} of {len(a)} and {len(b)}:\n      {a[max(0, at - 80):at + 80]!r}\n      {b[max(0, at - 80):at + 80]!r}"


def main():
    binary, town, layer = os.path.realpath(sys.argv[1]), os.path.realpath(sys.argv[2]), sys.argv[3]
    number = int(sys.argv[4]) if len(sys.argv) > 4 else 500
    seed = int(sys.argv[5]) if len(sys.argv) > 5 else 1
    database = os.environ.get("HROMADA_TEST_POSTGRES") or sys.exit("same_answers.py: run it by .ci/services")
    samples = os.path.join(ROOT, "data-samples")
    servers, different, first = [], 0, None
    with tempfile.TemporaryDirectory() as folder:
        try:
            for name, place in (("folder", ["--data", os.path.join(folder, "data")]),
                                ("postgis", ["--database", database + "?schema=same"])):
                for arguments in (["--manifest", f"{samples}/samples.json"],
                                  [town, "--layer", layer, "--collection", "town", "--search", "cadnum"],
                                  [f"{samples}/cambridge-ma/parcels_fy2014.gpkg", "--collection", "parcels-dated", "--time", "edit_date"],
                                  [f"{samples}/cambridge-ma/ELECTIONS_WardsPrecincts.geojson", "--collection", "wards-dated",
                                   "--time", "last_edited_date"]):
                    # The manifest says it itself.
                    opened = [] if "--manifest" in arguments else ["--access", "public"]
                    status = subprocess.run([binary, "import", *place, *arguments, *opened, "--quiet"]).returncode
                    if status not in (0, 3):    # 3: some records were rejected
                        raise SystemExit(f"import into the {name} store: exit code {status}")
                servers.append(Server(name, binary, place))
            requests = Requests(servers[0], seed)
            for kind in ("page", "filtered", "dated", "item", "document", "search", "tile"):
                statuses, bytes_differ, numbers, wrong = {}, 0, 0, 0
                for _ in range(number):
                    path = getattr(requests, kind)()
                    headers = {"Accept-Language": requests.r.choice(("uk", "en"))}
                    a, b = (server.plain(path, headers) for server in servers)
                    statuses[a[0]] = statuses.get(a[0], 0) + 1
                    if a == b:
                        continue
                    what = None
                    for answer in (a, b):
                        answer[1]["ETag"] = re.sub(r"^\"EPOCH-\d+", '"EPOCH-N', answer[1].get("ETag", ""))
                    if a == b:
                        numbers += 1
                        first = first or path
                        continue
                    if a[:2] != b[:2]:
                        what = f"{a[0]} {a[1]}\n      {b[0]} {b[1]}\n      {a[2][:300]!r}\n      {b[2][:300]!r}"
                    elif kind != "tile":
                        what = first_difference(a[2], b[2])
                    elif decoded(a[2]) != decoded(b[2]):
                        what = "decoded differently"
                    else:
                        bytes_differ += 1
                    if what:
                        wrong += 1
                        print(f"    {kind} {path} ({headers['Accept-Language']}) {what}", flush=True)
                different += wrong
                told = ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items()))
                print(f"{kind:9} {number} requests ({told}): {wrong} differ" +
                      (f"; {numbers} with another change number, such as {first}" if numbers else "") +
                      (f"; {bytes_differ} tiles of other bytes decode equal" if bytes_differ else ""), flush=True)
        finally:
            for server in servers:
                server.process.kill()
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
