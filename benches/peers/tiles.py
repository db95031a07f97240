"""Tiles: cut anew, from a cache or ready-made, in each encoding, four layers in one, and the answer that nothing is new."""
import dataclasses, os, subprocess, tempfile

import load
from data import FOUR
from servers import FLOOR

COLD = ("ours-cold", "martin-cold", "mapserver", "tipg")
HOT = ("ours-hot", "martin-hot", "martin-mbtiles")


class LeftOut(Exception):
    """A server that answers something else than the case asks for."""


@dataclasses.dataclass(frozen=True)
class Case:
    key: str
    title: str
    zoom: int
    accept: str
    servers: tuple
    # 0 is one request after the other.
    connections: int = 8
    layers: str = "parcels"
    is_warm: bool = False
    is_conditional: bool = False
    # Times the seconds of a measurement.
    longer: int = 1

    @property
    def ours(self):
        return next(name for name in self.servers if name.startswith("ours"))

    def measure(self, world, server, seconds):
        seconds *= self.longer
        if server.name == FLOOR:
            return floor(world, server, self.zoom, self.connections, seconds)
        if self.layers == FOUR and not server.four:
            raise LeftOut("has one layer")
        paths = [server.path(tile, self.layers) for tile in world.town.tiles_of(self.zoom)]
        seen = self.checked(world, server, paths)
        tags = None
        if self.is_conditional:
            tags = seen["tags"]
            if None in tags:
                raise LeftOut("sends no ETag")
            client = load.Client(server.base)
            statuses = {client.ask(path, {"Accept-Encoding": self.accept, "If-None-Match": tag})[1] for path, tag in zip(paths, tags)}
            if statuses != {304}:
                raise LeftOut(f"answers {sorted(statuses)} to its own ETag")
        load.quiet()
        with load.Meter(server.sessions(), world.postmaster if server.has_database else None) as meter:
            if self.connections:
                row = load.parallel(server.base, paths, self.accept, self.connections, seconds, tags)
            else:
                row = load.serial(server.base, paths, self.accept, seconds)
        row["errors"] += sum(n for status, n in seen["statuses"].items() if status not in load.GOOD)
        return {**row, "server_ms": meter.server * 1000 / row["requests"], "database_ms": meter.database * 1000 / row["requests"],
                "others": meter.others, "memory": server.memory(), "features": seen["features"], "geometry": seen["geometry"],
                "mean": seen["mean"], "largest": seen["largest"], "statuses": seen["statuses"]}

    def checked(self, world, server, paths):
        """Every tile once: that fills a cache, and shows who is fast because there is nothing in it."""
        key = self.zoom, self.accept, self.layers, server.name
        if key in world.checks and not self.is_warm:
            return world.checks[key]
        seen = load.verify(server.base, paths, self.accept)
        if seen["encoding"] != self.accept:
            raise LeftOut(f"answers {seen['encoding'] or 'nothing'}")
        tiles = [load.raw(body, self.accept) for body in seen.pop("sampled")]
        layers = [load.contents(tile) for tile in tiles if tile is not None]
        seen["features"] = sum(n for tile in layers for n, _ in tile.values()) / len(layers) if layers else None
        seen["geometry"] = sum(n for tile in layers for _, n in tile.values()) / len(layers) if layers else None
        world.checks[key] = seen
        return seen


FLOOR_SQL = """\\set n (:n + 1) % :tiles
\\set k (:n + :client_id * :tiles / :clients) % :tiles
WITH tile AS MATERIALIZED (
  SELECT st_tileenvelope(z, x, y) AS square, st_transform(st_tileenvelope(z, x, y, margin => 0.015625), 4326) AS box
  FROM lists.tiles WHERE zoom = :zoom AND n = :k)
SELECT length(st_asmvt(t, 'parcels', 4096, 'geometry')) FROM (
  SELECT st_asmvtgeom(st_transform(geom, 3857), square, 4096, 64, true) AS geometry, id, cadnum, area_m2, purpose, owner_type
  FROM tile JOIN parcels ON geom && box) t;
"""


def floor(world, server, zoom, connections, seconds):
    """The tile's length alone is sent, so neither compression nor a server is in it."""
    at, tiles = world.postgres, len(world.town.tiles_of(zoom))
    # One by one: each tile once, since they are few and not alike.
    length, connections = (("-T", seconds), connections) if connections else (("-t", tiles), 1)
    with tempfile.TemporaryDirectory() as work:
        script = os.path.join(work, "floor.sql")
        with open(script, "w") as file:
            file.write(FLOOR_SQL)
        words = [at.program("pgbench"), "-n", "-M", "prepared", "-c", connections, *length, "-l", "--log-prefix",
                 os.path.join(work, "took"), "-f", script, "-D", "n=0", "-D", f"tiles={tiles}", "-D", f"zoom={zoom}",
                 "-D", f"clients={connections}", "-h", at.host, "-p", at.port, "-U", at.user, at.database]
        load.quiet()
        with load.Meter((), world.postmaster) as meter:
            subprocess.run(list(map(str, words)), stdin=subprocess.DEVNULL, capture_output=True, check=True)
        times = []
        for name in os.listdir(work):
            if name.startswith("took"):
                with open(os.path.join(work, name)) as lines:
                    times += [int(line.split()[2]) / 1000 for line in lines]
    times.sort()
    return {"rate": len(times) * 1000 * connections / sum(times), "p50": times[len(times) // 2], "p99": times[int(len(times) * 0.99)], "bytes": None,
            "requests": len(times), "errors": 0, "server_ms": None, "database_ms": meter.database * 1000 / len(times), "others": meter.others,
            "memory": None, "features": None, "geometry": None}


def cases():
    yield Case("cold-z10", "z10, one by one", 10, "gzip", (*COLD, FLOOR), connections=0)
    yield Case("cold-z12", "z12", 12, "gzip", (*COLD, FLOOR), connections=4, longer=2)
    yield Case("single-z12", "z12, one by one", 12, "gzip", COLD[:2], connections=0)
    for zoom in (14, 16):
        yield Case(f"cold-z{zoom}", f"z{zoom}", zoom, "gzip", COLD)
        # The floor does not compress.
        yield Case(f"cold-z{zoom}-identity", f"z{zoom}", zoom, "identity", (*COLD, FLOOR))
        yield Case(f"cold-z{zoom}-zstd", f"z{zoom}", zoom, "zstd", COLD)
    for zoom in (14, 16):
        yield Case(f"four-z{zoom}", f"z{zoom}, four layers", zoom, "gzip", COLD, layers=FOUR)
    for zoom in (14, 16):
        for accept in ("gzip", "identity", "zstd"):
            key = f"hot-z{zoom}" if accept == "gzip" else f"hot-z{zoom}-{accept}"
            yield Case(key, f"z{zoom}, cached", zoom, accept, HOT, is_warm=True)
    for zoom in (14, 16):
        yield Case(f"unchanged-z{zoom}", f"z{zoom}, 304", zoom, "gzip", HOT, is_warm=True, is_conditional=True)
