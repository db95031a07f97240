"""OGC API Features, part 1 (OGC 17-069r4 §7 and annex A.2): what the executable suite does not compare with the data."""

from datetime import datetime, timedelta, timezone

from abstract import item, refuses, same
from documents import (HTML, JSON, MANY, collection, extent_of, form_parameter, geometries, items_path, json_of, link_header, media, meeting, moment,
                       names, numbers, one, operation, parameters, refused, representatives, sample_of_fg, sizes, some, timed, times, vertices)
from osgeo import ogr
from suite import CRS84, GEOJSON, OPENAPI, demand, link, links_of

CLASS = "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core"


def run(api):
    server(api)
    for name in names(api):
        metadata(api, name)
        unknown_parameters(api, name)
    for name in representatives(api):
        boxes(api, name)
        limits(api, name)
        pages(api, name)
        single(api, name)
        combined(api, name)
    for name in representatives(api)[:2]:
        invalid(api, name)
    for name in [n for n in names(api) if sizes(api)[n] > MANY]:
        api.test(f"/conf/core/fc-response[{name}, pages of 1,000]", walk, api, name, 1000, {})
    with_time = timed(api)
    for name in with_time:
        times_of(api, name)
    for name in [n for n in representatives(api) if n not in with_time][:3]:
        without_time(api, name)
    for name in [*with_time, *representatives(api)][:3]:
        bad_times(api, name)


# The server: §7.1 to §7.4.

def server(api):
    api.test("/conf/core/http[HTTP/1.1]", lambda: demand(api.get("/", JSON).version == 11, "the answer is not of HTTP/1.1"))
    some_name = representatives(api)[0]
    for path in ("/", "/conformance", "/collections", f"/collections/{some_name}", items_path(some_name)):
        api.test(f"/conf/core/http[HEAD {path}]", head, api, path)
        api.test(f"/conf/core/http[method {path}]", method_refused, api, path)
    refused(api, "/conf/core/http[404]", "/collections/no-such-collection", "a collection that is not there", 404, accept=JSON)
    api.test("/conf/core/http[404 path]", lambda: api.get("/no/such/path", JSON, 404))
    api.test("/conf/core/http[406]", lambda: api.get("/collections", "image/gif", 406))
    api.test("/conf/core/root-success", root_links, api)
    api.test("/conf/core/api-definition-success[every link]", api_definitions, api)
    api.test("/conf/core/conformance-success", conformance, api)
    api.test("/conf/core/fc-md-success[each once]", each_once, api)
    for path in ("/", "/conformance", "/collections", "/api", "/functions", "/tileMatrixSets", "/styles"):
        if path in api.openapi["paths"]:
            accept = OPENAPI if path == "/api" else JSON
            refused(api, f"/conf/core/query-param-unknown[{path}]", path, "an unknown parameter", accept=accept, nonsense="1")


def head(api, path):
    """HEAD answers as GET does, without a body (RFC 9110 §9.3.2)."""
    accept = GEOJSON if path.endswith("/items") else JSON
    full, short = api.get(path, accept), api.ask(path, accept, method="HEAD")
    demand(short.status == 200, f"HEAD answers {short.status}")
    demand(media(short) == media(full), f"HEAD has type {media(short)}, GET {media(full)}")
    demand(not short.body, "HEAD has a body")


def method_refused(api, path):
    """A method that the resource does not know is refused with 405 and Allow (RFC 9110 §15.5.6), or with 401 or 403 where it takes a right."""
    answer = api.ask(path, method="PATCH", body="{}", headers={"Content-Type": "application/json"})
    demand(answer.status in (401, 403, 405, 501), f"PATCH answers {answer.status}")
    demand(answer.status != 405 or "GET" in answer.headers.get("Allow", ""), f"Allow is {answer.headers.get('Allow')!r}")


def root_links(api):
    """The landing page's links lead where their relations say: each answers with the type it is said to have."""
    document = json_of(api, "/")
    for relation in ("self", "conformance", "data"):
        demand(link(document["links"], relation), f"there is no link {relation}")
    for l in document["links"]:
        answer = api.get(l["href"], l.get("type", JSON))
        demand(media(answer) == l["type"].partition(";")[0], f"{l['rel']} {l['href']} is {media(answer)}, the link says {l['type']}")


def api_definitions(api):
    """All of service-desc and service-doc can be had, service-desc as the type it names."""
    found = [l for l in json_of(api, "/")["links"] if l["rel"] in ("service-desc", "service-doc")]
    demand(found, "there is no API definition")
    for l in found:
        answer = api.get(l["href"], l["type"])
        demand(media(answer) == l["type"].partition(";")[0], f"{l['href']} is {media(answer)}")


def conformance(api):
    """All classes declared are URIs, each once."""
    declared = json_of(api, "/conformance")["conformsTo"]
    demand(len(declared) == len(set(declared)), "a class is declared twice")
    odd = [c for c in declared if not c.startswith(("http://www.opengis.net/spec/", "https://"))]
    demand(not odd, f"not URIs: {odd}")


def each_once(api):
    """The list of collections has each once, and all have at least one way to their items."""
    demand(len(names(api)) == len(set(names(api))), "a collection is listed twice")
    for c in api.collections:
        demand(any(l["rel"] == "items" for l in c["links"]), f"{c['id']} has no items")


# Collections: §7.13 and §7.14.

def metadata(api, name):
    api.test(f"/conf/core/sfc-md-success[{name}]", same_metadata, api, name)
    api.test(f"/conf/core/fc-md-items-links[{name}]", item_links, api, name)
    if sizes(api)[name] <= MANY:
        api.test(f"/conf/core/fc-md-extent[{name}]", spatial_extent, api, name)
        api.test(f"/conf/core/fc-md-extent[{name}, tight]", tight_extent, api, name)
    if (collection(api, name).get("extent") or {}).get("temporal"):
        api.test(f"/conf/core/fc-md-extent[{name}, time]", temporal_extent, api, name)


def same_metadata(api, name):
    """A collection by itself is what the list says of it, links left out (they name the document they stand in)."""
    alone, listed = json_of(api, f"/collections/{name}"), collection(api, name)
    for key in sorted({*alone, *listed} - {"links"}):
        demand(alone.get(key) == listed.get(key), f"{key} is {str(alone.get(key))[:200]}, in the list {str(listed.get(key))[:200]}")
    targets = lambda c: {(l["rel"], l.get("type")) for l in c["links"]}
    demand(targets(alone) == targets(listed), f"links differ: {sorted(targets(alone) ^ targets(listed))}")


def item_links(api, name):
    """Each link items leads to features in the encoding it says."""
    found = [l for l in collection(api, name)["links"] if l["rel"] == "items"]
    demand({GEOJSON, HTML} <= {l["type"] for l in found}, f"items have the types {[l.get('type') for l in found]}")
    for l in found:
        answer = api.get(l["href"], l["type"], limit=1)
        demand(media(answer) == l["type"].partition(";")[0], f"{l['href']} is {media(answer)}, the link says {l['type']}")


def spatial_extent(api, name):
    """Every coordinate of every feature is within the box of the collection."""
    west, south, east, north = map(float, collection(api, name)["extent"]["spatial"]["bbox"][0])
    for f in api.every(name):
        for x, y, *_ in vertices(f["geometry"]):
            inside = west <= x <= east if west <= east else x >= west or x <= east
            demand(inside and south <= y <= north, f"feature {f['id']} has {x!r}, {y!r}, the box is {[west, south, east, north]}")


def tight_extent(api, name):
    """The box is that of the features, within a metre or so."""
    if not any(f["geometry"] for f in api.every(name)):
        return
    box, real = collection(api, name)["extent"]["spatial"]["bbox"][0], extent_of(api.every(name))
    demand(all(abs(a - b) < 1e-5 for a, b in zip(box, real)), f"the box is {box}, the features have {real}")


def temporal_extent(api, name):
    """Every time of every feature is within the interval of the collection (null is open)."""
    begin, end = collection(api, name)["extent"]["temporal"]["interval"][0]
    for identifier, time in times(api, name).items():
        if time:
            demand(begin is None or time[0] is None or moment(begin)[0] <= time[0], f"feature {identifier} begins {time[0]}, before {begin}")
            demand(end is None or time[1] is None or time[1] <= moment(end)[1], f"feature {identifier} ends {time[1]}, after {end}")


# Parameters of queries: §7.5, §7.15.

def unknown_parameters(api, name):
    for path in (f"/collections/{name}", items_path(name)):
        refused(api, f"/conf/core/query-param-unknown[{path}]", path, "an unknown parameter", accept=JSON, nonsense="1")
    refused(api, f"/conf/core/query-param-unknown[{name}, case]", items_path(name), "an unknown parameter", LIMIT="1")
    first = api.items(name, limit=1)["features"]
    if first:
        refused(api, f"/conf/core/query-param-unknown[{name}, feature]", item(name, first[0]["id"]), "an unknown parameter", nonsense="1")


def invalid(api, name):
    path = items_path(name)
    for value in ("", "0", "-1", "1.5", "ten", "1,2", "99999999999999999999999", "0x10", " 1"):
        if value != "0" or form_parameter(api, path, "limit")["minimum"] > 0:
            api.test(f"/conf/core/query-param-invalid[{name}, limit={value}]", limit_refused, api, path, value)
    odd_boxes = ("", "1", "1,2,3", "1,2,3,4,5", "1,2,3,4,5,6,7", "a,b,c,d", "1,2,3,", "1;2;3;4", "NaN,NaN,NaN,NaN", "1,5,2,4", "0,-91,1,1",
                 "0,1,1,91", "-181,0,1,1", "0,0,181,1", "1e999,0,1,1")
    for value in odd_boxes:
        refused(api, f"/conf/core/query-param-invalid[{name}, bbox={value}]", path, f"bbox={value}", bbox=value)


def limit_refused(api, path, value):
    """A limit that the schema of the parameter does not allow is refused; one beyond the maximum may be cut (/per/core/fc-limit-response-2)."""
    if value.isdigit() and int(value) > 0:
        answer = api.get(path, expect=(200, 400), limit=value)
        most = form_parameter(api, path, "limit")["maximum"]
        demand(answer.status == 400 or len(answer.json()["features"]) <= most, "more features than the maximum")
    else:
        refuses(api, path, f"limit={value!r}", limit=value)


def limits(api, name):
    total = sizes(api)[name]
    for limit in sorted({1, 2, 10, max(1, total - 1), total, total + 1}):
        api.test(f"/conf/core/fc-limit-response[{name}, {limit}]", exactly, api, name, limit)
    api.test(f"/conf/core/fc-limit-response[{name}, default]", default_limit, api, name)
    api.test(f"/conf/core/fc-limit-response[{name}, maximum]", beyond_maximum, api, name)


def exactly(api, name, limit):
    """A page has as many features as asked for, or all there are, and says so; next is there only when there are more."""
    page = api.items(name, limit=limit)
    total, count = sizes(api)[name], len(page["features"])
    demand(count == min(limit, total), f"{count} features of {total} for limit={limit}")
    demand(page["numberReturned"] == count, f"numberReturned is {page['numberReturned']} of {count}")
    demand(page["numberMatched"] == total, f"numberMatched is {page['numberMatched']}, and without limit {total}")
    demand(bool(link(page["links"], "next")) == (limit < total), f"limit={limit} of {total}: next is {link(page['links'], 'next')}")


def default_limit(api, name):
    """Without limit the page has the default of the API definition."""
    default = form_parameter(api, items_path(name), "limit")["default"]
    count = len(api.items(name)["features"])
    demand(count == min(default, sizes(api)[name]), f"{count} features, the default is {default}")


def beyond_maximum(api, name):
    most = form_parameter(api, items_path(name), "limit")["maximum"]
    answer = api.get(items_path(name), expect=(200, 400), limit=most + 1)
    demand(answer.status == 400 or len(answer.json()["features"]) <= most, f"more than {most} features")


def walk(api, name, limit, query, expected=None):
    """The pages together are the whole answer, each feature once; all but the last are full and have next; numberMatched stays."""
    url, got, parts, matched = items_path(name), [], [], set()
    query = {"limit": limit, **query}
    while url:
        answer = api.get(url, **query)
        page, query = answer.json(), {}
        got += [f["id"] for f in page["features"]]
        parts.append(len(page["features"]))
        matched.add(page["numberMatched"])
        follow = link(page["links"], "next")
        demand(follow is None or follow.get("type") == GEOJSON, f"next is {follow}")
        url = follow and follow["href"]
        demand(len(parts) < 2000, "the pages do not end")
    wanted = [f["id"] for f in api.every(name)] if expected is None else expected
    demand(all(p == limit for p in parts[:-1]), f"pages of {sorted(set(parts))} features for limit={limit}")
    demand(matched == {len(wanted)}, f"numberMatched is {matched}, there are {len(wanted)}")
    same(got, wanted, f"pages of {limit}")


def pages(api, name):
    total = sizes(api)[name]
    for limit in sorted({max(1, total // 7), max(1, total // 2), max(1, total - 1)}):
        api.test(f"/conf/core/fc-response[{name}, pages of {limit}]", walk, api, name, limit, {})
    box = middle(extent_of(api.every(name)))
    found = meeting(api, name, box)
    api.test(f"/conf/core/fc-response[{name}, pages in a box]", walk, api, name, max(1, len(found) // 3), {"bbox": numbers(box)}, found)
    api.test(f"/conf/core/fc-links[{name}, self]", own_links, api, name, items_path(name))
    api.test(f"/conf/core/fc-links[{name}, self with query]", own_links, api, name, f"{items_path(name)}?limit=2&bbox={numbers(box)}")
    api.test(f"/conf/core/fc-rel-type[{name}]", all_typed, api, name)
    api.test(f"/conf/core/fc-timeStamp[{name}]", time_stamp, api, name)


def own_links(api, name, path):
    """self leads to the same features; each alternate answers with the type it names, and with as many features as matched."""
    page = api.get(path).json()
    own = link(page["links"], "self")
    again = api.get(own["href"], own["type"]).json()
    same([f["id"] for f in again["features"]], [f["id"] for f in page["features"]], "self")
    for l in (l for l in page["links"] if l["rel"] == "alternate"):
        answer = api.get(l["href"], l["type"])
        demand(media(answer) == l["type"].partition(";")[0], f"{l['href']} is {media(answer)}, the link says {l['type']}")
        count = answer.headers.get("OGC-NumberMatched")
        demand(count is None or int(count) == page["numberMatched"], f"{l['type']} matches {count}, GeoJSON {page['numberMatched']}")


def all_typed(api, name):
    """All links have rel, an absolute href and type."""
    for l in links_of(api.items(name, limit=1), name):
        demand(l.get("rel") and l.get("type") and str(l.get("href")).startswith("http"), f"a link is {l}")


def time_stamp(api, name):
    """timeStamp is the time of the answer, by the clock of the server (RFC 3339)."""
    stamp = moment(api.items(name, limit=1)["timeStamp"])[0]
    demand(abs((datetime.now(timezone.utc) - stamp).total_seconds()) < 120, f"timeStamp is {stamp}")


# bbox: §7.15.3.

def middle(box):
    west, south, east, north = box
    wide, high = (east - west) / 4, (north - south) / 4
    return west + wide, south + high, east - wide, north - high


def boxes(api, name):
    for case, box in boxes_of(api, name):
        api.test(f"/conf/core/fc-bbox-response[{name}, {case}]", in_box, api, name, box)
    whole = extent_of(api.every(name))
    api.test(f"/conf/core/fc-bbox-response[{name}, six numbers]", six_numbers, api, name, middle(whole))
    api.test(f"/conf/core/fc-bbox-response[{name}, axes]", in_box, api, name, swapped(whole))
    api.test(f"/conf/core/fc-bbox-response[{name}, forms of numbers]", forms_of_numbers, api, name, middle(whole))
    api.test(f"/conf/core/fc-bbox-definition[{name}]", bbox_definition, api, name)


def swapped(box):
    """The box read with latitude first, as far as it is one."""
    west, south, east, north = box
    return (south, max(west, -90), north, min(east, 90)) if west < 90 and east > -90 else (south, -90, north, -80)


def boxes_of(api, name):
    """Boxes of which each could be answered wrongly in its own way."""
    features = api.every(name)
    west, south, east, north = extent_of(features)
    x, y = (west + east) / 2, (south + north) / 2
    yield "all", (west, south, east, north)
    yield "world", (-180, -90, 180, 90)
    for case, box in zip(("SW", "SE", "NW", "NE"), ((west, south, x, y), (x, south, east, y), (west, y, x, north), (x, y, east, north))):
        yield case, box
    yield "middle", middle((west, south, east, north))
    # West beyond east: what lies on both sides of the antimeridian, the middle left out.
    if west > -180 and east < 180:
        yield "across 180, east part", (x, -90, max(-180, west - 1), 90)
        yield "across 180, west part", (min(180, east + 1), -90, x, 90)
        yield "across 180, nothing", (min(180, east + 1), -90, max(-180, west - 1), 90)
    yield "across 180, narrow", (179.0, -90, -179.0, 90)
    points = [(f, p) for f in features for p in vertices(f["geometry"])]
    for case, (f, p) in (("easternmost vertex", max(points, key=lambda v: v[1][0])), ("northernmost vertex", max(points, key=lambda v: v[1][1]))):
        px, py = p[:2]
        yield f"a point, {case}", (px, py, px, py)
        yield f"touching, {case}", (px, py, min(180, px + 0.01), min(90, py + 0.01))
        yield f"just beyond, {case}", (min(180, px + 1e-4), py, min(180, px + 0.01), min(90, py + 0.01))
        yield f"line, {case}", (px, max(-90, py - 0.01), px, py)
    yield from boxes_of_areas(api, name)


def boxes_of_areas(api, name):
    """Inside an area and away from its edge; in the envelope of a geometry and away from it."""
    large = [(i, g) for i, g in geometries(api, name) if g is not None and g.GetDimension() == 2]
    for identifier, g in sorted(large, key=lambda v: -v[1].GetArea())[:2]:
        p = g.PointOnSurface()
        side = g.Boundary().Distance(p) / 4
        if side > 1e-7:
            yield f"inside {identifier}", (p.GetX() - side, p.GetY() - side, p.GetX() + side, p.GetY() + side)
    for identifier, g in [(i, g) for i, g in geometries(api, name) if g is not None and g.GetDimension() > 0][:40:20]:
        left, right, bottom, top = g.GetEnvelope()
        empty = empty_corner(g, left, right, bottom, top)
        if empty:
            yield f"in the envelope of {identifier} only", empty


def empty_corner(geometry, left, right, bottom, top):
    """The largest corner of an envelope that the geometry leaves free."""
    wide, high = (right - left) / 8, (top - bottom) / 8
    for x, y in ((left, bottom), (right - wide, bottom), (left, top - high), (right - wide, top - high)):
        box = (x, y, x + wide, y + high)
        corner = ogr.Geometry(ogr.wkbMultiPoint)
        for px, py in ((x, y), (x + wide, y), (x, y + high), (x + wide, y + high)):
            point = ogr.Geometry(ogr.wkbPoint)
            point.AddPoint_2D(px, py)
            corner.AddGeometry(point)
        if wide > 0 and high > 0 and not geometry.Intersects(corner.ConvexHull()):
            return box
    return None


def in_box(api, name, box):
    """The features are those that meet the box by their geometry, and those without geometry."""
    expected = meeting(api, name, box)
    answer = api.items(name, bbox=numbers(box), limit=10_000)
    same([f["id"] for f in answer["features"]], expected, f"bbox={numbers(box)}")
    demand(answer["numberMatched"] == len(expected), f"numberMatched is {answer['numberMatched']}, expected {len(expected)}")


def six_numbers(api, name, box):
    """Six numbers of CRS84h: heights say nothing of features that have none."""
    west, south, east, north = map(repr, map(float, box))
    flat = all(len(p) == 2 for f in api.every(name)[:100] for p in vertices(f["geometry"]))
    if flat:
        same(api.ids(name, bbox=f"{west},{south},-100,{east},{north},9000"), meeting(api, name, box), "bbox of six numbers")


def forms_of_numbers(api, name, box):
    """Numbers may be written with an exponent, and be followed by zeros."""
    written = ",".join(f"{n:.12e}" for n in box)
    same(api.ids(name, bbox=written), meeting(api, name, [float(n) for n in written.split(",")]), f"bbox={written}")


def bbox_definition(api, name):
    schema = form_parameter(api, items_path(name), "bbox", explode=False)
    demand(schema["type"] == "array" and schema["items"]["type"] == "number", f"bbox is {schema}")


# datetime: §7.15.4.

RFC = "%Y-%m-%dT%H:%M:%SZ"


def stamp(time, form=RFC):
    """A time by a form; years of the first millennium have four digits too."""
    return time.strftime(form.replace("%Y", f"{time.year:04}"))


def times_of(api, name):
    for case, value in datetimes(api, name):
        api.test(f"/conf/core/fc-time-response[{name}, {case}]", at_time, api, name, value)
    api.test(f"/conf/core/fc-time-definition[{name}]", time_definition, api, name)
    api.test(f"/conf/core/fc-time-response[{name}, pages]", pages_in_time, api, name)


def datetimes(api, name):
    ends = sorted({t for v in times(api, name).values() if v for t in v if t})
    first, last, some_time = ends[0], ends[-1], ends[len(ends) // 2]
    day, second = timedelta(days=1), timedelta(seconds=1)
    whole = some_time.replace(microsecond=0)
    text = stamp(whole)
    kyiv = stamp(whole + timedelta(hours=3), "%Y-%m-%dT%H:%M:%S+03:00")
    york = stamp(whole - timedelta(hours=4, minutes=30), "%Y-%m-%dT%H:%M:%S-04:30")
    exact = stamp(some_time, "%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    yield "instant", text
    yield "instant, exact", exact
    yield "instant, fraction", stamp(whole, "%Y-%m-%dT%H:%M:%S.5Z")
    yield "instant, offset east", kyiv
    yield "instant, offset west", york
    yield "instant, small letters", text.lower()
    yield "instant, second before", stamp(whole - second)
    yield "instant before all", stamp(first - 400 * day)
    yield "instant after all", stamp(last + 400 * day)
    a, b = stamp(first + (last - first) / 3), stamp(first + 2 * (last - first) / 3)
    yield "bounded interval", f"{a}/{b}"
    yield "bounded interval, all", f"{stamp(first)}/{stamp(last + second)}"
    yield "bounded interval, one instant", f"{text}/{text}"
    yield "bounded interval, before all", f"{stamp(first - 9 * day)}/{stamp(first - 2 * day)}"
    yield "bounded interval, offsets", f"{kyiv}/{stamp(last + day)}"
    yield "begins at the last", f"{stamp(last)}/{stamp(last + day)}"
    for case, value in (("begin", a), ("instant", text), ("end", stamp(last + day))):
        yield f"half-bounded start, .. to {case}", f"../{value}"
        yield f"half-bounded start, empty to {case}", f"/{value}"
        yield f"half-bounded end, {case} to ..", f"{value}/.."
        yield f"half-bounded end, {case} to empty", f"{value}/"


def expected_at(api, name, value):
    """Features that meet a time, and those without one; an instant or a date meets what lies within it."""
    begin, slash, end = value.partition("/")
    if not slash:
        low, high = moment(begin)
    else:
        low = moment(begin)[0] if begin not in ("", "..") else None
        high = moment(end)[1] if end not in ("", "..") else None
    meets = lambda t: t is None or (low is None or t[1] is None or t[1] >= low) and (high is None or t[0] is None or t[0] <= high)
    return [i for i, t in times(api, name).items() if meets(t)]


def at_time(api, name, value):
    expected = expected_at(api, name, value)
    same(api.ids(name, datetime=value, properties=first_property(api, name), skipGeometry="true"), expected, f"datetime={value}")
    matched = api.items(name, datetime=value, limit=1)["numberMatched"]
    demand(matched == len(expected), f"numberMatched is {matched}, expected {len(expected)}")


def first_property(api, name):
    return next((n for n, p in api.schema(name)["properties"].items() if "type" in p), "")


def time_definition(api, name):
    demand(form_parameter(api, items_path(name), "datetime", explode=False)["type"] == "string", "datetime is no string")


def pages_in_time(api, name):
    ends = sorted({t for v in times(api, name).values() if v for t in v if t})
    value = f"../{stamp(ends[len(ends) // 2])}"
    expected = expected_at(api, name, value)
    walk(api, name, max(1, len(expected) // 3), {"datetime": value}, expected)


def without_time(api, name):
    """All features of a collection without time are in the answer, whatever the time."""
    demanded = lambda value: same(api.ids(name, datetime=value), [f["id"] for f in api.every(name)], f"datetime={value}")
    for value in ("2023-08-04T10:00:00Z", "1900-01-01T00:00:00Z/1900-01-02T00:00:00Z", "../1900-01-01T00:00:00Z", "/1900-01-01T00:00:00Z",
                  "2100-01-01T00:00:00Z/..", "2100-01-01T00:00:00Z/", "2023-08-04T10:00:00+03:00", "2023-08-04t10:00:00.250z"):
        api.test(f"/conf/core/fc-time-response[{name}, without time, {value}]", demanded, value)


def bad_times(api, name):
    for value in ("", "yesterday", "2023-13-01T00:00:00Z", "2023-02-30T00:00:00Z", "2023-08-04T25:00:00Z", "2023-08-04T10:61:00Z",
                  "2023-08-04T10:00:00+25:00", "2023-08-04T10:00:00Z/2023-08-05T10:00:00Z/2023-08-06T10:00:00Z",
                  "2023-08-04T10:00:00Z/P2D", "..", "2023-08-04T10:00:00Z/...",
                  "04.08.2023", "20230804T100000Z", "2023-08-04T10:00:00Z,2023-08-05T10:00:00Z"):
        refused(api, f"/conf/core/query-param-invalid[{name}, datetime={value}]", items_path(name), f"datetime={value}", datetime=value)
    backwards = "2024-01-01T00:00:00Z/2023-01-01T00:00:00Z"
    api.test(f"/conf/core/query-param-invalid[{name}, datetime backwards]", nothing_or_refused, api, name, backwards)


def nothing_or_refused(api, name, value):
    """An interval that ends before it begins is refused, or no time is within it."""
    answer = api.get(items_path(name), expect=(200, 400), datetime=value, limit=10_000)
    if answer.status == 200:
        same([f["id"] for f in answer.json()["features"]], [f["id"] for f in sample_of_fg(api, name) if not f.get("time")], value)


# Several parameters, and single features: §7.15.6, §7.16.

def combined(api, name):
    api.test(f"/conf/core/fc-response[{name}, bbox and property]", box_and_property, api, name)
    api.test(f"/conf/core/fc-response[{name}, bbox and datetime]", box_and_time, api, name)


def box_and_property(api, name):
    """Filters combine by AND."""
    box = middle(extent_of(api.every(name)))
    inside = set(meeting(api, name, box))
    allowed = {n for n, place in parameters(api, items_path(name)) if place == "query"} & set(api.queryables(name)["properties"])
    for f in api.every(name):
        for key, value in f["properties"].items():
            if key in allowed and isinstance(value, str) and value and "," not in value and "*" not in value:
                expected = [g["id"] for g in api.every(name) if g["properties"].get(key) == value and g["id"] in inside]
                same(api.ids(name, bbox=numbers(box), **{key: value}), expected, f"bbox and {key}={value}")
                return


def box_and_time(api, name):
    box = middle(extent_of(api.every(name)))
    value = "../2015-01-01T00:00:00Z"
    expected = set(meeting(api, name, box)) & set(expected_at(api, name, value))
    same(api.ids(name, bbox=numbers(box), datetime=value), expected, "bbox and datetime")


def single(api, name):
    for f in some(api.every(name), 4):
        api.test(f"/conf/core/f-success[{name}, {f['id']}]", same_feature, api, name, f)
    first = api.every(name)[0]["id"]
    api.test(f"/conf/core/f-links[{name}]", feature_links, api, name, first)
    api.test(f"/conf/core/f-op[{name}]", lambda: operation(api, f"/collections/{name}/items/{{featureId}}"))
    refused(api, f"/conf/core/f-success[{name}, none]", item(name, "no such feature"), "a feature that is not there", 404)
    refused(api, f"/conf/core/f-success[{name}, number]", item(name, "987654321987"), "a feature that is not there", 404)
    api.test(f"/conf/core/crs84[{name}]", crs84, api, name)


def same_feature(api, name, feature):
    """A feature by itself is what it is among others."""
    alone = one(api, name, feature["id"])
    for key in ("type", "id", "geometry", "properties"):
        demand(alone[key] == feature[key], f"{key} is {str(alone[key])[:200]}, among others {str(feature[key])[:200]}")


def feature_links(api, name, identifier):
    """self leads to the feature, collection to its collection, alternate to the type it names."""
    feature = one(api, name, identifier)
    own, up = link(feature["links"], "self"), link(feature["links"], "collection")
    demand(api.get(own["href"], own["type"]).json()["id"] == identifier, f"self is {own['href']}")
    demand(api.get(up["href"], JSON).json()["id"] == name, f"collection is {up['href']}")
    for l in (l for l in feature["links"] if l["rel"] == "alternate"):
        demand(media(api.get(l["href"], l["type"])) == l["type"].partition(";")[0], f"{l['href']} is not {l['type']}")


def crs84(api, name):
    """Without crs the answer is in longitude and latitude, and says so where it says anything."""
    answer = api.get(items_path(name), limit=100)
    for f in answer.json()["features"]:
        for x, y, *_ in vertices(f["geometry"]):
            demand(-180 <= x <= 180 and -90 <= y <= 90, f"feature {f['id']} has {x}, {y}")
    header = answer.headers.get("Content-Crs")
    demand(header in (None, f"<{CRS84}>"), f"Content-Crs is {header}")
    demand(all(rel != "next" or address.startswith("http") for address, rel, _ in link_header(answer)), "a link in the header is not absolute")
