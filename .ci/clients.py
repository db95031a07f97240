#!/usr/bin/python3
"""Reads every sample through a running server with one of the programs that people use, and compares with the file it came from.

    clients.py gdal|owslib|qgis URL MANIFEST

The truth is the source, read by GDAL: how many features there are, which values a property has how often, how many meet a box or a filter.
Ends with the line `N passed, M failed`; exit code 1 when anything failed, or nothing was tried.
"""

import collections
import json
import os
import re
import subprocess
import sys
import tempfile

from osgeo import gdal, ogr

gdal.UseExceptions()
ogr.UseExceptions()
os.environ["QT_QPA_PLATFORM"] = "offscreen"

passed = 0
failed = 0


def check(name, got, expected):
    global passed, failed
    if got == expected:
        passed += 1
    else:
        failed += 1
        print(f"FAIL {name}\n     got {str(got)[:600]}\n     expected {str(expected)[:600]}")


def attempt(name, body, *arguments):
    """Runs a part whose end is not this program's: an error in it is one failure."""
    global failed
    try:
        return body(*arguments)
    except Exception as error:  # Whatever the program of others throws is what is being tested.
        failed += 1
        print(f"FAIL {name}\n     {type(error).__name__}: {str(error)[:600]}")
        return None


class Source:
    """One sample, as its file has it."""

    def __init__(self, folder, entry):
        self.id = entry["collection"]
        self.data = ogr.Open(os.path.join(folder, entry["file"]))
        self.layer = self.data.GetLayerByName(entry["layer"]) if entry.get("layer") else self.data.GetLayer(0)
        definition = self.layer.GetLayerDefn()
        self.fields = [definition.GetFieldDefn(i).GetName() for i in range(definition.GetFieldCount())]
        self.count = self.layer.GetFeatureCount()
        west, east, south, north = self.layer.GetExtent()
        # The middle quarter: some features are outside, some inside, some across.
        self.box = [west + (east - west) / 4, south + (north - south) / 4, east - (east - west) / 4, north - (north - south) / 4]
        self.layer.SetSpatialFilterRect(*self.box)
        self.in_box = self.layer.GetFeatureCount()
        self.layer.SetSpatialFilter(None)
        self.field, self.value, self.with_value = self.commonest()

    def commonest(self):
        """The text property and value that select most features, but not all."""
        definition = self.layer.GetLayerDefn()
        best = (None, None, 0)
        for index, name in enumerate(self.fields):
            if definition.GetFieldDefn(index).GetType() != ogr.OFTString:
                continue
            values = collections.Counter(f.GetField(index) for f in self.features() if f.IsFieldSetAndNotNull(index))
            for value, count in values.most_common(3):
                if count < self.count and count > best[2] and value and "'" not in value and value == value.strip():
                    best = (name, value, count)
        return best

    def features(self):
        self.layer.ResetReading()
        return iter(self.layer)


def gdal_reads(url, sources):
    shown = attempt("ogrinfo -al -so", run, "ogrinfo", "-ro", "-al", "-so", f"OAPIF:{url}")
    layers = {}
    for part in re.split(r"^Layer name: ", shown or "", flags=re.MULTILINE)[1:]:
        count = re.search(r"^Feature Count: (\d+)", part, re.MULTILINE)
        layers[part.splitlines()[0]] = (int(count[1]) if count else None, set(re.findall(r"^([^\s:][^:\n]*): (?:String|Integer|Real|Date)", part, re.MULTILINE)))
    check("ogrinfo lists the collections", sorted(layers), sorted(s.id for s in sources))
    for source in sources:
        count, fields = layers.get(source.id, (None, set()))
        check(f"ogrinfo: features of {source.id}", count, source.count)
        check(f"ogrinfo: properties of {source.id} that are missing", sorted(set(source.fields) - fields), [])

    with tempfile.TemporaryDirectory() as folder:
        for source in sources:
            for name, options, expected in [
                ("all", [], source.count),
                ("-where", ["-where", f"\"{source.field}\" = '{source.value}'"], source.with_value),
                ("-spat", ["-spat", *map(repr, source.box)], source.in_box),
            ]:
                if name == "-where" and not source.field:
                    continue
                copy = os.path.join(folder, f"{source.id}{name}.gpkg")
                title = f"ogr2ogr {name} of {source.id}"
                if attempt(title, run, "ogr2ogr", "-f", "GPKG", copy, f"OAPIF:{url}", source.id, "-nlt", "GEOMETRY", *options) is None:
                    continue
                data = ogr.Open(copy)
                check(title, data.GetLayer(0).GetFeatureCount(), expected)
                if name == "all":
                    wanted, got = values_of(source.layer), values_of(data.GetLayer(0))
                    check(f"{title}: properties whose values differ", [f for f in source.fields if got.get(f) != wanted[f]], [])
                data = None


def values_of(layer):
    """How often a property has each value, as text: numbers as numbers, for 1 and 1.0 are one."""
    definition = layer.GetLayerDefn()
    fields = {definition.GetFieldDefn(i).GetName(): i for i in range(definition.GetFieldCount())}
    counts = {name: collections.Counter() for name in fields}
    layer.ResetReading()
    for feature in layer:
        for name, index in fields.items():
            if feature.IsFieldSetAndNotNull(index):
                counts[name][plain(feature.GetField(index))] += 1
    return counts


def plain(value):
    if isinstance(value, (int, float)):
        return float(value)
    try:
        return float(value)
    except ValueError:
        # Dates and times are written in more than one way.
        return re.sub(r"\+00$|Z$|\.000", "", value.replace("/", "-").replace("T", " "))


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
    errors = [line for line in done.stderr.splitlines() if "ERROR" in line]
    if errors:
        raise RuntimeError(f"{' '.join(command)}: {errors[0]}")
    return done.stdout


def owslib_reads(url, sources):
    from owslib.ogcapi.features import Features

    client = attempt("OWSLib opens the server", Features, url)
    if client is None:
        return
    ids = attempt("OWSLib lists the collections", client.feature_collections)
    check("OWSLib lists the collections", sorted(ids or []), sorted(s.id for s in sources))
    declared = (attempt("OWSLib reads the conformance", client.conformance) or {}).get("conformsTo", [])
    check("OWSLib reads the conformance", "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core" in declared, True)
    check("OWSLib reads the API definition", "paths" in (attempt("OWSLib reads the API definition", client.api) or {}), True)
    for source in sources:

        def pages(**parameters):
            found, page = [], client.collection_items(source.id, **parameters)
            while True:
                found += page["features"]
                following = next((l["href"] for l in page["links"] if l["rel"] == "next"), None)
                if following is None:
                    return found
                page = fetch(following)

        described = attempt(f"OWSLib describes {source.id}", client.collection, source.id) or {}
        check(f"OWSLib describes {source.id}", described.get("id"), source.id)
        everything = attempt(f"OWSLib reads {source.id}", lambda: pages(limit=1000))
        if everything is None:
            continue
        check(f"OWSLib reads {source.id}", (len(everything), len({f["id"] for f in everything})), (source.count, source.count))
        if not everything:
            continue
        missing = set(source.fields) - set(everything[0]["properties"])
        check(f"OWSLib: properties of {source.id} that are missing", sorted(missing), [])
        boxed = attempt(f"OWSLib reads a box of {source.id}", lambda: pages(limit=1000, bbox=source.box))
        check(f"OWSLib reads a box of {source.id}", len(boxed or []), source.in_box)
        if source.field:
            chosen = attempt(f"OWSLib filters {source.id}", lambda: pages(limit=1000, **{source.field: source.value}))
            check(f"OWSLib filters {source.id} by {source.field}={source.value}", len(chosen or []), source.with_value)
        one = attempt(f"OWSLib reads a feature of {source.id}", lambda: client.collection_item(source.id, str(everything[0]["id"])))
        check(f"OWSLib reads a feature of {source.id}", (one or {}).get("geometry"), everything[0]["geometry"])


def fetch(address):
    import urllib.request

    return json.load(urllib.request.urlopen(address))


def qgis_reads(url, sources):
    from qgis.core import QgsApplication, QgsFeatureRequest, QgsRectangle, QgsVectorLayer

    application = QgsApplication([], False)
    application.initQgis()  # And no exitQgis: it may crash, and the process ends after this anyway.
    for source in sources:
        address = f"url='{url}' typename='{source.id}'"

        def layer(options=""):
            return QgsVectorLayer(f"{address} {options}", source.id, "OAPIF")

        whole = layer()
        check(f"QGIS opens {source.id}", whole.isValid(), True)
        if not whole.isValid():
            continue
        check(f"QGIS counts {source.id}", whole.featureCount(), source.count)
        names = [f.name() for f in whole.fields()]
        check(f"QGIS: properties of {source.id} that are missing", sorted(set(source.fields) - set(names)), [])
        features = list(whole.getFeatures())
        check(f"QGIS reads {source.id}", len(features), source.count)
        check(f"QGIS: features of {source.id} without geometry", sum(f.geometry().isNull() for f in features), sum(f.GetGeometryRef() is None for f in source.features()))
        box = QgsFeatureRequest().setFilterRect(QgsRectangle(*source.box)).setFlags(QgsFeatureRequest.ExactIntersect)
        check(f"QGIS reads a box of {source.id}", len(list(layer("restrictToRequestBBOX='1'").getFeatures(box))), source.in_box)
        if source.field:
            expression = f"\"{source.field}\" = '{source.value}'"
            check(f"QGIS filters {source.id} by an expression", len(list(layer().getFeatures(QgsFeatureRequest().setFilterExpression(expression)))), source.with_value)
            subset = layer()
            check(f"QGIS takes a filter for {source.id}", subset.setSubsetString(expression), True)
            check(f"QGIS filters {source.id} by {expression}", len(list(subset.getFeatures())), source.with_value)


def main():
    which, url, manifest = sys.argv[1:4]
    sources = [Source(os.path.dirname(manifest), entry) for entry in json.load(open(manifest, encoding="utf-8"))["collections"]]
    {"gdal": gdal_reads, "owslib": owslib_reads, "qgis": qgis_reads}[which](url.rstrip("/"), sources)
    print(f"{passed} passed, {failed} failed", flush=True)
    # Without the ends of libraries that can crash after all is said.
    os._exit(failed > 0 or passed == 0)


if __name__ == "__main__":
    main()
