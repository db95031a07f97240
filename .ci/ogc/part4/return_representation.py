"""OGC API Features part 4 / Common part 5 (OGC 20-002, draft), class Return Resource Representation in Response: Prefer (RFC 7240)."""

from abstract import item
from documents import media
from edits import PATCH, a_text, chosen, declared, fresh, items, located, made, on, slack, alike, stored, write
from suite import GEOJSON, JSON, demand

CLASS = "http://www.opengis.net/spec/ogcapi-common-5/1.0/conf/return-resource-representation-in-response"
METHODS = ("POST", "PUT", "PATCH")
WHOLE, SHORT = "return=representation", "return=minimal"
# As clients write it beside other preferences, which are ignored where they are not known.
WRITTEN = (WHOLE, "return = representation", 'return="representation"', f"respond-async, {WHOLE}", f"{WHOLE}; foo=bar", f"handling=lenient,{WHOLE}")


def run(api):
    api.test("/req/return-resource-representation-in-response/dependency", declared, api, CLASS.rpartition("/")[0] + "/update")
    for name in chosen(api):
        for method in METHODS:
            where = f"{name}, {method}"
            group = "/conf/return-resource-representation-in-response"
            on(api, f"{group}/prefer[{where}]", name, prefer, method)
            on(api, f"{group}/representation[{where}]", name, representation, method)
            on(api, f"{group}/minimal[{where}]", name, minimal, method, SHORT)
            on(api, f"{group}/minimal[{where}, no preference]", name, minimal, method, None)
            on(api, f"{group}/minimal[{where}, Accept]", name, minimal, method, SHORT, GEOJSON)
            for kind in (GEOJSON, JSON, "application/fg+json"):
                on(api, f"{group}/content-negotiation[{where}, {kind}]", name, negotiated, method, kind)
            on(api, f"{group}/preference-applied[{where}]", name, applied, method, WHOLE, WHOLE)
            on(api, f"{group}/preference-applied[{where}, minimal]", name, applied, method, SHORT, SHORT)
            on(api, f"{group}/preference-applied[{where}, none]", name, applied, method, None, None)
            on(api, f"{group}/preference-applied[{where}, another]", name, applied, method, "return=nothing-of-this-name", None)
            for text in WRITTEN[1:] if name == "wards" else ():
                on(api, f"{group}/preference-applied[{where}, {text}]", name, applied, method, text, WHOLE)


def send(api, name, method, preference=None, accept=None):
    """The answer to a change that is done, what was sent, and the id."""
    sent = {**({"Prefer": preference} if preference else {}), **({"Accept": accept} if accept else {})}
    if method == "POST":
        body = fresh(api, name, 3)
        answer = write(api, "POST", items(name), body, expect=201, **sent)
        return answer, body, located(api, name, answer)
    identifier, body = made(api, name, 3)
    key = a_text(api, name)
    body["properties"][key] = f"надіслано {method}"
    content, kind = ({"properties": {key: body["properties"][key]}}, PATCH) if method == "PATCH" else (body, GEOJSON)
    return write(api, method, item(name, identifier), content, kind, (200, 204), **sent), body, identifier


def prefer(api, name, method):
    """Whatever is preferred, it is done."""
    for preference in (None, WHOLE, SHORT):
        _, body, identifier = send(api, name, method, preference)
        alike(body, stored(api, name, identifier)[1], str(preference), slack(api, name))
        write(api, "DELETE", item(name, identifier), expect=(200, 204))


def representation(api, name, method):
    answer, body, identifier = send(api, name, method, WHOLE)
    demand(answer.status == (201 if method == "POST" else 200), f"{WHOLE} answers {answer.status}")
    got = answer.json()
    demand(got["id"] == identifier, f"the id in the answer is {got['id']}")
    alike(body, got, "the answer", slack(api, name))
    now, after = stored(api, name, identifier)
    demand({k: got[k] for k in after} == after, "the answer is not what GET gives")
    demand(answer.headers.get("ETag") == now.headers.get("ETag"), "the answer has another ETag than GET")
    demand(answer.headers.get("Content-Crs") == now.headers.get("Content-Crs"), "the answer has another Content-Crs than GET")


def minimal(api, name, method, preference, accept=None):
    """No feature in the answer, unless it is preferred (/req/return-resource-representation-in-response/response B)."""
    answer, _, _ = send(api, name, method, preference, accept)
    shown = media(answer) in (GEOJSON, JSON) and answer.body.strip() and answer.json().get("type") == "Feature"
    demand(not shown, f"{preference or 'no preference'}: {answer.status} with the feature")
    demand(preference is None or not answer.body, f"{preference}: {answer.status} with {answer.body[:80]!r}")


def negotiated(api, name, method, kind):
    """What GET answers to the same Accept is in the answer to the change, too."""
    answer, _, identifier = send(api, name, method, WHOLE, kind)
    expected = media(api.get(item(name, identifier), kind))
    demand(media(answer) == expected, f"with Accept: {kind} the answer is {media(answer)}, to GET it is {expected}")
    demand(answer.json()["id"] == identifier, "it is another feature")


def applied(api, name, method, preference, expected):
    answer, _, _ = send(api, name, method, preference)
    got = answer.headers.get("Preference-Applied")
    demand((got or "").replace(" ", "").replace('"', "") == (expected or ""), f"Prefer: {preference} is answered with Preference-Applied: {got}")
