"""OGC 19-079r2 §8, annex A, conformance class Filter: the parameters `filter`, `filter-lang`, `filter-crs`, and `/functions`."""

import functools
import json

from abstract import refuses, same
from cql import Unsure, agrees, box, collection, expected, is_null, line, literal_shape, multi, op, point, polygon, prop, rectangle, refused
from cql import refused_both, selects, table, text, written
from osgeo import ogr, osr
from places import box_of
from suite import CRS84, GEOJSON, JSON, demand

CLASS = "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/filter"
EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
# How far the datums of PROJ here and of the server may part, in degrees: features that near to an edge may be in the answer or not.
NEAR = 2e-4
# Systems of projected coordinates for boxes of hundreds of kilometres, whose edges are no straight lines in degrees.
WIDE = {"settlements": ("32635", "6382", "7825"), "hromadas": ("6383",)}


def of_items(api, name, parameter):
    operation = api.openapi["paths"][f"/collections/{name}/items"]
    for found in operation.get("parameters", []) + operation["get"].get("parameters", []):
        if "$ref" in found:
            found = api.openapi["components"]["parameters"][found["$ref"].rpartition("/")[2]]
        if found["name"] == parameter:
            return found
    return demand(False, f"the definition of /collections/{name}/items has no parameter {parameter}")


def definition(api, name, parameter, explode=False):
    """The parameter stands in the definition as the requirement's fragment has it."""
    found = of_items(api, name, parameter)
    demand(found["in"] == "query" and not found.get("required") and found.get("style", "form") == "form", f"{parameter}: {found}")
    demand(not explode or found.get("explode") is False, f"{parameter}: explode is not false")
    demand(found["schema"].get("type") == "string", f"{parameter}: {found['schema']}")


def languages(api, name):
    """B and C of filter-lang-param: every language listed is read, the default is the one of a filter alone."""
    schema = of_items(api, name, "filter-lang")["schema"]
    demand({"cql2-text", "cql2-json"} <= set(schema["enum"]), f"the languages are {schema['enum']}")
    demand(schema.get("default") in schema["enum"], f"the default is {schema.get('default')}")
    node = is_null(table(api, name).geometry)
    forms = dict(written(node))
    for language in schema["enum"]:
        api.items(name, filter=forms.get(language, text(node)), filter_lang=language, limit=1)
    api.items(name, filter=forms[schema["default"]], limit=1)
    other = next(form for language, form in forms.items() if language != schema["default"])
    refuses(api, f"/collections/{name}/items", "the other language", filter=other)


def sample(api, name):
    """A queryable that is NULL somewhere, when there is one."""
    rows = table(api, name)
    names = rows.of("string", "integer", "number", "date", "date-time", "boolean")
    return next((n for n in names if any(f["properties"][n] is None for f in rows.features)), names[0] if names else rows.geometry)


def filter_param(api, name):
    """`{queryable} IS NULL` is answered with the features that have no value, as GeoJSON."""
    key = sample(api, name)
    rows = table(api, name)
    expected_ids = [f["id"] for f in rows.features if (f["geometry"] if key == rows.geometry else f["properties"][key]) is None]
    for language, form in written(is_null(key)):
        answer = api.get(f"/collections/{name}/items", filter=form, filter_lang=language, limit=10_000)
        demand(answer.headers["Content-Type"].partition(";")[0] == GEOJSON, f"the answer is {answer.headers['Content-Type']}")
        if len(expected_ids) <= 10_000:
            same([f["id"] for f in answer.json()["features"]], expected_ids, form)
        demand(answer.json()["numberMatched"] == len(expected_ids), f"{form}: numberMatched is {answer.json()['numberMatched']}")


def filter_lang_default(api, name):
    """A filter without `filter-lang` is read as the default language."""
    key = sample(api, name)
    language = of_items(api, name, "filter-lang")["schema"]["default"]
    form = dict(written(is_null(key)))[language]
    same([f["id"] for f in api.items(name, filter=form)["features"]],
        [f["id"] for f in api.items(name, filter=form, filter_lang=language)["features"]], form)
    refuses(api, f"/collections/{name}/items", "no filter", filter="THIS IS NOT A FILTER")


def invalid(api, name):
    refused(api, name, "THIS IS NOT A FILTER")
    refused(api, name, "THIS IS NOT A FILTER", "cql2-json")
    refused(api, name, json.dumps({"op": "this is not an operator", "args": [{"property": table(api, name).geometry}]}), "cql2-json")


def extent(api, name):
    return box_of(next(c for c in api.collections if c["id"] == name))


def with_geometry(api, name):
    return [f["id"] for f in api.every(name) if f["geometry"] and f["geometry"]["coordinates"]]


def everywhere(api, name):
    """filter-crs-wgs84: the collection's box in longitude and latitude selects every feature."""
    for language, form in written(op("s_intersects", prop(table(api, name).geometry), box(*extent(api, name)))):
        same(selects(api, name, form, language), with_geometry(api, name), form)
        same(selects(api, name, form, language, filter_crs=CRS84), with_geometry(api, name), f"{form} with filter-crs CRS84")


def far_away(api, name):
    """filter-crs-wgs84: numbers that are no longitude and latitude are refused."""
    refused_both(api, name, op("s_intersects", prop(table(api, name).geometry), box(1000000, 1000000, 2000000, 2000000)))


def transformation(code, back=False):
    """From CRS84, or back, in the order of the authority's axes."""
    degrees, other = osr.SpatialReference(), osr.SpatialReference()
    degrees.SetFromUserInput("OGC:CRS84")
    if code == CRS84:
        other.SetFromUserInput("OGC:CRS84")
    else:
        other.ImportFromEPSG(int(code.rpartition("/")[2]))
    return osr.CoordinateTransformation(*((other, degrees) if back else (degrees, other)))


def densified(geometry, code, parts=100):
    """A geometry of another system in degrees: straight lines there are straight there."""
    shape = literal_shape(geometry).geometry.Clone()
    low_x, high_x, low_y, high_y = shape.GetEnvelope()
    shape.Segmentize(max(high_x - low_x, high_y - low_y) / parts)
    shape.Transform(transformation(code, back=True))
    return shape if shape.GetGeometryName() != "GEOMETRYCOLLECTION" else functools.reduce(ogr.Geometry.Union, list(shape))


def envelope(api, name, code):
    """The box in another system that holds the collection's box in degrees, edges and all."""
    west, south, east, north = extent(api, name)
    steps = [i / 20 for i in range(21)]
    points = [(west + (east - west) * s, south + (north - south) * t) for s in steps for t in steps]
    moved = [p[:2] for p in transformation(code).TransformPoints(points)]
    first, second = zip(*moved)
    wide = max(max(first) - min(first), max(second) - min(second)) * 1e-3
    return [min(first) - wide, min(second) - wide, max(first) + wide, max(second) + wide]


def in_crs(api, name, geometries, code, relation="Intersects"):
    """Geometries that are one in another system select what the first does when PROJ brings it to degrees; what is near its edge may be in or out."""
    rows, shape, yes, edge = table(api, name), densified(geometries[0], code), [], set()
    surface = shape.GetDimension() == 2
    border = shape.Boundary() if surface else shape
    # What meets the inner part meets the whole, however the edge is shifted.
    inner = shape.Buffer(-NEAR) if surface else shape
    for feature, place in valid_shapes(rows, edge):
        if border.Distance(place) > NEAR:
            yes += [feature["id"]] * getattr(place, relation)(shape)
        elif relation == "Intersects" and (place if surface else place.Buffer(-NEAR)).Intersects(inner):
            yes.append(feature["id"])
        else:
            edge.add(feature["id"])
    demand(0 < len(yes) < len(rows.features), f"{len(yes)} of {len(rows.features)} expected: nothing is tested")
    for geometry in geometries:
        for language, form in written(op(f"s_{relation.lower()}", prop(rows.geometry), geometry)):
            same([i for i in selects(api, name, form, language, filter_crs=code) if i not in edge], yes, f"{form[:300]} in {code}")


def valid_shapes(rows, others):
    """Features with their geometries; identifiers of those that GEOS finds not valid go into `others`."""
    for feature in rows.features:
        try:
            yield feature, rows.shape(feature).geometry
        except Unsure:
            others.add(feature["id"])


def whole(api, name, code):
    """filter-crs-param: the collection's box in another system selects every feature."""
    numbers = envelope(api, name, code)
    for language, form in written(op("s_intersects", prop(table(api, name).geometry), box(*numbers))):
        same(selects(api, name, form, language, filter_crs=code), with_geometry(api, name), f"{form} in {code}")


def corner(api, name, code):
    """filter-crs-param: a part of the box in the order of the system's axes, and the same as a polygon."""
    low_1, low_2, high_1, high_2 = envelope(api, name, code)
    part = [low_1 + (high_1 - low_1) * 0.25, low_2 + (high_2 - low_2) * 0.4, low_1 + (high_1 - low_1) * 0.5, low_2 + (high_2 - low_2) * 0.9]
    in_crs(api, name, [box(*part), rectangle(*part)], code)


def all_types(api, name, code):
    """filter-crs-param B: all geometries of the expression are in the system, of whatever type."""
    low_1, low_2, high_1, high_2 = envelope(api, name, code)
    at = lambda s, t: (low_1 + (high_1 - low_1) * s, low_2 + (high_2 - low_2) * t)
    cut = line(at(0.1, 0.2), at(0.9, 0.6))
    hole = polygon([at(0, 0), at(1, 0), at(1, 1), at(0, 1), at(0, 0)], [at(0.2, 0.2), at(0.2, 0.8), at(0.8, 0.8), at(0.8, 0.2), at(0.2, 0.2)])
    island = rectangle(*at(0.4, 0.4), *at(0.6, 0.6))
    for geometry in (cut, hole, multi(hole, island), collection(hole, island)):
        in_crs(api, name, [geometry], code)


def inner_point(api, name, code):
    """filter-crs-param: a point within a feature, in another system, selects that feature."""
    rows, done = table(api, name), 0
    for feature, shape in valid_shapes(rows, set()):
        place = shape.PointOnSurface() if done < 5 else None
        if place and shape.Boundary().Distance(place) > NEAR:
            done += 1
            moved = transformation(code).TransformPoint(place.GetX(), place.GetY())[:2]
            for language, form in written(op("s_intersects", prop(rows.geometry), point(*moved))):
                demand(feature["id"] in selects(api, name, form, language, filter_crs=code), f"{form} in {code} does not select {feature['id']}")
    demand(done, "no feature is large enough")


def wide(api, name, code):
    """Corners of a box of 900 km, and its northern edge, that goes through the collection: it is straight in its system, not in degrees."""
    west, south, east, north = extent(api, name)
    middle = transformation(code).TransformPoint((west + east) / 2, (south + north) / 2)[:2]
    # The axis of the greater number is the northing, here at 49 degrees north.
    easting = 0 if abs(middle[0]) < 4e6 and abs(middle[1]) > 4e6 else 1
    across, along = (450_000, 300_000) if easting == 0 else (300_000, 450_000)
    low = [middle[0] - across, middle[1] - along]
    high = [middle[0] + across, middle[1] + along]
    high[1 - easting] = middle[1 - easting]
    return low, high, [[low[0], high[1]], high] if easting == 0 else [[high[0], low[1]], high]


def wide_box(api, name, code, relation):
    low, high, _ = wide(api, name, code)
    in_crs(api, name, [box(*low, *high), rectangle(*low, *high)], code, relation)


def wide_line(api, name, code):
    in_crs(api, name, [line(*wide(api, name, code)[2])], code)


def not_a_crs(api, name, code):
    """filter-crs-param C: a system that the resource is not offered in is refused."""
    refused_both(api, name, op("s_intersects", prop(table(api, name).geometry), box(*extent(api, name))), filter_crs=code)


def outside(api, name, geometry, code):
    """Coordinates outside the system's extent of validity are refused (OGC 21-065r2 annex A, s_intersects: an invalid coordinate)."""
    refused_both(api, name, op("s_intersects", prop(table(api, name).geometry), geometry), **({"filter_crs": code} if code else {}))


def mixing(api, name):
    """mixing-expressions: bbox and filter are connected by AND; a box elsewhere leaves nothing."""
    west, south, east, north = extent(api, name)
    node = op("s_intersects", prop(table(api, name).geometry), box(west, south, east, north))
    for language, form in written(node):
        same(selects(api, name, form, language, bbox=f"{west},{south},{east},{north}"), with_geometry(api, name), "filter and bbox")
        same(selects(api, name, form, language, bbox=f"{east + 1},{south},{east + 2},{north}"), [], "filter and a bbox elsewhere")
        same(selects(api, name, form, language, bbox=f"{west},{north + 1},{east},{north + 2}"), [], "filter and a bbox elsewhere")


def halves(api, name):
    """mixing-expressions: a filter of the southern half and a bbox of the western one leave the features that meet both."""
    west, south, east, north = extent(api, name)
    southern = op("s_intersects", prop(table(api, name).geometry), box(west, south, east, (south + north) / 2))
    western = op("s_intersects", prop(table(api, name).geometry), box(west, south, (west + east) / 2, north))
    wanted = agrees(api, name, op("and", southern, western))
    for language, form in written(southern):
        same(selects(api, name, form, language, bbox=f"{west},{south},{(west + east) / 2},{north}"), wanted, "filter and bbox")


def bbox_and_filter_crs(api, name, bbox_crs, filter_crs):
    """`bbox-crs` is of bbox alone, and `filter-crs` of the filter alone."""
    part = lambda code, s: [a + (b - a) * s for a, b in zip(envelope(api, name, code)[:2], envelope(api, name, code)[2:])]
    first, second = envelope(api, name, bbox_crs), envelope(api, name, filter_crs)
    wanted = with_geometry(api, name)
    for language, form in written(op("s_intersects", prop(table(api, name).geometry), box(*second))):
        beside = {"bbox": ",".join(map(repr, first)), "bbox_crs": bbox_crs, "filter_crs": filter_crs}
        same(selects(api, name, form, language, **beside), wanted, f"bbox in {bbox_crs}, filter in {filter_crs}")
        beside["bbox"] = ",".join(map(repr, first[:2] + part(bbox_crs, 0.5)))
        page = api.items(name, bbox=beside["bbox"], bbox_crs=bbox_crs, limit=10_000)
        same(selects(api, name, form, language, **beside), [f["id"] for f in page["features"]], f"half a bbox in {bbox_crs}, filter in {filter_crs}")


def functions(api):
    """get-functions: 200 as JSON; every function has a name and what it returns, and arguments with their types."""
    answer = api.get("/functions", JSON)
    demand(answer.headers["Content-Type"].partition(";")[0] == JSON, f"the answer is {answer.headers['Content-Type']}")
    allowed = {"string", "number", "integer", "datetime", "date", "boolean", "geometry"}
    listed = answer.json()["functions"]
    demand(listed, "there are no functions")
    for function in listed:
        demand(isinstance(function["name"], str) and function["name"], f"a function without a name: {function}")
        demand(set(function["returns"]) <= allowed and function["returns"], f"{function['name']} returns {function['returns']}")
        for argument in function.get("arguments", []):
            demand(isinstance(argument["type"], list) and argument["type"] and set(argument["type"]) <= allowed, f"{function['name']}: {argument}")
            demand(isinstance(argument.get("title", ""), str) and isinstance(argument.get("description", ""), str), f"{function['name']}: {argument}")
    names = [f["name"] for f in listed]
    demand(len(names) == len(set(names)), f"a function comes twice: {names}")


def response(api, name, node):
    """A feature is in the answer exactly when the filter is TRUE for it: not when FALSE, not when NULL."""
    yes, _ = expected(api, name, node)
    demand(0 < len(yes) < len(api.every(name)), f"{len(yes)} expected: nothing is tested")
    agrees(api, name, node)


def run(api):
    names = [c["id"] for c in api.collections]
    for name in names:
        for parameter in ("filter", "filter-lang", "filter-crs"):
            api.test(f"/req/filter/{parameter}-param[{name}, definition]", definition, api, name, parameter, parameter != "filter-lang")
        api.test(f"/req/filter/filter-lang-param[{name}, languages]", languages, api, name)
        api.test(f"/conf/filter/filter-param[{name}]", filter_param, api, name)
        api.test(f"/conf/filter/filter-param[{name}, invalid]", invalid, api, name)
        api.test(f"/conf/filter/filter-lang-default[{name}]", filter_lang_default, api, name)
        api.test(f"/conf/filter/expression-construction[{name}]", refused_both, api, name, is_null("this_is_not_a_queryable"))
        api.test(f"/conf/filter/filter-crs-wgs84[{name}]", everywhere, api, name)
        api.test(f"/conf/filter/filter-crs-wgs84[{name}, outside]", far_away, api, name)
        api.test(f"/conf/filter/filter-crs-param[{name}, unknown]", not_a_crs, api, name, "http://www.opengis.net/def/crs/OGC/0/does_not_exist")
        api.test(f"/conf/filter/mixing-expression[{name}]", mixing, api, name)
        for code in next(c for c in api.collections if c["id"] == name)["crs"]:
            api.test(f"/conf/filter/filter-crs-param[{name}, {code}]", whole, api, name, code)
    for name in ("settlements", "wards", "streets"):
        for code in next(c for c in api.collections if c["id"] == name)["crs"]:
            api.test(f"/conf/filter/filter-crs-param[{name}, {code}, order of axes]", corner, api, name, code)
    for code in (CRS84, *(EPSG + n for n in ("4326", "3857", "5561", "6382", "32635"))):
        api.test(f"/conf/filter/filter-crs-param[settlements, {code}, types]", all_types, api, "settlements", code)
        api.test(f"/conf/filter/filter-crs-param[settlements, {code}, points]", inner_point, api, "settlements", code)
    for name, codes in WIDE.items():
        for code in codes:
            for relation in ("Intersects", "Within", "Disjoint"):
                api.test(f"/conf/filter/filter-crs-param[{name}, {EPSG}{code}, wide, {relation}]", wide_box, api, name, EPSG + code, relation)
            api.test(f"/conf/filter/filter-crs-param[{name}, {EPSG}{code}, wide line]", wide_line, api, name, EPSG + code)
    # The first is offered for no collection of Ukraine, the second for none of America.
    api.test("/conf/filter/filter-crs-param[settlements, not offered]", not_a_crs, api, "settlements", EPSG + "2249")
    api.test("/conf/filter/filter-crs-param[wards, not offered]", not_a_crs, api, "wards", EPSG + "6382")
    for geometry, code in (
        (point(90, 180), None),
        (point(90, 180), CRS84),
        (point(181, 0), None),
        (point(0, -90.5), None),
        (box(-180, -91, 180, 90), None),
        (line((0, 0), (0, 100)), None),
        (rectangle(-200, 0, -190, 10), None),
        (point(180, 90), EPSG + "4326"),
        (box(-10, 0, 100, 10), EPSG + "4326"),
        (point(148.9, 24.7), EPSG + "4326"),
        (point(1e9, 1e9), EPSG + "32635"),
    ):
        label = f"{text(geometry)} in {code or 'the default'}"
        api.test(f"/conf/filter/filter-crs-wgs84[settlements, {label}]", outside, api, "settlements", geometry, code)
    for name in ("settlements", "wards", "streets", "drainage", "utility-poles", "zoning-overlays"):
        api.test(f"/req/filter/mixing-expressions[{name}]", halves, api, name)
    for pair in ((EPSG + "4326", EPSG + "6382"), (EPSG + "32635", EPSG + "4326"), (EPSG + "3857", CRS84), (CRS84, EPSG + "3857")):
        codes = " and ".join(c.rpartition("/")[2] for c in pair)
        api.test(f"/req/filter/mixing-expressions[settlements, {codes}]", bbox_and_filter_crs, api, "settlements", *pair)
    for name, node in (
        ("settlements", op("<>", prop("place"), "village")),
        ("hydrants", op(">", prop("HYDRANT_GPM"), 1500)),
        ("zoning", op("<", prop("last_edited_date"), {"date": "2026-01-30"})),
    ):
        api.test(f"/req/filter/response[{name}]", response, api, name, node)
    api.test("/conf/filter/get-functions", functions, api)
