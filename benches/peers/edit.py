"""From an edit to the tile that shows it, while others read a hundred tiles a second."""
import json, multiprocessing, random, statistics, subprocess, time

import load
from data import tile_at

EDITS = 200
READS_PER_SECOND = 100
# Of a server whose tile stays old, so long and so often is waited for.
PATIENCE, TRIES = 20, 2
# Degrees that a parcel moves: a metre or so, eight pixels of its tile.
STEP = 0.00001
UNTOUCHED = 40


class Case:
    key, title, accept, servers, ours = "edit", "edit to fresh tile", "gzip", ("ours-hot", "martin-cold", "martin-hot"), "ours-hot"

    def measure(self, world, server, _seconds):
        moves, untouched = targets(world)
        write = Patches(world, server) if server.name.startswith("ours") else Updates(world)
        sign = world.signs[server.name] = -world.signs.get(server.name, -1)
        client, tags = load.Client(server.base), {}
        for tile in untouched:
            tags[tile] = tag_of(client, server, tile)
        with load.Meter(server.sessions(), world.postmaster if server.has_database else None) as meter, Readers(server, untouched) as readers:
            times, answers, stale, first = [], [], 0, 0
            for id, tile in moves:
                old = tag_of(client, server, tile)
                begun = time.perf_counter()
                write(id, sign * STEP)
                answers.append(time.perf_counter() - begun)
                polls = 1
                while (is_old := tag_of(client, server, tile) == old) and time.perf_counter() - begun < PATIENCE:
                    polls += 1
                    if time.perf_counter() - begun > 1:
                        time.sleep(0.05)
                first += polls == 1
                if is_old:
                    stale += 1
                    if stale == TRIES:
                        break
                else:
                    times.append((time.perf_counter() - begun) * 1000)
        write.close()
        changed = sum(tag_of(client, server, tile) != tag for tile, tag in tags.items())
        times.sort()
        note = f"{len(times)} edits, {first} shown by the first tile asked for after the answer; the answer itself {statistics.median(answers) * 1000:.1f} ms"
        if stale:
            note = f"{stale} of {stale + len(times)} edits not shown within {PATIENCE} s"
        note += f"; {changed} of {len(tags)} untouched tiles got another ETag; {readers.rate:.0f} tiles/s read beside, p99 {readers.p99:.1f} ms"
        return {"rate": None, "p50": times[len(times) // 2] if times else None, "p99": times[int(len(times) * 0.99)] if times else None, "bytes": None,
                "requests": len(times), "errors": readers.errors, "server_ms": None, "database_ms": None, "others": meter.others,
                "memory": server.memory(), "features": None, "geometry": None, "note": note, "stale": stale, "changed": changed}


def tag_of(client, server, tile):
    _, status, headers, body = client.ask(server.path(tile), {"Accept-Encoding": "gzip"})
    return headers.get("ETag") or hash((status, body))


def targets(world):
    """[(id, its tile)] to move, in the west, and tiles of the east that no move touches."""
    if not world.targets:
        corners = {}
        with open(world.town.path("parcels.geojsonl")) as lines:
            for line in lines:
                feature = json.loads(line)
                corners[feature["properties"]["id"]] = feature["geometry"]["coordinates"][0][0]
        middle = statistics.median(lon for lon, _ in corners.values())
        chance = random.Random(7)
        chosen = chance.sample([id for id, (lon, _) in corners.items() if lon < middle], EDITS)
        border = tile_at(16, (middle, 0))[0]
        world.targets = ([(id, (16, *tile_at(16, corners[id]))) for id in chosen],
                         [tile for tile in world.town.tiles_of(16) if tile[1] > border + 1][:UNTOUCHED])
    return world.targets


class Patches:
    """By our API, with the geometry that the feature has and an If-Match."""
    def __init__(self, world, server):
        self.client = load.Client(server.base)
        self.headers = {"Authorization": f"Bearer {server.store.token}", "Accept-Encoding": "identity"}
        self.known = {}
        for id, _ in world.targets[0]:
            _, status, headers, body = self.client.ask(self.path(id) + "?f=json", self.headers)
            if status != 200:
                raise RuntimeError(f"parcel {id}: status {status}")
            self.known[id] = headers["ETag"], json.loads(body)["geometry"]

    @staticmethod
    def path(id):
        return f"/collections/parcels/items/{id}"

    def __call__(self, id, step):
        tag, geometry = self.known[id]
        moved = [[[x + step, y + step] for x, y, *_ in ring] for ring in geometry["coordinates"]]
        body = json.dumps({"geometry": {"type": "Polygon", "coordinates": moved}})
        headers = {**self.headers, "Content-Type": "application/merge-patch+json", "If-Match": tag}
        _, status, _, answer = self.client.ask(self.path(id), headers, "PATCH", body)
        if status not in (200, 204):
            raise RuntimeError(f"PATCH of parcel {id}: status {status} {answer[:200]}")

    def close(self):
        pass


class Updates:
    """By SQL, on one connection of psql's."""
    def __init__(self, world):
        at = world.postgres
        self.psql = subprocess.Popen([at.program("psql"), "-XAt", at.address], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True, bufsize=1)

    def __call__(self, id, step):
        self.psql.stdin.write(f"UPDATE parcels SET geom = st_translate(geom, {step}, {step}) WHERE id = {id};\n")
        self.psql.stdin.flush()
        answer = self.psql.stdout.readline().strip()
        if answer != "UPDATE 1":
            raise RuntimeError(f"UPDATE of parcel {id}: {answer}")

    def close(self):
        self.psql.stdin.close()
        self.psql.wait()


class Readers:
    """A process that asks for a tile each hundredth of a second."""
    def __init__(self, server, tiles):
        self.parts = server.base, [server.path(tile) for tile in tiles]

    def __enter__(self):
        self.ours, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=read, args=(*self.parts, theirs), daemon=True)
        self.process.start()
        return self

    def __exit__(self, *_):
        self.ours.send("enough")
        self.rate, self.p99, self.errors = self.ours.recv() if self.ours.poll(130) else (0, float("nan"), 1)
        self.process.join()


def read(base, paths, pipe):
    client, times, errors, begun = load.Client(base), [], 0, time.monotonic()
    while not pipe.poll():
        time.sleep(max(0.0, begun + len(times) / READS_PER_SECOND - time.monotonic()))
        took, status, _, _ = client.ask(paths[len(times) % len(paths)], {"Accept-Encoding": "gzip"})
        times.append(took * 1000)
        errors += status not in load.GOOD
    times.sort()
    pipe.send((len(times) / (time.monotonic() - begun), times[int(len(times) * 0.99)] if times else float("nan"), errors))


def cases():
    yield Case()
