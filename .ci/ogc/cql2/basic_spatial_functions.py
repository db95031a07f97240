"""OGC 21-065r2 §7.5, annex A, conformance class Basic Spatial Functions: S_INTERSECTS with points and boxes."""

from abstract import same
from cql import Unsure, agrees, all_refused, box, both, combinations, either, no, nothing, op, point, prop, reads, refused_both, table, test_data
from cql import text
from places import all_positions, box_of
from suite import demand

CLASS = "http://www.opengis.net/spec/cql2/1.0/conf/basic-spatial-functions"
HERE = "/conf/basic-spatial-functions"
DATA = ("settlements", "zoning", "zoning-overlays", "wards", "drainage", "streets", "utility-poles")
OUTSIDE = (point(90, 180), point(-181, 0), point(0, 91), box(0, 0, 10, 91), box(-190, 0, 0, 10), box(0, -1000, 1, 0))
REFUSED = (
    "S_INTERSECTS({geom})", "S_INTERSECTS({geom},POINT(24 48),POINT(24 48))", "S_INTERSECTS()", "S_INTERSECTS", "S_INTERSECTS({geom},POINT(24))",
    "S_INTERSECTS({geom},POINT(24,48))", "S_INTERSECTS({geom},POINT(a b))", "S_INTERSECTS({geom},POINT 24 48)", "S_INTERSECTS({geom},BBOX(1,2,3))",
    "S_INTERSECTS({geom},BBOX(1,2,3,4,5))", "S_INTERSECTS({geom},BBOX(1 2 3 4))", "S_INTERSECTS({geom},BBOX())",
    "S_INTERSECTS({geom},BBOX(0,10,10,0))",
    "S_INTERSECTS({geom},ENVELOPE(1,2,3,4))", "S_INTERSECTS({geom},5)", "S_INTERSECTS({geom},'POINT(24 48)')", "S_INTERSECTS({geom},TRUE)",
    "S_INTERSECTS(name,POINT(24 48))",
    "S_INTERSECTS({geom},name)", "S_INTERSECTS(nothing,POINT(24 48))", "S_INTERSECTS({geom},nothing)", "S_INTERSECTS({geom},DATE('2020-01-01'))",
    "S_INTERSECTS({geom},POINT(24 48)) = 1", "POINT(24 48)", "INTERSECTS({geom},POINT(24 48))", "S_INTERSECTS({geom} POINT(24 48))",
    "S_INTERSECTS({geom},POINT(24 48)",
)
REFUSED_JSON = (
    {"op": "s_intersects", "args": [{"property": "geom"}]},
    {"op": "s_intersects", "args": [{"property": "geom"}, {"bbox": [1, 2, 3]}]},
    {"op": "s_intersects", "args": [{"property": "geom"}, {"bbox": ["a", 2, 3, 4]}]},
    {"op": "s_intersects", "args": [{"property": "geom"}, {"type": "Point", "coordinates": [1]}]},
    {"op": "s_intersects", "args": [{"property": "geom"}, {"type": "Point", "coordinates": ["a", "b"]}]},
    {"op": "s_intersects", "args": [{"property": "geom"}, {"type": "Point"}]},
    {"op": "s_intersects", "args": [{"property": "geom"}, {"type": "Circle", "coordinates": [1, 2]}]},
    {"op": "s_intersects", "args": [{"property": "name"}, {"type": "Point", "coordinates": [24, 48]}]},
    {"op": "s_intersects", "args": [{"property": "geom"}, [24, 48]]},
)


def intersects(api, name, geometry):
    return op("s_intersects", prop(table(api, name).geometry), geometry)


def sample(api, name):
    """The expressions of the abstract test; the whole world holds every feature."""
    world = agrees(api, name, intersects(api, name, box(-180, -90, 180, 90)))
    same(world, [f["id"] for f in api.every(name) if f["geometry"]], f"{name}: the whole world")
    agrees(api, name, intersects(api, name, point(7.02, 49.92)))
    halves = [intersects(api, name, box(*numbers)) for numbers in ((-180, -90, -90, 90), (90, -90, 180, 90))]
    nothing(api, name, both(*halves))


def boxes(api, name):
    """Boxes that hold much, little and nothing of the collection; the box's edge belongs to it."""
    west, south, east, north = box_of(next(c for c in api.collections if c["id"] == name))
    width, height = east - west, north - south
    for part in ((0, 0, 0.5, 0.5), (0.4, 0.4, 0.6, 0.6), (0.5, 0.1, 0.9, 0.3), (0.45, 0, 0.451, 1)):
        numbers = [west + width * part[0], south + height * part[1], west + width * part[2], south + height * part[3]]
        ids = agrees(api, name, intersects(api, name, box(*numbers)))
        without = agrees(api, name, no(intersects(api, name, box(*numbers))))
        same(ids + without, [f["id"] for f in api.every(name)], f"{name}: within and not within {numbers}")
    nothing(api, name, intersects(api, name, box(east + 0.1, south, east + 0.2, north)))
    most = max(p[0] for f in api.every(name) for p in all_positions(f["geometry"]))
    demand(agrees(api, name, intersects(api, name, box(most, south, most + 1, north))),
        "a box that begins at the easternmost corner does not meet it")


def across(api, name):
    """A box whose west is greater than its east goes over the antimeridian: around the world, what another box leaves out."""
    west, _, east, _ = box_of(next(c for c in api.collections if c["id"] == name))
    middle = (west + east) / 2
    nothing(api, name, intersects(api, name, box(150, -90, -150, 90)))
    eastern = agrees(api, name, intersects(api, name, box(middle, -90, -179.9, 90)))
    western = agrees(api, name, intersects(api, name, box(179.9, -90, middle, 90)))
    same(list(set(eastern + western)), [f["id"] for f in api.every(name)], f"{name}: two boxes around the world")


def points(api, name):
    """Points within features, at their corners, and beside all of them."""
    rows = table(api, name)
    step = max(1, len(rows.features) // 6)
    for feature in rows.features[::step]:
        corner = next(all_positions(feature["geometry"]), None)
        if corner:
            ids = agrees(api, name, intersects(api, name, point(*corner[:2])))
            demand(feature["id"] in ids, f"{name}: {feature['id']} does not meet its own corner {corner}")
        try:
            inner = rows.shape(feature).geometry.PointOnSurface()
        except (Unsure, RuntimeError):
            # Not valid, or no surface.
            continue
        ids = agrees(api, name, intersects(api, name, point(inner.GetX(), inner.GetY())))
        demand(feature["id"] in ids or "POLYGON" not in rows.shape(feature).geometry.GetGeometryName(),
            f"{name}: {feature['id']} does not meet a point in it")
    agrees(api, name, intersects(api, name, point(0.5, 0.5)))


def heights(api, name):
    """A box of six numbers: the third and the last are heights, which the features have none of."""
    west, south, east, north = box_of(next(c for c in api.collections if c["id"] == name))
    flat = agrees(api, name, intersects(api, name, box(west, south, (west + east) / 2, north)))
    deep = {"bbox": [west, south, -100, (west + east) / 2, north, 9000]}
    same(agrees(api, name, intersects(api, name, deep)), flat, f"{name}: a box with heights")


def spellings(api, name):
    """Names of functions and literals in any case, with and without blanks."""
    node = intersects(api, name, point(24.71, 48.92))
    for filter in ("s_intersects(geom,point(24.71 48.92))", "S_Intersects ( geom , Point ( 24.71 48.92 ) )",
        "S_INTERSECTS(\"geom\",\nPOINT(24.71\t48.92))",
                   "S_INTERSECTS(geom,POINT(2.471E1 4.892E1))", "(S_INTERSECTS(geom,POINT(+24.71 +48.92)))"):
        reads(api, name, filter, node)
    node = intersects(api, name, box(24.6, 48.85, 24.8, 48.99))
    for filter in ("s_intersects(geom,bbox(24.6,48.85,24.8,48.99))", "S_INTERSECTS(geom, BBOX( 24.6 , 48.85 , 24.8 , 48.99 ))",
        "S_INTERSECTS(geom,BBOX(24.60,48.850,24.80,48.990))"):
        reads(api, name, filter, node)


def predicates(api, name):
    west, south, east, north = box_of(next(c for c in api.collections if c["id"] == name))
    at = lambda s, t: (west + (east - west) * s, south + (north - south) * t)
    parts = [box(*at(0, 0), *at(0.6, 0.6)), box(*at(0.4, 0.4), *at(1, 1)), box(*at(0.2, 0), *at(0.3, 1)), box(*at(0, 0.7), *at(1, 0.8)),
        point(*at(0.5, 0.5)), box(-180, -90, 180, 90)]
    return [intersects(api, name, part) for part in parts]


def logical(api, name):
    """AND, OR and NOT of boxes, as in the predicates of annex A."""
    first, second, *_ = predicates(api, name)
    one, other = set(agrees(api, name, first)), set(agrees(api, name, second))
    demand(one - other and other - one and one & other, "the boxes are badly chosen: nothing is tested")
    for node, ids in ((both(first, second), one & other), (both(first, no(second)), one - other), (either(first, second), one | other)):
        same(agrees(api, name, node), list(ids), text(node))


def run(api):
    for name in DATA:
        api.test(f"{HERE}/s_intersects[{name}]", sample, api, name)
        api.test(f"{HERE}/s_intersects[{name}, boxes]", boxes, api, name)
        api.test(f"{HERE}/s_intersects[{name}, points]", points, api, name)
        api.test(f"{HERE}/s_intersects[{name}, antimeridian]", across, api, name)
        api.test(f"{HERE}/s_intersects[{name}, heights]", heights, api, name)
        for geometry in OUTSIDE if name == "settlements" else OUTSIDE[:1]:
            api.test(f"{HERE}/s_intersects[{name}, {text(geometry)} is invalid]", refused_both, api, name, intersects(api, name, geometry))
    for name in ("zoning", "streets", "utility-poles"):
        api.test(f"{HERE}/logical[{name}, boxes]", logical, api, name)
    combinations(api, HERE, "zoning", predicates(api, "zoning"))
    api.test(f"{HERE}/s_intersects[settlements, spellings]", spellings, api, "settlements")
    test_data(api, "basic-spatial-functions")
    api.test("/req/basic-spatial-functions/spatial-predicate[refused]", all_refused, api, "settlements",
        [f.replace("{geom}", "geom") for f in REFUSED])
    api.test("/req/basic-spatial-functions/spatial-predicate[refused, JSON]", all_refused, api, "settlements", REFUSED_JSON, "cql2-json")
