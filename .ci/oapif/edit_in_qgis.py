"""Edits the samples and the wells in QGIS itself, through its provider for OGC API Features, as its user does. Needs QGIS 3.32 or newer.

    edit_in_qgis.py URL ACCOUNT   HROMADA_TOKEN is a token of ACCOUNT, who may edit

What is stored then is asked of the server by plain requests. Ends with the line `N passed, M failed`; exit code 1 when anything failed.
"""

import json
import os
import re
import sys
import tempfile
import urllib.parse
import urllib.request

os.environ["QT_QPA_PLATFORM"] = "offscreen"
# Its settings and passwords are of this run; what is at home goes with it.
os.environ["HOME"] = tempfile.mkdtemp(dir=os.environ["HOME"])

from qgis.core import NULL, Qgis, QgsApplication, QgsAuthMethodConfig, QgsFeature, QgsVectorDataProvider, QgsVectorLayer

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
# In the CRS of storage, and in others that a user chooses.
LAYERS = [("parcels", ""), ("streets", ""), ("streets", "EPSG:3857"), ("hydrants", ""), ("hydrants", "EPSG:4326")]
LAYERS += [("wards", ""), ("wards", "EPSG:3857"), ("hromadas", ""), ("hromadas", "EPSG:6382"), ("wells", ""), ("wells", "EPSG:4326")]
# What QGIS has trouble with in JSON: quotes, a backslash at the end. Each feature has one of its own.
TEXTS = ["ТОВ «Їжак» “1” 'x' \\", 'ТОВ "Їжак"', "C:\\плани\\"]

passed = 0
failed = 0


def check(name, got, expected=True):
    global passed, failed
    if got == expected:
        passed += 1
    else:
        failed += 1
        print(f"FAIL {name}\n     got {str(got)[:600]}\n     expected {str(expected)[:600]}")


class Editing:
    def __init__(self, url, account, sign_in, name, crs):
        self.items = f"{url}/collections/{name}/items"
        self.account = account
        self.title = f"{name} in {crs or 'the CRS of storage'}"
        self.address = f"url='{url}' typename='{name}' authcfg='{sign_in}'" + (f" srsname='{crs}'" if crs else "")
        collection = document(f"{url}/collections/{name}")
        self.storage = collection.get("storageCrs") or CRS84
        properties = document(f"{url}/collections/{name}/schema")["properties"]
        self.key = None
        self.id_property = next((k for k, p in properties.items() if p.get("x-ogc-role") == "id"), None)

    def run(self):
        before = self.everything()
        try:
            self.edited(before)
        finally:
            if self.key:
                self.cleared()
        self.check("at the end all is as it was", self.everything() == before)

    def check(self, what, got, expected=True):
        check(f"{self.title}: {what}", got, expected)

    def everything(self):
        """All features as text, in the CRS of storage, by id."""
        all, page = {}, f"{self.items}?f=ndjson&limit=10000&crs={self.storage}"
        while page:
            with urllib.request.urlopen(page) as answer:
                all |= {str(json.loads(line)["id"]): line for line in answer}
                following = re.search(r'<([^>]*)>; rel="?next', answer.headers.get("Link") or "")
                page = following and following[1]
        return all

    def layer(self):
        layer = QgsVectorLayer(self.address, self.title, "OAPIF")
        self.check("opens", layer.isValid())
        return layer

    def committed(self, layer, what):
        done = layer.commitChanges()
        self.check(what, (done, [] if done else layer.commitErrors()), (True, []))

    def edited(self, before):
        layer = self.layer()
        may = layer.dataProvider().capabilities()
        for name in ["AddFeatures", "DeleteFeatures", "ChangeAttributeValues", "ChangeGeometries"]:
            self.check(f"QGIS offers {name}", bool(may & getattr(QgsVectorDataProvider, name)))
        self.key = next(f.name() for f in layer.fields() if f.typeName() == "String" and f.name() not in ("id", self.id_property))
        self.check("begins to be edited", layer.startEditing())
        names = set(layer.fields().names())
        others = names - {"id", self.id_property, self.key}
        whole = [f for f in layer.getFeatures() if f.hasGeometry() and any(f[name] != NULL for name in others)]
        for number, like in enumerate(whole[:3]):
            new = QgsFeature(layer.fields())
            new.setAttributes(like.attributes())
            # Its user writes it into the form: nobody else knows how they are given.
            for name in {"id", self.id_property} & names:
                new[name] = f"з QGIS {number}" if isinstance(like[name], str) else 910_000 + number
            new[self.key] = TEXTS[number]
            shape = like.geometry()
            shape.translate(self.step(layer), self.step(layer))
            new.setGeometry(shape)
            self.check("a feature is drawn", layer.addFeature(new))
        self.committed(layer, "three features are added")
        added = self.own(before)
        self.check("three features came, with the texts of the form", sorted(f["properties"][self.key] for f in added), sorted(TEXTS))
        self.others_stay("after adding", before)

        # Another window knows nothing but what the server tells.
        layer, drawn = self.found()
        self.check("another window has them", sorted(drawn), sorted(TEXTS))
        layer.startEditing()
        moved = drawn[TEXTS[0]].geometry()
        at = 0 if moved.type() == Qgis.GeometryType.Point else 1
        vertex = moved.vertexAt(at)
        moved.moveVertex(vertex.x() + self.step(layer), vertex.y() + self.step(layer), at)
        layer.changeGeometry(drawn[TEXTS[0]].id(), moved)
        other = next(name for name in others if drawn[TEXTS[1]][name] != NULL)
        layer.changeAttributeValue(drawn[TEXTS[1]].id(), layer.fields().indexOf(other), NULL)
        layer.deleteFeature(drawn[TEXTS[2]].id())
        self.committed(layer, "a vertex is moved, a value is cleared, a feature is deleted")
        was, cleared, _ = sorted(added, key=lambda f: TEXTS.index(f["properties"][self.key]))
        now = {f["id"]: f for f in self.own(before)}
        self.check("one is gone", sorted(map(str, now)), sorted([str(was["id"]), str(cleared["id"])]))
        self.check("the value is cleared and nothing else", now[cleared["id"]], {**cleared, "properties": {**cleared["properties"], other: None}})
        self.check("the properties of the moved one", now[was["id"]]["properties"], was["properties"])
        pairs = list(zip(flat(was["geometry"]), flat(now[was["id"]]["geometry"])))
        changed = [n for n, (old, new) in enumerate(pairs) if old != new]
        # The first vertex of a ring is its last one too.
        self.check("one vertex is another", (len(flat(now[was["id"]]["geometry"])), changed), (len(flat(was["geometry"])), [at]))
        layer, drawn = self.found()
        # Less than nothing: it could not be told.
        away = drawn[TEXTS[0]].geometry().hausdorffDistance(moved)
        self.check("and stands where it was put", 0 <= away <= self.rounding(layer))
        self.others_stay("after changing", before)
        with urllib.request.urlopen(self.as_editor(f"{was['id']}/versions")) as answer:
            versions = json.load(answer)["versions"]
        self.check("the history has who did it", [v["change"]["actor"] for v in versions[-2:]], [self.account] * 2)

        layer.startEditing()
        layer.deleteFeature(drawn[TEXTS[0]].id())
        layer.rollBack()
        self.check("what is given up is not sent", {f["id"]: f for f in self.own(before)}, now)
        layer.startEditing()
        layer.changeAttributeValue(drawn[TEXTS[0]].id(), layer.fields().indexOf(self.key), "…")
        urllib.request.urlopen(self.as_editor(str(was["id"]), "DELETE")).close()
        self.check("what another has deleted meanwhile is not saved", layer.commitChanges(), False)
        layer.rollBack()
        self.check("and does not come back", [f["id"] for f in self.own(before)], [cleared["id"]])

    def as_editor(self, path, method="GET"):
        """A request that QGIS does not make."""
        token = {"Authorization": f"Bearer {os.environ['HROMADA_TOKEN']}"}
        return urllib.request.Request(f"{self.items}/{urllib.parse.quote(path)}", method=method, headers=token)

    def own(self, before):
        return [json.loads(line) for i, line in self.everything().items() if i not in before]

    def found(self):
        """A layer, and those of its features which were added here, by their texts."""
        layer = self.layer()
        return layer, {f[self.key]: f for f in layer.getFeatures() if f[self.key] in TEXTS}

    def others_stay(self, when, before):
        now = self.everything()
        self.check(f"{when} all others are as they were", [i for i in before if now.get(i) != before[i]], [])

    def cleared(self):
        """As QGIS deletes what is selected."""
        layer, drawn = self.found()
        layer.startEditing()
        layer.deleteFeatures([f.id() for f in drawn.values()])
        self.committed(layer, "what was added is deleted")

    def step(self, layer):
        return 0.00005 if layer.crs().isGeographic() else 5.0

    def rounding(self, layer):
        """A millimetre."""
        return 1e-8 if layer.crs().isGeographic() else 1e-3


def document(address):
    with urllib.request.urlopen(address) as answer:
        return json.load(answer)


def flat(geometry):
    positions = []

    def walk(part):
        positions.append(part) if isinstance(part[0], (int, float)) else list(map(walk, part))

    walk(geometry["coordinates"])
    return positions


def main():
    url, account = sys.argv[1:3]
    application = QgsApplication([], False)
    application.initQgis()
    print(f"QGIS {Qgis.version()}")
    # Editing over OGC API Features is there since 3.32.
    if Qgis.versionInt() < 33200:
        sys.exit("too old")
    keys = QgsApplication.authManager()
    keys.setMasterPassword("of this run", True)
    config = QgsAuthMethodConfig("Basic")
    config.setName("hromada")
    config.setConfig("username", account)
    config.setConfig("password", os.environ["HROMADA_TOKEN"])
    stored, config = keys.storeAuthenticationConfig(config)
    check("QGIS keeps the password", stored)
    for name, crs in LAYERS:
        try:
            Editing(url, account, config.id(), name, crs).run()
        except Exception as error:
            check(f"{name} in {crs or 'the CRS of storage'}: ends", f"{type(error).__name__}: {error}")
    print(f"{passed} passed, {failed} failed", flush=True)
    # Without the ends of libraries that can crash after all is said.
    os._exit(failed > 0 or passed == 0)


if __name__ == "__main__":
    main()
