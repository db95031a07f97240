"""What the tests of parts 4 and 11 share: requests that write, features to write, and data that are afterwards as they were."""

import json
import re
from urllib.parse import urlsplit

from abstract import item
from documents import collection, media, names, positions, with_role
from suite import CRS84, GEOJSON, demand

PATCH = "application/merge-patch+json"
PROBLEM = "application/problem+json"
NDJSON = "application/x-ndjson"
# Ids that are a number and that are a text, properties of the id and none, points, lines, areas, a CRS of storage in metres: those that are there.
CHOSEN = ("hydrants", "wards", "hromadas", "settlements", "streets", "wells")
TAG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')
# What a test writes into an id of text that is new.
MARK = "conformance-"


def chosen(api):
    return [n for n in CHOSEN if n in names(api)]


def write(api, method, path, body=None, kind=GEOJSON, expect=None, **headers):
    """The answer to a request of somebody who may write, of a status that is expected."""
    sent = {"Authorization": f"Bearer {api.token}", **({"Content-Type": kind} if kind and body is not None else {})}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    text = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    answer = api.ask(path, None, method, text, sent)
    if expect is not None:
        expected = expect if isinstance(expect, tuple) else (expect,)
        wanted = " or ".join(map(str, expected)) if len(expected) < 9 else f"{min(expected)} to {max(expected)}"
        shown = (text or b"")[:200]
        demand(answer.status in expected, f"{method} {path} {shown!r} answers {answer.status}, expected {wanted}: {answer.body[:300]!r}")
    return answer


def refused(api, method, path, body=None, status=range(400, 500), **rest):
    """A clear no, with a problem document that has a text."""
    answer = write(api, method, path, body, expect=tuple(status) if isinstance(status, range) else status, **rest)
    demand(media(answer) == PROBLEM, f"{method} {path} answers {answer.status} as {media(answer)}")
    demand(answer.json().get("detail"), f"{method} {path} answers {answer.status} and does not say what is wrong")
    return answer


def items(name):
    return f"/collections/{name}/items"


def on(api, label, name, body, *arguments):
    """A test on a collection: what it made there is deleted, and all else has to be as it was."""
    api.test(label, restored, api, (name,), body, api, name, *arguments)


def restored(api, touched, body, *arguments):
    # Nobody else writes: as one test left it the next one finds it.
    before = [api.documents.get((n, "left")) or everything(api, n) for n in touched]
    try:
        value = body(*arguments)
    finally:
        after = []
        for n, then in zip(touched, before):
            now = everything(api, n)
            for identifier in now.keys() - then.keys():
                write(api, "DELETE", item(n, identifier), expect=(204, 404))
            after.append(everything(api, n) if now.keys() - then.keys() else now)
            api.documents[n, "left"] = after[-1]
    for n, then, now in zip(touched, before, after):
        changed = [i for i in then if now.get(i) != then[i]]
        demand(not changed, f"{n}: other features are not what they were: {changed[:5]}")
        demand(now.keys() == then.keys(), f"{n}: features are left: {sorted(map(str, now.keys() - then.keys()))[:5]}")
    return value


def everything(api, name):
    """All features of a collection as text, in the CRS of storage, by id."""
    found = {}
    answer = api.get(items(name), NDJSON, limit=10_000, crs=collection(api, name).get("storageCrs", CRS84))
    for line in answer.body.splitlines():
        found[identifier_of(line)] = line
    return found


def identifier_of(line):
    """The id of a feature in a line, which stands before anything that is long."""
    match = re.match(rb'\{"type":"Feature","id":("(?:[^"\\]|\\.)*"|-?\d+),', line)
    return json.loads(match[1]) if match else json.loads(line)["id"]


def stored(api, name, identifier, **parameters):
    """A feature as everybody gets it: the answer, and its type, id, geometry and properties."""
    answer = api.get(item(name, identifier), **parameters)
    found = answer.json()
    return answer, {k: found[k] for k in ("type", "id", "geometry", "properties")}


def tag(answer, what):
    """A strong entity tag."""
    found = answer.headers.get("ETag")
    demand(found and TAG.fullmatch(found), f"{what}: the ETag is {found!r}")
    return found


def id_property(api, name):
    return next(iter(with_role(api.schema(name), "id")), None)


def free_id(api, name, number=0):
    """An id that no feature has, of the kind that those of the collection are."""
    taken = everything(api, name).keys()
    if all(isinstance(i, int) for i in taken):
        return max(taken, default=0) + 1001 + number
    return next(found for found in (f"{MARK}{n}" for n in range(number, number + 1000)) if found not in taken)


def model(api, name, at=0):
    """A feature of the collection, the same for every test."""
    return api.items(name, limit=at + 1)["features"][at]


def fresh(api, name, number=0, at=0):
    """A new feature for a collection, valid by its schema: the geometry and properties of one that it has, and a new id where that is a property."""
    like = model(api, name, at)
    properties, key = dict(like["properties"]), id_property(api, name)
    if key:
        properties[key] = free_id(api, name, number)
    return {"type": "Feature", "geometry": like["geometry"], "properties": properties}


def made(api, name, number=0, at=0):
    """The id of a feature that a test may do with what it likes, and what it was made of."""
    body = fresh(api, name, number, at)
    answer = write(api, "POST", items(name), body, expect=201)
    return located(api, name, answer), body


def located(api, name, answer):
    """The id in the Location of an answer, as the server's GeoJSON has it."""
    where = answer.headers.get("Location")
    demand(where, f"{answer.url} answers {answer.status} without a Location")
    begin = urlsplit(api.root + items(name) + "/").path
    demand(urlsplit(where).path.startswith(begin) and where.startswith("http"), f"the Location is {where}")
    return api.get(where).json()["id"]


def texts(api, name):
    """Properties of text without a format, that are not the id: any text is valid for them unless the schema lists values."""
    own = id_property(api, name)
    plain = lambda p: p.get("type") == "string" and not {"format", "enum", "oneOf", "readOnly"} & p.keys()
    return [k for k, p in api.schema(name)["properties"].items() if plain(p) and k != own]


def a_text(api, name):
    return texts(api, name)[0]


def alike(sent, got, what, near=0.0):
    """The stored feature has the content that was sent; properties that were not sent have no value."""
    for key in sent["properties"].keys() | got["properties"].keys():
        a, b = sent["properties"].get(key), got["properties"].get(key)
        demand(a == b, f"{what}: {key} is {b!r}, sent was {a!r}")
    same_geometry(sent["geometry"], got["geometry"], what, near)


def same_geometry(sent, got, what, near=0.0):
    if sent is None or got is None:
        demand(sent is got, f"{what}: of the geometries one is null: {str(sent)[:80]}, {str(got)[:80]}")
        return
    demand(sent["type"] == got["type"], f"{what}: the geometry is a {got['type']}, sent was a {sent['type']}")
    a, b = list(positions(sent["coordinates"])), list(positions(got["coordinates"]))
    demand(len(a) == len(b), f"{what}: {len(b)} positions, sent were {len(a)}")
    far = next((pair for pair in zip(a, b) if any(abs(u - v) > near for u, v in zip(*pair))), None)
    demand(not far, f"{what}: {far and far[1]} for {far and far[0]}")


def slack(api, name):
    """How far a position may be from the one sent in degrees: a millimetre where degrees are not what is stored."""
    return 0.0 if collection(api, name).get("storageCrs", CRS84) == CRS84 else 1e-8


def moved(geometry, change):
    """The geometry with each position changed."""
    turn = lambda part: list(change(part)) if isinstance(part[0], (int, float)) else [turn(p) for p in part]
    return {"type": geometry["type"], "coordinates": turn(geometry["coordinates"])}


def nearby(geometry):
    """The geometry somewhat smaller about its first position, so that it stays where it was."""
    x, y = next(positions(geometry["coordinates"]))[:2]
    if geometry["type"] == "Point":
        return moved(geometry, lambda p: [round(p[0] + 1e-5, 7), round(p[1] - 1e-5, 7)])
    return moved(geometry, lambda p: [x + (p[0] - x) * 0.75, y + (p[1] - y) * 0.75])


def declared(api, *classes):
    missing = sorted(set(classes) - set(api.document("/conformance")["conformsTo"]))
    demand(not missing, f"not declared: {missing}")


def methods(answer):
    return [m.strip() for m in answer.headers.get("Allow", "").split(",") if m.strip()]


def listed(answer, header):
    return [m.split(";")[0].strip() for m in (answer.headers.get(header) or "").split(",") if m.strip()]


TX = "application/ogc-tx+json"
TRANSACTIONS = "/transactions"


def transact(api, *actions, semantic=None, expect=200, kind=TX, more=None, **headers):
    """The answer to a transaction of some actions."""
    body = {**({"semantic": semantic} if semantic else {}), **(more or {}), "transaction": list(actions)}
    return write(api, "POST", TRANSACTIONS, body, kind, expect, **headers)


def insert(name, *features):
    return {"action": "insert", "collection": name, "items": list(features)}


def update(name, ids, values=None, unset=(), how="modify"):
    pairs = [{"name": k, "value": v} for k, v in (values or {}).items()]
    properties = {**({how: pairs} if pairs else {}), **({"delete": list(unset)} if unset else {})}
    return {"action": "update", "collection": name, "filter": {"ids": list(map(str, ids))}, "properties": properties}


def replace(name, ids, feature):
    return {"action": "replace", "collection": name, "filter": {"ids": list(map(str, ids))}, "properties": {"feature": feature}}


def delete(name, ids):
    return {"action": "delete", "collection": name, "filter": {"ids": list(map(str, ids))}}


def on_all(api, label, touched, body, *arguments):
    """As `on`, of a test that writes to several collections."""
    api.test(label, restored, api, touched, body, api, *arguments)


def ids_of(api, answer, member="insertResults"):
    """The ids of features that an answer names, as the server's GeoJSON has them."""
    return [api.get(u if u.startswith("http") else api.root + u).json()["id"] for u in answer.json().get(member, [])]


COUNTED = {f"total{kind}": results for kind, results in [("Inserted", "insertResults"), ("Updated", "updateResults"), ("Replaced", "replaceResults"),
                                                         ("Deleted", "deleteResults")]}


def counts(answer, **expected):
    """The answer counts this and nothing else, and names as many."""
    document = answer.json()
    summary = {k: v for k, v in document.get("summary", {}).items() if v != 0}
    demand(summary == expected, f"the summary is {document.get('summary')}, expected {expected}")
    for total, results in COUNTED.items():
        named = len(document.get(results, []))
        demand(named == expected.get(total, 0), f"{results} has {named}, counted are {expected.get(total, 0)}")


def several(api):
    """Collections for transactions over more than one."""
    return tuple(chosen(api)[:3])
