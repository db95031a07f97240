"""OGC API Features part 11 (OGC 26-018, draft), class Transactions."""

from abstract import item
from documents import media
from edits import (TRANSACTIONS, TX, a_text, alike, chosen, counts, delete, everything, fresh, ids_of, insert, methods, on, on_all, refused, replace,
                   several, slack, stored, transact, update, write)
from suite import JSON, demand

CLASS = "http://www.opengis.net/spec/ogcapi-features-11/1.0/conf/transactions"


def run(api):
    api.test("/req/transactions/post-op", post_op, api)
    on_all(api, "/req/transactions/post-body[nothing]", several(api), nothing)
    for title, body in BROKEN.items():
        on_all(api, f"/req/transactions/post-body[{title}]", several(api), broken, body)
    for kind in (TX, f"{TX}; charset=utf-8", JSON):
        on_all(api, f"/req/transactions/post-content-type[{kind}]", several(api), content_type, kind)
    for kind in (None, "text/plain", "application/geo+json", "application/xml"):
        on_all(api, f"/req/transactions/post-content-type[{kind}]", several(api), no_content_type, kind)
    on_all(api, "/req/transactions/post-op[without an account]", several(api), unauthorised)
    for name in chosen(api):
        on(api, f"/req/transactions/post-response-rid[{name}]", name, new_ids)
        on(api, f"/req/transactions/post-response[{name}, insert]", name, inserts)
        on(api, f"/req/transactions/post-response[{name}, update]", name, updates)
        on(api, f"/req/transactions/post-response[{name}, replace]", name, replaces)
        on(api, f"/req/transactions/post-response[{name}, delete]", name, deletes)
    for semantic in (None, "atomic", "batch"):
        on_all(api, f"/req/transactions/post-response[several collections, {semantic}]", several(api), all_at_once, semantic)


BROKEN = {
    "no body": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "no transaction": b"{}",
    "a transaction that is an object": b'{"transaction":{}}',
    "a transaction that is null": b'{"transaction":null}',
    "an action that is a text": b'{"transaction":["insert"]}',
    "an action of no kind": b'{"transaction":[{"collection":"wards","items":[]}]}',
    "an action of another kind": b'{"transaction":[{"action":"upsert","collection":"wards","items":[]}]}',
    "no collection": b'{"transaction":[{"action":"insert","items":[]}]}',
    "no such collection": b'{"transaction":[{"action":"delete","collection":"nothing-of-this-name","filter":{"ids":["1"]}}]}',
    "a semantic nobody knows": b'{"semantic":"hopeful","transaction":[]}',
    "two documents": b'{"transaction":[]}{}',
}


def post_op(api):
    answer = write(api, "OPTIONS", TRANSACTIONS, expect=200)
    demand("POST" in methods(answer), f"Allow is {methods(answer)}")
    for method in ("GET", "PUT", "DELETE"):
        demand("POST" in methods(write(api, method, TRANSACTIONS, expect=405)), f"405 to {method} without Allow: POST")


def nothing(api):
    counts(transact(api))


def broken(api, body):
    refused(api, "POST", TRANSACTIONS, body, kind=TX)


def content_type(api, kind):
    name = several(api)[0]
    counts(transact(api, insert(name, fresh(api, name)), kind=kind), totalInserted=1)


def no_content_type(api, kind):
    name = several(api)[0]
    before = everything(api, name)
    refused(api, "POST", TRANSACTIONS, {"transaction": [insert(name, fresh(api, name))]}, (400, 415), kind=kind)
    demand(everything(api, name) == before, "refused, and something changed")


def unauthorised(api):
    name = several(api)[0]
    answer = api.ask(TRANSACTIONS, None, "POST", b'{"transaction":[]}', {"Content-Type": TX})
    demand(answer.status in (401, 403), f"without an account it answers {answer.status}")
    text = b'{"transaction":[{"action":"delete","collection":"%s","filter":{"ids":["1"]}}]}' % name.encode()
    answer = api.ask(TRANSACTIONS, None, "POST", text, {"Content-Type": TX})
    demand(answer.status in (401, 403), f"without an account it answers {answer.status}")


def new_ids(api, name):
    """Each new feature has an id that none had."""
    before = everything(api, name).keys()
    got = ids_of(api, transact(api, insert(name, fresh(api, name), fresh(api, name, 1)), insert(name, fresh(api, name, 2))))
    demand(len(got) == len(set(got)) == 3 and not set(got) & before, f"the ids are {got}")


def with_two(api, name):
    bodies = [fresh(api, name), fresh(api, name, 1, at=1)]
    return ids_of(api, transact(api, insert(name, *bodies))), bodies


def inserts(api, name):
    """200, counted, named in the order they came, and there."""
    bodies = [fresh(api, name, n, at=n) for n in range(3)]
    answer = transact(api, insert(name, *bodies))
    demand(media(answer) == JSON, f"the answer is {media(answer)}")
    counts(answer, totalInserted=3)
    for identifier, body in zip(ids_of(api, answer), bodies):
        alike(body, stored(api, name, identifier)[1], f"feature {identifier}", slack(api, name))


def updates(api, name):
    ids, bodies = with_two(api, name)
    key = a_text(api, name)
    answer = transact(api, update(name, ids, {key: "разом"}))
    counts(answer, totalUpdated=2)
    demand(ids_of(api, answer, "updateResults") == ids, "other features are named than were changed")
    for identifier, body in zip(ids, bodies):
        body["properties"][key] = "разом"
        alike(body, stored(api, name, identifier)[1], f"feature {identifier}", slack(api, name))


def replaces(api, name):
    (identifier, other), (body, untouched) = with_two(api, name)
    content = {"type": "Feature", "geometry": None, "properties": {**body["properties"], a_text(api, name): "замінено"}}
    answer = transact(api, replace(name, [identifier], content))
    counts(answer, totalReplaced=1)
    demand(ids_of(api, answer, "replaceResults") == [identifier], "another feature is named than was replaced")
    alike(content, stored(api, name, identifier)[1], "the replaced feature")
    alike(untouched, stored(api, name, other)[1], "the other", slack(api, name))


def deletes(api, name):
    ids, _ = with_two(api, name)
    answer = transact(api, delete(name, ids))
    counts(answer, totalDeleted=2)
    for identifier in ids:
        api.get(item(name, identifier), expect=(404, 410))


def all_at_once(api, semantic):
    """All kinds of actions, over several collections, in one request: each is done, counted and named."""
    names = several(api)
    first, last = names[0], names[-1]
    (a, b), (body_a, _) = with_two(api, first)
    (c, d), (_, body_d) = with_two(api, last)
    key = a_text(api, last)
    actions = [update(last, [d], {key: "всі разом"}), delete(first, [b]), replace(first, [a], {**body_a, "geometry": None}), delete(last, [c])]
    actions.insert(1, insert(names[1], fresh(api, names[1])))
    answer = transact(api, *actions, semantic=semantic)
    demand(answer.json()["semantic"] == (semantic or "atomic"), f"the semantic is {answer.json()['semantic']}")
    counts(answer, totalInserted=1, totalUpdated=1, totalReplaced=1, totalDeleted=2)
    demand(not answer.json().get("exceptions"), f"exceptions are {answer.json().get('exceptions')}")
    body_d["properties"][key] = "всі разом"
    alike(body_d, stored(api, last, d)[1], "the changed feature", slack(api, last))
    alike({**body_a, "geometry": None}, stored(api, first, a)[1], "the replaced feature")
    for name, gone in ((first, b), (last, c)):
        api.get(item(name, gone), expect=(404, 410))
