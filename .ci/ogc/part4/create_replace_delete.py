"""OGC API Features part 4 / Common part 5 (OGC 20-002, draft), class Create/Replace/Delete."""

from abstract import item
from documents import media
from edits import (PATCH, a_text, alike, chosen, everything, free_id, fresh, id_property, items, listed, located, made, methods, model, nearby, on,
                   refused, slack, stored, write)
from suite import GEOJSON, JSON, demand

CLASS = "http://www.opengis.net/spec/ogcapi-common-5/1.0/conf/create-replace-delete"
# No feature of the samples has one of these: of the kinds that ids are of, and of none.
NOBODY = ("999999999", "-1", "nothing-of-this-name", "%D0%9D%D0%B5%D0%BC%D0%B0%D1%94", "1.5", "99999999999999999999", "a%2Fb")


def run(api):
    api.test("/req/create-replace-delete/methods", one_method_at_least, api)
    for name in chosen(api):
        group = "/conf/create-replace-delete"
        api.test(f"{group}/options[{name}, items]", options_of_items, api, name)
        api.test(f"{group}/options[{name}, a feature]", options_of, api, item(name, model(api, name)["id"]))
        api.test(f"{group}/options[{name}, no feature]", options_of, api, item(name, "unknown_id"))
        api.test(f"{group}/options[{name}, somebody who may only read]", options_of_nobody, api, name)
        for kind in (GEOJSON, JSON, f"{GEOJSON}; charset=utf-8", "Application/Geo+JSON"):
            on(api, f"{group}/create[{name}, {kind}]", name, create, kind)
        on(api, f"{group}/create[{name}, id]", name, create_with_id)
        on(api, f"{group}/create[{name}, id of another]", name, create_with_taken_id)
        on(api, f"{group}/create[{name}, twice]", name, create_twice)
        on(api, f"{group}/create[{name}, no geometry]", name, create_without, "geometry")
        on(api, f"{group}/create[{name}, no properties]", name, create_without, "properties")
        on(api, f"{group}/create-content-type[{name}]", name, no_content_type, "POST")
        on(api, f"{group}/create-content-type[{name}, of no feature]", name, wrong_content_type, "POST")
        on(api, f"{group}/replace[{name}]", name, replace, GEOJSON)
        on(api, f"{group}/replace[{name}, {JSON}]", name, replace, JSON)
        on(api, f"{group}/replace[{name}, left out]", name, replace_whole)
        on(api, f"{group}/replace-content-type[{name}]", name, no_content_type, "PUT")
        on(api, f"{group}/replace-content-type[{name}, of no feature]", name, wrong_content_type, "PUT")
        on(api, f"{group}/replace-rid[{name}]", name, replace_other_id)
        on(api, f"{group}/replace-rid[{name}, id of another]", name, replace_id_of_another)
        for nobody in NOBODY[:3] if name != "wards" else NOBODY:
            on(api, f"{group}/replace-exceptions[{name}, {nobody}]", name, replace_nobody, nobody, None)
        on(api, f"{group}/replace-exceptions[{name}, If-Match]", name, replace_nobody, NOBODY[0], '"xyz"')
        on(api, f"{group}/replace-exceptions[{name}, If-Match *]", name, replace_nobody, NOBODY[0], "*")
        on(api, f"{group}/delete[{name}]", name, delete)
        on(api, f"/rec/create-replace-delete/delete-no-resource[{name}]", name, delete_nobody)
        for method in ("POST", "PUT", "DELETE"):
            on(api, f"/req/create-replace-delete/options-response-C[{name}, {method} without an account]", name, unauthorised, method)
        for title, body in BROKEN.items():
            on(api, f"/req/create-replace-delete/post-body[{name}, {title}]", name, broken, body)
    api.test("/conf/create-replace-delete/create[no such collection]", refused, api, "POST", items("nothing-of-this-name"), {}, (404,))
    api.test("/conf/create-replace-delete/delete[no such collection]", refused, api, "DELETE", items("nothing-of-this-name") + "/1", None, (404,))


def one_method_at_least(api):
    """Of what is offered as editable, each resource takes one of the four."""
    for name in chosen(api):
        answer = write(api, "OPTIONS", item(name, model(api, name)["id"]), expect=200)
        demand({"PUT", "PATCH", "DELETE"} & set(methods(answer)), f"{name}: Allow is {methods(answer)}")


def options_of_items(api, name):
    answer = write(api, "OPTIONS", items(name), expect=200)
    demand({"GET", "HEAD", "POST", "OPTIONS"} <= set(methods(answer)), f"Allow is {methods(answer)}")
    demand(not {"PUT", "PATCH", "DELETE"} & set(methods(answer)), f"Allow is {methods(answer)}, and the collection is not one to delete")
    demand(GEOJSON in listed(answer, "Accept-Post"), f"Accept-Post is {listed(answer, 'Accept-Post')}")


def options_of(api, path):
    """What a feature takes is told where there is none, too: clients ask so of an empty collection."""
    answer = write(api, "OPTIONS", path, expect=200)
    demand({"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"} == set(methods(answer)), f"Allow is {methods(answer)}")


def options_of_nobody(api, name):
    """Allow is of the context of the request: who may only read is told so."""
    for path in (items(name), item(name, model(api, name)["id"])):
        answer = api.ask(path, method="OPTIONS")
        demand(answer.status == 200, f"{path} answers {answer.status}")
        demand({"GET", "HEAD", "OPTIONS"} == set(methods(answer)), f"{path}: Allow is {methods(answer)}")
        demand(not listed(answer, "Accept-Post") and not listed(answer, "Accept-Patch"), f"{path} says what it takes of those who may not write")


def create(api, name, kind):
    before, body = everything(api, name).keys(), fresh(api, name)
    answer = write(api, "POST", items(name), body, kind, expect=201)
    identifier = located(api, name, answer)
    demand(identifier not in before, f"{identifier} was there before")
    _, got = stored(api, name, identifier)
    demand(got["id"] == identifier and got["type"] == "Feature", f"at the Location is {got['id']!r}")
    alike(body, got, "the new feature", slack(api, name))
    demand(identifier in everything(api, name), "the new feature is not among those of the collection")


def create_with_id(api, name):
    """An id may be taken or another given (Permission /per/create-replace-delete/rid); the Location says which."""
    before, wanted, body = everything(api, name).keys(), free_id(api, name, 7), fresh(api, name)
    key = id_property(api, name)
    if key:
        del body["properties"][key]
    answer = write(api, "POST", items(name), {"id": wanted, **body})
    if 400 <= answer.status < 500:
        demand(everything(api, name).keys() == before, f"{answer.status}, and a feature came")
        return
    demand(answer.status == 201, f"a feature with an id answers {answer.status}")
    identifier = located(api, name, answer)
    demand(identifier not in before, f"{identifier} was there before")
    _, got = stored(api, name, identifier)
    if key:
        demand(identifier == wanted == got["properties"][key], f"{key} is the id; sent was {wanted!r}, it is {identifier!r}")
        body["properties"][key] = wanted
    alike(body, got, "the new feature", slack(api, name))


def create_with_taken_id(api, name):
    """The id of a feature that is there is no id of a new one: it is refused, or another is given."""
    before, body, key = everything(api, name), fresh(api, name), id_property(api, name)
    taken = model(api, name)["id"]
    if key:
        body["properties"][key] = taken
    answer = write(api, "POST", items(name), {"id": taken, **body}, expect=(201, 409, 422) if not key else (409, 422))
    if answer.status == 201:
        demand(located(api, name, answer) not in before, "the Location is of a feature that was there")


def create_twice(api, name):
    """POST is not idempotent: two requests are two features, where the content allows it."""
    first, _ = made(api, name)
    second, body = made(api, name, 1)
    demand(first != second, f"both have the id {first}")
    alike(body, stored(api, name, second)[1], "the second feature", slack(api, name))


def create_without(api, name, member):
    """A feature may have no geometry, or no properties (RFC 7946 §3.2), where its id does not stand in one."""
    body = {**fresh(api, name), member: None}
    if member == "properties" and id_property(api, name):
        refuse = write(api, "POST", items(name), body, expect=(201, 400, 409, 422))
        if refuse.status != 201:
            return
    answer = write(api, "POST", items(name), body, expect=201)
    _, got = stored(api, name, located(api, name, answer))
    if member == "geometry":
        demand(got["geometry"] is None, f"the geometry is {str(got['geometry'])[:100]}")
    else:
        own = id_property(api, name)
        values = {k: v for k, v in got["properties"].items() if v is not None and k != own}
        demand(not values, f"properties nobody sent are {values}")
    alike({**body, "properties": body["properties"] or got["properties"]}, got, "the new feature", slack(api, name))


def no_content_type(api, name, method):
    """400, by /req/create-replace-delete/post-content-type and put-content-type."""
    identifier, body = made(api, name) if method == "PUT" else (None, fresh(api, name))
    before = everything(api, name)
    path = items(name) if method == "POST" else item(name, identifier)
    content = {**body, "properties": {**body["properties"], a_text(api, name): "without a type"}}
    answer = write(api, method, path, content, kind=None)
    demand(answer.status in range(400, 500), f"{method} without Content-Type answers {answer.status}")
    demand(everything(api, name) == before, f"{answer.status}, and something changed")
    demand(answer.status == 400, f"{method} without Content-Type answers {answer.status}")


def wrong_content_type(api, name, method):
    identifier, body = made(api, name) if method == "PUT" else (None, fresh(api, name))
    path = items(name) if method == "POST" else item(name, identifier)
    before = everything(api, name)
    for kind in ("text/plain", "application/xml", "application/gml+xml", PATCH, "image/png", "nonsense"):
        refused(api, method, path, {**body, "geometry": None}, (415,), kind=kind)
    demand(everything(api, name) == before, "refused, and something changed")


def replace(api, name, kind):
    identifier, body = made(api, name)
    content = {"type": "Feature", "geometry": nearby(body["geometry"]), "properties": {**body["properties"], a_text(api, name): "замінено"}}
    write(api, "PUT", item(name, identifier), content, kind, expect=(200, 204))
    answer, got = stored(api, name, identifier)
    demand(media(answer) == GEOJSON and got["id"] == identifier, f"it is {got['id']!r}")
    alike(content, got, "the replaced feature", slack(api, name))


def replace_whole(api, name):
    """PUT is of the whole feature: what the body has not, the feature has no longer."""
    identifier, body = made(api, name)
    key = id_property(api, name)
    kept = {key: body["properties"][key]} if key else {}
    write(api, "PUT", item(name, identifier), {"type": "Feature", "geometry": None, "properties": kept}, expect=(200, 204))
    alike({"geometry": None, "properties": kept}, stored(api, name, identifier)[1], "the feature of nothing but its id")


def replace_other_id(api, name):
    """The id of the body is ignored, or the request refused; the feature keeps its id, and none comes at the other."""
    identifier, body = made(api, name)
    other = free_id(api, name, 5)
    content = {**body, "id": other, "properties": {**body["properties"], a_text(api, name): "з іншим id"}}
    before = everything(api, name)
    answer = write(api, "PUT", item(name, identifier), content)
    if answer.status in range(400, 500):
        demand(everything(api, name) == before, f"{answer.status}, and something changed")
        return
    demand(answer.status in (200, 204), f"PUT with another id answers {answer.status}")
    _, got = stored(api, name, identifier)
    demand(got["id"] == identifier, f"the feature at {identifier} has the id {got['id']}")
    alike(content, got, "the replaced feature", slack(api, name))
    api.get(item(name, other), expect=404)


def replace_id_of_another(api, name):
    """As above, with the id of a feature that is there: that one stays what it was (the wrapper of the test sees to it)."""
    identifier, body = made(api, name)
    write(api, "PUT", item(name, identifier), {**body, "id": model(api, name)["id"], "geometry": None}, expect=(200, 204, 400, 409, 422))
    demand(stored(api, name, identifier)[1]["id"] == identifier, "the feature has another id")


def replace_nobody(api, name, nobody, condition):
    """404, for no feature is made by PUT; with If-Match the ATS says 404 still, the requirement and RFC 9110 §13.1.1 say 412."""
    body = fresh(api, name)
    sent = {"If_Match": condition} if condition else {}
    refused(api, "PUT", f"{items(name)}/{nobody}", body, (404, 412) if condition else (404,), **sent)
    api.get(f"{items(name)}/{nobody}", expect=404)


def delete(api, name):
    identifier, _ = made(api, name)
    write(api, "DELETE", item(name, identifier), expect=(200, 204))
    api.get(item(name, identifier), expect=(404, 410))
    demand(identifier not in everything(api, name), "it is deleted, and still among those of the collection")
    refused(api, "DELETE", item(name, identifier), None, (404, 410))


def delete_nobody(api, name):
    for nobody in NOBODY:
        refused(api, "DELETE", f"{items(name)}/{nobody}", None, (404,))


def unauthorised(api, name, method):
    """Who may only read changes nothing: 401 (with a challenge) or 403."""
    identifier, body = made(api, name)
    before = everything(api, name)
    path = items(name) if method == "POST" else item(name, identifier)
    text = None if method == "DELETE" else b'{"type":"Feature","geometry":null,"properties":{}}'
    answer = api.ask(path, None, method, text, {"Content-Type": GEOJSON} if text else {})
    demand(answer.status in (401, 403, 405), f"{method} without an account answers {answer.status}")
    demand(answer.status != 401 or answer.headers.get("WWW-Authenticate"), "401 without WWW-Authenticate")
    demand(everything(api, name) == before, f"{answer.status}, and something changed")


# What is no representation of a feature.
BROKEN = {
    "nothing": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "null": b"null",
    "no type": b'{"geometry":null,"properties":{}}',
    "another type": b'{"type":"Fixture","geometry":null,"properties":{}}',
    "a geometry of no type": b'{"type":"Feature","geometry":{"type":"Dot","coordinates":[1,2]},"properties":{}}',
    "a geometry of one number": b'{"type":"Feature","geometry":{"type":"Point","coordinates":[1]},"properties":{}}',
    "texts for numbers": b'{"type":"Feature","geometry":{"type":"Point","coordinates":["1","2"]},"properties":{}}',
    "properties that are a list": b'{"type":"Feature","geometry":null,"properties":[]}',
    "a member twice": b'{"type":"Feature","geometry":null,"properties":{},"properties":{"x":1}}',
    "two documents": b'{"type":"Feature","geometry":null,"properties":{}}{}',
    "no UTF-8": b'{"type":"Feature","geometry":null,"properties":{"\xff":1}}',
}


def broken(api, name, body):
    """4xx and no feature, for POST and for PUT."""
    identifier, _ = made(api, name)
    before = everything(api, name)
    refused(api, "POST", items(name), body)
    refused(api, "PUT", item(name, identifier), body)
    demand(everything(api, name) == before, "refused, and something changed")
