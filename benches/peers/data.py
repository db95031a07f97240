"""Makes what is asked for, the same for all: files of the town, lists of tiles, tables of PostGIS, stores of ours.

Files are kept in the data folder between runs; tables and stores are made anew, they are of the program and the database at hand.
"""
import hashlib, json, math, os, random, shutil, subprocess, sys

# The processor of servers and PostgreSQL.
STACK_CPU = os.environ.get("STACK_CPU", "0")
PARCELS = 200_000
SEED = 1
ZOOMS = (10, 12, 14, 16)
# Tiles of a list at most, drawn from those that touch the data.
SAMPLE = 300
# Of the list that the figures were measured on: those of other tiles can't be held beside earlier ones.
LISTS_SHA256 = "e3572a2cc50b2cb2a0c89cf669bd6fc461dacc7c81af5c84c712ffd24ded8a34"
FOUR = "parcels,buildings,water,complaints"
LAYERS = FOUR.split(",")


def say(text):
    print(f"peers: {text}", file=sys.stderr, flush=True)


def run(*words, **options):
    """Its output; ends with the program's own words when it fails."""
    done = subprocess.run([str(w) for w in words], stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)
    if done.returncode:
        raise RuntimeError(f"{words[0]} failed: {done.stderr.strip()[-800:]}")
    return done.stdout


class Town:
    """The files of the data folder."""
    def __init__(self, folder):
        self.folder = os.path.realpath(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.package, self.tiles = self.path("town.gpkg"), self.path("parcels.mbtiles")

    def path(self, name):
        return os.path.join(self.folder, name)

    def made(self, name, make):
        """Makes a file under another name first, so that half of one is never taken for a whole."""
        if not os.path.exists(self.path(name)):
            say(f"makes {name}")
            stem, ending = os.path.splitext(name)
            part = self.path(f"part-{stem}{ending}")
            if os.path.exists(part):
                os.remove(part)
            make(part)
            os.rename(part, self.path(name))

    def prepare(self, tippecanoe):
        self.made("town.json", self.generate)
        self.made("town.gpkg", self.pack)
        self.made("tiles.txt", self.list_tiles)
        with open(self.path("tiles.txt"), "rb") as file:
            if hashlib.sha256(file.read()).hexdigest() != LISTS_SHA256:
                say("WARNING: the lists of tiles are not those of other runs: figures can't be compared with them")
        if tippecanoe:
            self.made("parcels.mbtiles", lambda path: self.tile(tippecanoe, path))

    def generate(self, path):
        # Here, because it needs numpy, and a town that is there doesn't.
        import town
        with open(path, "w") as file:
            json.dump(town.write(PARCELS, self.folder, SEED), file)

    def pack(self, path):
        for layer in LAYERS:
            update = ["-update"] if os.path.exists(path) else []
            run("ogr2ogr", "-f", "GPKG", *update, path, self.path(f"{layer}.geojsonl"), "-nln", layer, "-a_srs", "EPSG:4326",
                "-lco", "FID=fid", "-lco", "GEOMETRY_NAME=geom", "-gt", "65536", "--config", "OGR_SQLITE_SYNCHRONOUS", "OFF")

    def tile(self, tippecanoe, path):
        """All parcels on all zooms, as the others have them: nothing is left out."""
        run(tippecanoe, "-q", "-f", "-o", path, "-Z10", "-z16", "-pf", "-pk", "-r1", "-l", "parcels", "-n", "parcels",
            self.path("parcels.geojsonl"))

    def list_tiles(self, path):
        chance = random.Random(7)
        with open(self.path("parcels.geojsonl")) as lines:
            corners = [json.loads(line)["geometry"]["coordinates"][0][0] for line in lines]
        with open(path, "w") as file:
            for zoom in ZOOMS:
                tiles = sorted({tile_at(zoom, corner) for corner in corners})
                chance.shuffle(tiles)
                file.writelines(f"{zoom}/{x}/{y}\n" for x, y in tiles[:SAMPLE])

    def tiles_of(self, zoom):
        """[(z, x, y)] in the order in which all are asked."""
        with open(self.path("tiles.txt")) as lines:
            tiles = [tuple(map(int, line.split("/"))) for line in lines]
        return [tile for tile in tiles if tile[0] == zoom]

    def counts(self):
        with open(self.path("town.json")) as file:
            return json.load(file)


def tile_at(zoom, point):
    sine = math.sin(math.radians(point[1]))
    side = 1 << zoom
    return int((point[0] + 180) / 360 * side), int((.5 - math.log((1 + sine) / (1 - sine)) / (4 * math.pi)) * side)


class Postgres:
    """The database of all that read PostGIS: private, on loopback, without a password."""
    # What a machine with one busy core and all data in memory should have; the tables fit into the buffers.
    SETTINGS = {"shared_buffers": "2GB", "effective_cache_size": "8GB", "work_mem": "32MB", "maintenance_work_mem": "512MB",
                "random_page_cost": "1.1", "jit": "off", "max_wal_size": "4GB", "checkpoint_timeout": "30min",
                "max_parallel_workers_per_gather": "0"}

    def __init__(self, address):
        self.address = address
        self.bin = os.environ.get("HROMADA_TEST_PGBIN", "")
        self.data = os.environ.get("HROMADA_TEST_PGDATA", "")
        rest = address.split("://", 1)[1]
        self.user, place = rest.split("@", 1)
        server, self.database = place.split("/", 1)
        self.host, self.port = server.split(":")

    def program(self, name):
        return os.path.join(self.bin, name) if self.bin else name

    def sql(self, text):
        return run(self.program("psql"), "-XAtq", self.address, "-v", "ON_ERROR_STOP=1", "-c", "SET client_min_messages = error", "-c", text).strip()

    def tune(self):
        """Sets it up; from then on it has its processor alone, which what is started later inherits."""
        if not self.data:
            say("PostgreSQL is not ours: its settings are left as they are")
            run("taskset", "-cp", STACK_CPU, self.postmaster())
            return
        for name, value in self.SETTINGS.items():
            self.sql(f"ALTER SYSTEM SET {name} = '{value}'")
        owner = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"] if os.geteuid() == 0 else []
        # Its log stays open in the new server: no pipe of ours may be waited for.
        subprocess.run(["taskset", "-c", STACK_CPU, *owner, self.program("pg_ctl"), "-D", self.data, "-s", "-w", "-m", "fast", "restart", "-l", self.data + "/peers-log"],
                       cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)

    def load(self, town):
        say("loads PostGIS")
        for layer in LAYERS:
            self.sql(f"DROP TABLE IF EXISTS {layer} CASCADE")
            run("ogr2ogr", "-f", "PostgreSQL", "PG:" + self.address.replace("postgres://", "postgresql://"), town.package, layer, "-nln", layer,
                "-lco", "GEOMETRY_NAME=geom", "-lco", "FID=fid", "-lco", "SPATIAL_INDEX=GIST", "-gt", "65536", "--config", "PG_USE_COPY", "YES")
            self.sql(f"ALTER TABLE {layer} DROP COLUMN fid, ALTER id TYPE integer, ALTER id SET NOT NULL, ADD PRIMARY KEY (id)")
        rows = ", ".join(str((z, n, z, x, y)) for zoom in ZOOMS for n, (z, x, y) in enumerate(town.tiles_of(zoom)))
        self.sql("CREATE SCHEMA IF NOT EXISTS lists; DROP TABLE IF EXISTS lists.tiles;"
                 "CREATE TABLE lists.tiles (zoom integer, n integer, z integer, x integer, y integer, PRIMARY KEY (zoom, n));"
                 f"INSERT INTO lists.tiles VALUES {rows}")
        self.sql("VACUUM ANALYZE")

    def postmaster(self):
        return int(self.sql("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)"))


class Ours:
    """A store in a folder, and an account that may edit."""
    def __init__(self, program, folder):
        self.program, self.folder = program, folder

    def hromada(self, *words):
        return run(self.program, "--data", self.folder, *words)

    def make(self, town):
        say("imports into a store of ours")
        for layer in LAYERS:
            self.hromada("import", town.package, "--layer", layer, "--collection", layer, "--id", "id", "--access", "public", "--quiet")
        self.hromada("user", "add", "bench", "--machine", "--name", "Bench", "--role", "gis-editor", "--quiet")
        self.token = json.loads(self.hromada("token", "new", "bench", "--scope", "read", "--scope", "write", "--json"))["token"]
        return self

    def copy(self, folder):
        """One process holds a store, so each server has its own."""
        shutil.copytree(self.folder, folder)
        other = Ours(self.program, folder)
        other.token = self.token
        return other
