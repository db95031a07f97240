"""Draft of OGC API Features part 7, class Geometry Simplification (OGC 24-020 §6): geometries for a map of a zoom."""

import json

from abstract import refuses
from documents import SHAPES, form_parameter, items_path, one_path, representatives, spatial, vertices
from osgeo import gdal, ogr
from suite import demand

CLASS = "http://www.opengis.net/spec/ogcapi-features-7/1.0/conf/zoom-level"
# Degrees of a pixel at the equator, of 256 × 256 tiles, at zoom 0.
PIXEL = 360 / 256
LEVELS = ("0", "5", "8.5", "12", "18", "24")


def run(api):
    for name in representatives(api):
        for path in (items_path(name), one_path(name)):
            api.test(f"/req/zoom-level/parameter[{path}]", definition, api, path)
    for name in representatives(api):
        for level in LEVELS:
            api.test(f"/req/zoom-level/response[{name}, {level}]", simplified, api, name, level)
        api.test(f"/req/zoom-level/response[{name}, fewer vertices]", fewer, api, name)
    for name in representatives(api)[:2]:
        for value in ("-1", "near", "", "NaN"):
            api.test(f"/req/zoom-level/parameter[{name}, {value}]", refuses, api, f"{items_path(name)}?zoom-level={value}", f"zoom-level={value}")
        api.test(f"/req/zoom-level/parameter[{name}, beyond 24]", beyond, api, name)


def definition(api, path):
    """A number from 0."""
    schema = form_parameter(api, path, "zoom-level", explode=False)
    demand(schema["type"] == "number" and schema.get("minimum") == 0, f"zoom-level at {path} is {schema}")
    demand(schema.get("maximum", 24) >= 24, f"zoom-level at {path} ends at {schema.get('maximum')}, the table of the draft at 24")


def pair(api, name, level):
    found = api.items(name, limit=100, zoom_level=level)["features"]
    full = api.every(name)[:100]
    demand([f["id"] for f in found] == [f["id"] for f in full], "other features, or another order")
    return list(zip(full, found))


def simplified(api, name, level):
    """Types are those of the schema; what is left out no map of the zoom could show: no more than bits of pixels are others, and properties stay."""
    pixel = PIXEL / 2 ** float(level)
    allowed = [SHAPES[p["format"].removeprefix("geometry-")] for p in spatial(api.schema(name)).values()]
    for before, after in pair(api, name, level):
        demand(before["properties"] == after["properties"], f"feature {after['id']} has other properties")
        if before["geometry"] is None or after["geometry"] is None:
            demand(before["geometry"] is None or pixel > 1e-3, f"feature {after['id']} has lost its geometry")
            continue
        demand(any(after["geometry"]["type"] in a for a in allowed), f"feature {after['id']} becomes a {after['geometry']['type']}")
        near(before, after, pixel)


def near(before, after, pixel):
    old, new = (ogr.CreateGeometryFromJson(json.dumps(f["geometry"])) for f in (before, after))
    demand(new is not None and not new.IsEmpty(), f"feature {after['id']} is empty")
    if before["geometry"]["type"] == "Point":
        demand(before["geometry"] == after["geometry"], f"the point {after['id']} has moved")
    gdal.PushErrorHandler("CPLQuietErrorHandler")
    try:
        if old.GetDimension() == 1:
            lost = old.Difference(new.Buffer(2 * pixel)).Length()
            demand(lost <= old.Length() / 5, f"{lost / old.Length():.0%} of the line {after['id']} is off by two pixels")
        elif old.GetDimension() == 2 and old.IsValid():
            demand(new.IsValid(), f"the area {after['id']} crosses itself, or a hole lies outside")
            other = old.SymDifference(new).GetArea()
            demand(other <= pixel * pixel * len(vertices(before["geometry"])), f"{other / pixel ** 2:.0f} square pixels of {after['id']} are others")
    finally:
        gdal.PopErrorHandler()


def fewer(api, name):
    """Farther away there are never more vertices, and far away fewer than there are where there is something to leave out."""
    counts = [sum(len(vertices(after["geometry"])) for _, after in pair(api, name, level)) for level in LEVELS]
    whole = sum(len(vertices(f["geometry"])) for f in api.every(name)[:100])
    demand(counts == sorted(counts) and counts[-1] <= whole, f"vertices at {LEVELS} are {counts}, of {whole}")
    many = [f for f in api.every(name)[:100] if len(vertices(f["geometry"])) > 50]
    demand(not many or counts[0] < whole / 2, f"at zoom 0 there are {counts[0]} vertices of {whole}")


def beyond(api, name):
    """Beyond the table of the draft, which ends at 24, the answer is the whole geometry, or the schema has a maximum and the answer is no."""
    if "maximum" in form_parameter(api, items_path(name), "zoom-level"):
        refuses(api, items_path(name), "zoom-level=25", zoom_level="25")
        return
    found = api.items(name, limit=5, zoom_level="25")["features"]
    demand([f["id"] for f in found] == [f["id"] for f in api.every(name)[:5]], "other features")
