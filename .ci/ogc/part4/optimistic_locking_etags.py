"""OGC API Features part 4 / Common part 5 (OGC 20-002, draft), class Optimistic Locking using ETags."""

from abstract import item
from edits import PATCH, a_text, chosen, declared, everything, made, model, on, refused, stored, tag, write
from suite import GEOJSON, demand

CLASS = "http://www.opengis.net/spec/ogcapi-common-5/1.0/conf/optimistic-locking-etags"
METHODS = ("PUT", "PATCH", "DELETE")
GROUP = {"PUT": "replace", "PATCH": "update", "DELETE": "delete"}
# Tags of no state: another, a weak one, one that is none, a list.
OTHERS = ('"0"', 'W/"0"', '"xyz", "0"', '""')


def run(api):
    api.test("/req/optimistic-locking-etags/dependency", declared, api, "http://www.opengis.net/spec/ogcapi-common-5/1.0/conf/update")
    for name in chosen(api):
        api.test(f"/conf/optimistic-locking-etags/get-etag[{name}]", get_etag, api, name)
        on(api, f"/conf/optimistic-locking-etags/get-etag[{name}, of the state]", name, of_the_state)
        for method in METHODS:
            label = f"/conf/optimistic-locking-etags/{GROUP[method]}[{name}"
            for other in OTHERS:
                on(api, f"{label}, {other}]", name, fails, method, other)
            on(api, f"{label}, the state before]", name, overtaken, method)
            on(api, f"{label}, the tag weak]", name, weak, method)
            on(api, f"{label}, the tag]", name, succeeds, method, "{}")
            on(api, f"{label}, the tag in a list]", name, succeeds, method, '"0", {} , "xyz"')
            on(api, f"{label}, any]", name, succeeds, method, "*")
            on(api, f"{label}, none]", name, unconditional, method)
            on(api, f"/req/optimistic-locking-etags/ifmatch-{method.lower()}-eval[{name}, no feature]", name, nobody, method)
            on(api, f"/req/optimistic-locking-etags/ifmatch-{method.lower()}-eval[{name}, If-None-Match]", name, none_match, method)


def change(api, name, body, method, value="зі станом"):
    """The body and media type of a change by a method."""
    if method == "DELETE":
        return None, None
    key = a_text(api, name)
    if method == "PATCH":
        return {"properties": {key: value}}, PATCH
    return {**body, "properties": {**body["properties"], key: value}}, GEOJSON


def send(api, name, identifier, body, method, expect=None, value="зі станом", **headers):
    content, kind = change(api, name, body, method, value)
    return write(api, method, item(name, identifier), content, kind, expect, **headers)


def get_etag(api, name):
    """Each feature has a strong tag, the same as often as it is asked for, and a list has one too or none."""
    for feature in api.items(name, limit=3)["features"]:
        first, second = (tag(api.get(item(name, feature["id"])), f"feature {feature['id']}") for _ in range(2))
        demand(first == second, f"feature {feature['id']} has {first}, then {second}")
        again = api.ask(item(name, feature["id"]), GEOJSON, headers={"If-None-Match": first})
        demand(again.status == 304, f"with If-None-Match it answers {again.status}")
        demand(tag(again, "304") == first, "304 has another tag")
        head = api.ask(item(name, feature["id"]), GEOJSON, "HEAD")
        demand(tag(head, "HEAD") == first, "HEAD has another tag")


def of_the_state(api, name):
    """Another state has another tag, and what others change does not touch it."""
    identifier, body = made(api, name)
    first = tag(stored(api, name, identifier)[0], "the new feature")
    made(api, name, 1)
    demand(tag(stored(api, name, identifier)[0], "it") == first, "another feature came, and the tag is another")
    seen = {first}
    for value in ("раз", "два", "три"):
        answer = send(api, name, identifier, body, "PATCH", (200, 204), value)
        now = tag(answer, "the answer to PATCH")
        demand(now not in seen, "another state has a tag that was there before")
        demand(tag(stored(api, name, identifier)[0], "GET") == now, "GET has another tag than the answer to the change")
        seen.add(now)


def fails(api, name, method, other):
    """412, the feature is what it was, and the answer names the tag that it has."""
    identifier, body = made(api, name)
    before, own = everything(api, name), tag(stored(api, name, identifier)[0], "it")
    content, kind = change(api, name, body, method)
    refused(api, method, item(name, identifier), content, (412,), kind=kind, If_Match=other)
    demand(everything(api, name) == before, "412, and something changed")
    demand(tag(stored(api, name, identifier)[0], "it") == own, "412, and the tag changed")


def overtaken(api, name, method):
    """Somebody else was faster: the tag that was right before no longer is."""
    identifier, body = made(api, name)
    own = tag(stored(api, name, identifier)[0], "it")
    send(api, name, identifier, body, "PATCH", (200, 204), "хтось інший", If_Match=own)
    content, kind = change(api, name, body, method)
    answer = refused(api, method, item(name, identifier), content, (412,), kind=kind, If_Match=own)
    got, now = stored(api, name, identifier)
    demand(now["properties"][a_text(api, name)] == "хтось інший", "the change of the faster is lost")
    demand(answer.headers.get("ETag") in (None, tag(got, "it")), "412 names another tag than the feature has")


def weak(api, name, method):
    """If-Match compares strongly (RFC 9110 §13.1.1): a weak tag is equal to none."""
    identifier, body = made(api, name)
    own = tag(stored(api, name, identifier)[0], "it")
    send(api, name, identifier, body, method, 412, If_Match=f"W/{own}")


def succeeds(api, name, method, condition):
    identifier, body = made(api, name)
    own = tag(stored(api, name, identifier)[0], "it")
    answer = send(api, name, identifier, body, method, (200, 204), If_Match=condition.replace("{}", own))
    if method == "DELETE":
        api.get(item(name, identifier), expect=404)
        return
    now, got = stored(api, name, identifier)
    demand(got["properties"][a_text(api, name)] == "зі станом", "the change was not done")
    demand(tag(answer, f"the answer to {method}") != own, "the state is another, and the tag is not")
    demand(tag(answer, f"the answer to {method}") == tag(now, "GET"), "GET has another tag than the answer to the change")


def unconditional(api, name, method):
    """Without If-Match: 428, 409, or done."""
    identifier, body = made(api, name)
    answer = send(api, name, identifier, body, method)
    demand(answer.status in (200, 204, 409, 428), f"without If-Match it answers {answer.status}")
    if answer.status in (200, 204) and method != "DELETE":
        tag(answer, f"the answer to {method}")


def nobody(api, name, method):
    """No feature has no state that matches: 412, or 404 as without the condition (RFC 9110 §13.2.1), and none is made."""
    before, like = everything(api, name), model(api, name)
    nowhere = "999999999"
    for condition in ('"0"', "*"):
        content, kind = change(api, name, {k: like[k] for k in ("type", "geometry", "properties")}, method)
        refused(api, method, item(name, nowhere), content, (404, 412), kind=kind, If_Match=condition)
    demand(everything(api, name) == before, "refused, and something changed")


def none_match(api, name, method):
    """If-None-Match of the tag, or of any, is false for what is there (RFC 9110 §13.1.2)."""
    identifier, body = made(api, name)
    own = tag(stored(api, name, identifier)[0], "it")
    for condition in (own, "*"):
        send(api, name, identifier, body, method, 412, If_None_Match=condition)
    send(api, name, identifier, body, method, (200, 204), If_None_Match='"0"')
