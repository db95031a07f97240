"""The servers that are asked, each with what it needs to be started; one that can't be had is left out with a warning."""
import os, shutil, signal, socket, subprocess, time

import load
from data import FOUR, LAYERS, STACK_CPU, say

# The postmaster's process stands for the row without a server.
FLOOR = "postgis"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """One that runs: its processes are a session of their own."""
    def __init__(self, name, work, template, four=None, has_database=True):
        self.name, self.work, self.template, self.four, self.has_database = name, work, template, four, has_database
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.session = None
        self.others = []

    def path(self, tile, layers="parcels"):
        z, x, y = tile
        return self.template.format(z=z, x=x, y=y, layers=self.four if layers == FOUR else layers)

    def spawn(self, words, environment=()):
        with open(os.path.join(self.work, f"{self.name}.log"), "a") as log:
            process = subprocess.Popen(["taskset", "-c", STACK_CPU, *map(str, words)], env={**os.environ, **dict(environment)},
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        if self.session is None:
            self.session = process.pid
        else:
            self.others.append(process.pid)

    def wait(self, path):
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                if load.Client(self.base).ask(path, {"Accept-Encoding": "gzip"})[1] in (200, 204):
                    return self
            except OSError:
                pass
            time.sleep(0.05)
        with open(os.path.join(self.work, f"{self.name}.log")) as log:
            raise RuntimeError(f"does not answer: {log.read()[-500:]}")

    def sessions(self):
        return [s for s in (self.session, *self.others) if s]

    def memory(self):
        return sum(load.memory(s) for s in self.sessions())

    def stop(self):
        # multiwatch stays at the first signal.
        for sent in (signal.SIGTERM, signal.SIGKILL):
            mine = [pid for pid, (_, session, _, _) in load.processes().items() if session in self.sessions()]
            for pid in mine:
                try:
                    os.kill(pid, sent)
                except ProcessLookupError:
                    pass
            if mine:
                time.sleep(0.5)


class World:
    """What starters and cases take from."""
    def __init__(self, work, town, postgres, store, programs):
        self.work, self.town, self.postgres, self.store, self.programs = work, town, postgres, store, programs
        self.postmaster = postgres.postmaster() if postgres else None
        self.sample = town.tiles_of(16)[0]
        # What was seen in tiles, what is edited, and where it was moved last.
        self.checks, self.targets, self.signs = {}, None, {}


def program(world, name):
    found = world.programs.get(name)
    if not found:
        raise RuntimeError(f"{name} is not to be had")
    return found


def database(world):
    if not world.postgres:
        raise RuntimeError("there is no PostgreSQL")
    return world.postgres


def ours(world, name, cache):
    """With `cache` MB for finished tiles."""
    server = Server(name, world.work, "/tiles/{layers}/{z}/{x}/{y}", FOUR, has_database=False)
    server.store = world.store.copy(os.path.join(world.work, name))
    server.spawn([world.store.program, "--data", server.store.folder, "serve", "--listen", f"127.0.0.1:{server.port}", "--tile-cache", cache],
                 {"RUST_LOG": "warn"})
    return server


def martin(world, name, source, *options, **more):
    server = Server(name, world.work, "/{layers}/{z}/{x}/{y}", FOUR, **more)
    server.spawn([program(world, "martin"), "--listen-addresses", f"127.0.0.1:{server.port}", *options, source], {"RUST_LOG": "warn"})
    return server


def martin_mbtiles(world, name):
    if not os.path.exists(world.town.tiles):
        raise RuntimeError("there are no MBTiles (tippecanoe)")
    server = martin(world, name, world.town.tiles, has_database=False)
    server.four = None
    return server


def tipg(world, name):
    """Stops at 10,000 features of a tile: its rows of the smaller zooms are of other tiles."""
    uvicorn = program(world, "uvicorn")
    server = Server(name, world.work, "/collections/public.{layers}/tiles/WebMercatorQuad/{z}/{x}/{y}")
    server.spawn([uvicorn, "tipg.main:app", "--host", "127.0.0.1", "--port", server.port, "--workers", "1", "--log-level", "warning"],
                 {"DATABASE_URL": database(world).address, "TIPG_DB_MIN_CONN_SIZE": "1", "TIPG_DB_MAX_CONN_SIZE": "10",
                  "TIPG_MAX_FEATURES_PER_QUERY": "10000", "TIPG_DB_SCHEMAS": '["public"]'})
    return server


MAP = """MAP
  NAME "town" SIZE 256 256 EXTENT 2700000 6200000 2800000 6300000
  PROJECTION "init=epsg:3857" END
  OUTPUTFORMAT NAME "mvt" DRIVER "MVT" FORMATOPTION "EXTENT=4096" FORMATOPTION "EDGE_BUFFER=64" END
{layers}
END
"""
MAP_LAYER = """  LAYER
    NAME "{layer}" TYPE {kind} STATUS ON PROJECTION "init=epsg:4326" END
    CONNECTIONTYPE POSTGIS CONNECTION "host={host} port={port} user={user} dbname={database}" PROCESSING "CLOSE_CONNECTION=DEFER"
    DATA "geom FROM {layer} USING UNIQUE id USING SRID=4326"
    METADATA "gml_include_items" "all" END
    TEMPLATE "none"
    CLASS STYLE COLOR 0 0 0 END END
  END"""
KINDS = {"parcels": "POLYGON", "buildings": "POLYGON", "water": "LINE", "complaints": "POINT"}
NGINX = """daemon off; worker_processes 1; pid {work}/nginx.pid; error_log {work}/nginx.err;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {work}/b; proxy_temp_path {work}/p; fastcgi_temp_path {work}/f; uwsgi_temp_path {work}/u; scgi_temp_path {work}/s;
  gzip on; gzip_types application/vnd.mapbox-vector-tile application/x-protobuf; gzip_comp_level 1;
  server {{ listen 127.0.0.1:{port};
    location / {{ include /etc/nginx/fastcgi_params; fastcgi_keep_conn on; fastcgi_buffers 64 64k; fastcgi_pass 127.0.0.1:{inner}; }} }}
}}
"""


def mapserver(world, name):
    """Two processes behind nginx, which compresses at its quickest level."""
    words = [program(world, each) for each in ("spawn-fcgi", "multiwatch", "mapserv", "nginx")]
    at = database(world)
    server = Server(name, world.work, "/?map=town&mode=tile&tilemode=gmap&layers={layers}&map.imagetype=mvt&tile={x}+{y}+{z}", "+".join(LAYERS))
    file = lambda ending: os.path.join(world.work, f"mapserver.{ending}")
    layers = (MAP_LAYER.format(layer=layer, kind=KINDS[layer], host=at.host, port=at.port, user=at.user, database=at.database) for layer in LAYERS)
    inner = free_port()
    for ending, text in (("map", MAP.format(layers="\n".join(layers))),
                         ("conf", f'CONFIG\n ENV\n  MS_MAP_NO_PATH "1"\n END\n MAPS\n  town "{file("map")}"\n END\nEND\n'),
                         ("nginx", NGINX.format(work=world.work, port=server.port, inner=inner))):
        with open(file(ending), "w") as out:
            out.write(text)
    server.spawn([words[0], "-n", "-a", "127.0.0.1", "-p", inner, "--", words[1], "-f", "2", "--", words[2]], {"MAPSERVER_CONFIG_FILE": file("conf")})
    server.spawn([words[3], "-c", file("nginx"), "-e", file("err")])
    return server


def floor(world, name):
    """No server: what PostGIS itself needs, asked by pgbench."""
    if not shutil.which(database(world).program("pgbench")):
        raise RuntimeError("there is no pgbench")
    return Server(name, world.work, "")


STARTERS = {
    "ours-cold": lambda world, name: ours(world, name, 0),
    "ours-hot": lambda world, name: ours(world, name, 64),
    "martin-cold": lambda world, name: martin(world, name, database(world).address, "--cache-size", "0"),
    "martin-hot": lambda world, name: martin(world, name, database(world).address),
    "martin-mbtiles": martin_mbtiles,
    "mapserver": mapserver,
    "tipg": tipg,
    FLOOR: floor,
}


def start(world, names):
    """{name: Server} of those that can be had."""
    out = {}
    for name in names:
        server = None
        try:
            server = STARTERS[name](world, name)
            if server.template:
                server.wait(server.path(world.sample))
            out[name] = server
        except (RuntimeError, OSError) as error:
            say(f"WARNING: {name} is left out: {error}")
            if server:
                server.stop()
    return out
