"""A layer as QGIS 3.44 and 4.0 make it of a collection: the requests that they send, in their order, and what they make of the answers.

Sources named here are below src/providers/wfs/oapif of QGIS.
"""

import base64
import gzip
import http.client
import json
import re
import subprocess
import tempfile
from urllib.parse import urlsplit

from expression import Compiler, encoded, instant, number
from places import swapped

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
# QgsCoordinateReferenceSystem::hasAxisInverted(), by PROJ's list of axes. One that is not here ends the test, for its order isn't known.
INVERTED = {CRS84: False, EPSG + "4326": True, EPSG + "3857": False, EPSG + "6382": True}
JSON = "application/json"
GEOJSON = "application/geo+json"
JSON_FG = "application/fg+json"
FLATGEOBUF = "application/flatgeobuf"
SCHEMA = "application/schema+json"
OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
# QgsOapifApiRequest::request(), QgsOapifItemsRequest::request()
ACCEPT_API = f"{OPENAPI}, application/openapi+json;version=3.0, {JSON}"
ACCEPT_ITEMS = f"{GEOJSON}, {JSON}"
SCHEMA_LINK = "http://www.opengis.net/def/rel/ogc/1.0/schema"


class Invalid(Exception):
    """QGIS makes no layer of it."""


class Answer:
    def __init__(self, url, response, body):
        self.url, self.status, self.headers = url, response.status, response.getheaders()
        self.body = gzip.decompress(body) if self.header("Content-Encoding") == "gzip" else body

    def header(self, name):
        """Qt joins headers of one name."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None

    def media(self):
        return (self.header("Content-Type") or "").split(";")[0]

    def json(self):
        if self.status != 200:
            raise Invalid(f"{self.url} answers {self.status}: {self.body[:300].decode(errors='replace')}")
        return json.loads(self.body)


class Client:
    """qgsbasenetworkrequest.cpp, over one connection: addresses go out as they are, only with blanks escaped."""

    def __init__(self, root, account=None, token=None):
        self.connection = http.client.HTTPConnection(urlsplit(root).netloc, timeout=60)
        self.headers = {"Accept-Encoding": "gzip, deflate", "Accept-Language": "uk-UA,*", "User-Agent": "Mozilla/5.0 QGIS/34400/Debian"}
        if token:
            self.headers["Authorization"] = "Basic " + base64.b64encode(f"{account}:{token}".encode()).decode()

    def send(self, method, url, body=None, **headers):
        parts = urlsplit(url)
        if not parts.netloc:
            raise Invalid(f"{url!r} is no address: QGIS completes none")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self.connection.request(method, target.replace(" ", "%20"), body, {**self.headers, **headers})
        response = self.connection.getresponse()
        return Answer(url, response, response.read())

    def get(self, url, accept):
        return self.send("GET", url, Accept=accept)

    def options(self, url):
        return self.send("OPTIONS", url)


def find_link(document, rel, types=()):
    """QgsOAPIFJson::findLink(): the first link of the first type there is, else of any type."""
    links = [l for l in document.get("links", []) if l.get("rel") == rel and isinstance(l.get("href"), str)]
    order = list(types)
    rank = lambda link: order.index(link["type"]) if link.get("type") in order else len(order)
    return min(links, key=rank)["href"] if links else ""


def with_query(url, query):
    return f"{url}{'&' if '?' in url else '?'}{query}"


def declares(classes, standard, name):
    """The drafts have the number 0.0."""
    return any(f"http://www.opengis.net/spec/{standard}/{version}/conf/{name}" in classes for version in ("0.0", "1.0"))


class Layer:
    """QgsOapifProvider::init() of qgsoapifprovider.cpp. Raises Invalid where QGIS would give up."""

    def __init__(self, client, root, name, srs=None, media=""):
        self.client, self.name, self.format = client, name, media
        # QgsOapifLandingPageRequest::processReply()
        self.landing = client.get(root, JSON)
        landing = self.landing.json()
        api, collections = find_link(landing, "service-desc", [OPENAPI]), find_link(landing, "data", [JSON]).split("?")[0]
        if not api or not collections:
            raise Invalid("the landing page has no link to the API definition, or none to the collections")
        self.api = client.get(api, ACCEPT_API)
        self.page_size = page_size(self.api.json())
        self.simple = simple_queryables(self.api.json(), name)

        self.url = f"{collections}/{name}"
        self.collection = client.get(self.url, JSON)
        if self.collection.status != 200:
            self.url += "/"
            self.collection = client.get(self.url, JSON)
        collection = self.collection.json()

        self.conformance = client.get(find_link(landing, "conformance"), JSON)
        classes = self.conformance.json()["conformsTo"]
        self.has_crs = "http://www.opengis.net/spec/ogcapi-features-2/1.0/conf/crs" in classes
        self.has_cql2 = (
            declares(classes, "cql2", "cql2-text")
            and declares(classes, "cql2", "basic-cql2")
            and declares(classes, "ogcapi-features-3", "filter")
            and declares(classes, "ogcapi-features-3", "features-filter")
        )
        self.has_likes = declares(classes, "cql2", "advanced-comparison-operators")
        self.has_casei = declares(classes, "cql2", "case-insensitive-comparison")
        self.has_spatial = "http://www.opengis.net/spec/cql2/1.0/conf/basic-spatial-functions" in classes
        self.has_spatial |= declares(classes, "cql2", "basic-spatial-operators")
        self.has_schemas = "http://www.opengis.net/spec/ogcapi-features-5/1.0/conf/schemas" in classes

        self.crs = self.choose_crs(collection, srs)
        self.inverted = INVERTED[self.crs]
        self.queryables = {}
        if self.has_cql2:
            self.queryables_answer = client.get(f"{self.url}/queryables", SCHEMA)
            self.queryables = queryables(self.queryables_answer.json())

        self.items = f"{self.url}/items"
        if media:
            # QgsOapifCollection::deserialize(): of two links of one type the last one stays.
            links = {l["type"]: l["href"] for l in collection["links"] if l["rel"] == "items"}
            if media not in links:
                raise Invalid(f"the collection has no link to items as {media}")
            self.items = links[media]
        self.first = self.get_items(with_query(self.items, "limit=10") + self.crs_parameter("crs"))
        self.first_features = self.features(self.first)

        # computeCapabilities(): the item is asked about only where the items can be added to.
        self.items_options = client.options(self.items)
        self.item_options = None
        if "POST" in allowed(self.items_options):
            self.item_options = client.options(f"{self.items}/{self.id_of(self.first_features[0]) if self.first_features else 'unknown_id'}")

        self.schema_answer, self.fields, self.geometry_format = None, [], None
        schema = find_schema(collection) if self.has_schemas else ""
        if schema:
            self.schema_answer = client.get(schema, SCHEMA)
            self.fields, self.geometry_format = fields_of(self.schema_answer.json())

    def choose_crs(self, collection, srs):
        """QgsOapifCollection::deserialize(): the user's choice among all, else the CRS of storage, else the first."""
        offered = [c for c in [collection.get("storageCrs"), *collection.get("crs", [])] if c] or [CRS84]
        if srs and srs not in offered:
            raise Invalid(f"{srs} is not among {offered}")
        return (srs or offered[0]) if self.has_crs else CRS84

    def crs_parameter(self, name):
        """toOgcUri(), not escaped; nothing for the CRS that is meant where none is named."""
        return "" if self.crs == CRS84 else f"&{name}={self.crs}"

    def get_items(self, url):
        """QgsOapifItemsRequest::request()"""
        return self.client.get(url, self.format or ACCEPT_ITEMS)

    def count(self):
        """QgsOapifProvider::featureCount() of 3.44; since 4.0 itemCount of the collection is taken where there is one."""
        return self.get_items(with_query(self.items, "limit=1"))

    def compiler(self):
        return Compiler(self.queryables, self.has_likes, self.has_casei, self.has_spatial, self.inverted)

    def server_filter(self, *expressions):
        """computeFilter(); of two, the filter of the layer and that of one reading, QgsOapifFeatureDownloaderImpl::run() makes one."""
        texts, has_geometry = [], False
        for expression in expressions:
            compiler = self.compiler()
            texts.append(encoded(compiler.compile(expression)))
            has_geometry |= compiler.has_geometry
        text = texts[0] if len(texts) == 1 else f"({texts[0]}) AND ({texts[1]})"
        return f"filter={text}&filter-lang=cql2-text" + (self.crs_parameter("filter-crs") if has_geometry else "")

    def pages(self, server_filter="", box=None):
        """QgsOapifFeatureDownloaderImpl::run() and runGenericDownload(): until there is no next page, or a page is empty."""
        url = with_query(self.items, f"limit={self.page_size}")
        if server_filter:
            url = with_query(url, server_filter)
        if box:
            if self.crs == CRS84 or self.crs == EPSG + "4326":
                box = (max(-180, box[0]), max(-90, box[1]), min(180, box[2]), min(90, box[3]))
            west, south, east, north = map(number, box)
            url += f"&bbox={','.join((south, west, north, east) if self.inverted else (west, south, east, north))}" + self.crs_parameter("bbox-crs")
        url += self.crs_parameter("crs")
        while url:
            answer = self.get_items(url)
            features = self.features(answer)
            yield answer, features
            url = self.next_of(answer) if features else ""

    def features(self, answer):
        """QGIS opens every answer with OGR. Positions come with x first."""
        if self.format == FLATGEOBUF:
            found = read_by_ogr(answer)
        else:
            found = answer.json()["features"]
        return [{**f, "geometry": swapped(f["geometry"])} for f in found] if self.inverted else found

    def id_of(self, feature):
        """QgsOapifItemsRequest::processReply(): else a property `id`, or the first property whatever it is."""
        if self.format in ("", GEOJSON):
            return str(feature["id"])
        properties = feature["properties"]
        return str(properties["id"] if "id" in properties else next(iter(properties.values())))

    def next_of(self, answer):
        if self.format in ("", GEOJSON):
            return find_link(answer.json(), "next", [GEOJSON])
        return next_of_header(answer.header("Link") or "", self.format)

    def matched(self, answer):
        if self.format in ("", GEOJSON):
            return answer.json().get("numberMatched")
        value = answer.header("OGC-NumberMatched")
        return int(value) if value else None

    def part_1(self, conditions):
        """compileExpressionNodeUsingPart1(), where filtering is not declared, and in QGIS before 3.32: conditions joined by AND.

        Gives the query and what of the conditions it says.
        """
        times = {f["name"] for f in self.fields if f["type"] in ("date", "date-time")}
        low = high = None
        equals, said = [], []
        for condition in conditions:
            operator, (_, name), value = condition
            if name in times and isinstance(value, str):
                low = max(filter(None, [low, value]), key=instant) if operator in (">", ">=", "=") else low
                high = min(filter(None, [high, value]), key=instant) if operator in ("<", "<=", "=") else high
            elif operator == "=" and name in self.simple:
                equals.append(f"{encoded(name)}={encoded(str(value).lower() if isinstance(value, bool) else str(value))}")
            else:
                continue
            said.append(condition)
        interval = []
        if low or high:
            interval = [f"datetime={low}" if low == high else f"datetime={low or '0000-01-01T00:00:00Z'}%2F{high or '9999-12-31T00:00:00Z'}"]
        return "&".join(interval + equals), said


def page_size(api):
    """QgsOapifApiRequest::processReply(), QgsOapifProvider::init(): by this one key, in no other place."""
    schema = api.get("components", {}).get("parameters", {}).get("limit", {}).get("schema", {})
    default, maximum = schema.get("default", -1), schema.get("maximum", -1)
    if default > 0 and maximum > 0:
        return min(max(1000, default), maximum)
    return max(1000, default) if default > 0 else maximum if maximum > 0 else 100


def simple_queryables(api, name):
    """QgsOapifApiRequest::processReply(): parameters that spell out how they are written, at a path with the collection's name."""
    found = {}
    for parameter in api["paths"].get(f"/collections/{name}/items", {}).get("get", {}).get("parameters", []):
        if "$ref" in parameter:
            target = api
            for key in parameter["$ref"].removeprefix("#/").split("/"):
                target = target[key]
            parameter = target
        own = ("crs", "bbox", "bbox-crs", "filter", "filter-lang", "filter-crs", "datetime", "limit")
        if (parameter["in"], parameter.get("style"), parameter.get("explode")) == ("query", "form", False) and parameter["name"] not in own:
            if isinstance(parameter["schema"].get("type"), str):
                found[parameter["name"]] = parameter["schema"]["type"]
    return found


def queryables(document):
    """QgsOapifQueryablesRequest::processReply(): a geometry only by a reference to GeoJSON's schema, anything else only by its type."""
    found = {}
    for name, value in document["properties"].items():
        if isinstance(value.get("type"), str):
            found[name] = {"geometry": False, "format": value.get("format")}
        elif value.get("$ref", "").startswith("https://geojson.org/schema/"):
            found[name] = {"geometry": True, "format": None}
    return found


def find_schema(collection):
    """QgsOapifProvider::init()"""
    links = [l for l in collection["links"] if l["rel"] in (SCHEMA_LINK, "[ogc-rel:schema]")]
    return next((l["href"] for media in (SCHEMA, JSON) for l in links if l.get("type") == media), "")


def fields_of(document):
    """QgsOapifSchemaRequest::processReply(): fields by their number, and the format of the geometry."""
    fields, geometry = [], None
    for name, value in document["properties"].items():
        if "type" in value:
            form = value.get("format") if value["type"] == "string" else None
            fields.append({"name": name, "type": form if form in ("date", "date-time") else value["type"], "place": value.get("x-ogc-propertySeq")})
        if value.get("x-ogc-role") == "primary-geometry":
            geometry = value.get("format")
    return sorted(fields, key=lambda field: field["place"]), geometry


def allowed(answer):
    """QgsBaseNetworkRequest::sendOPTIONS()"""
    return [method.strip() for method in (answer.header("Allow") or "").split(",")]


def next_of_header(text, media):
    """QgsOAPIFGetNextLinkFromResponseHeader() of qgsoapifutils.cpp: of the type that is read, else one that names no type by `f=`."""
    other = ""
    for address, parameters in re.findall(r'<([^>]*)>((?:\s*;\s*\w+\s*=\s*(?:"[^"]*"|[^",;]*))*)', text):
        values = {key: value.strip('"') for key, value in re.findall(r'(\w+)\s*=\s*("[^"]*"|[^",;]*)', parameters)}
        if values.get("rel") == "next":
            if values.get("type") == media:
                return address
            other = other or ("" if "f=" in address else address)
    return other


def read_by_ogr(answer):
    if answer.status != 200:
        raise Invalid(f"{answer.url} answers {answer.status}: {answer.body[:300].decode(errors='replace')}")
    with tempfile.NamedTemporaryFile(suffix=".fgb") as file:
        file.write(answer.body)
        file.flush()
        done = subprocess.run(["ogr2ogr", "-f", "GeoJSON", "/vsistdout/", file.name, "-lco", "COORDINATE_PRECISION=15"], capture_output=True)
    if done.returncode != 0:
        raise Invalid(f"{answer.url} can't be read by OGR: {done.stderr.decode(errors='replace')}")
    return json.loads(done.stdout)["features"]
