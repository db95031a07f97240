"""OGC API Features, part 1, class OpenAPI 3.0 (OGC 17-069r4 §9, annex A.7): the definition against what the server does."""

import json
import re
from urllib.parse import urlencode

from documents import JSON, items_path, media, names, parameters, representatives, resolve, valid_schema
from suite import CRS84, GEOJSON, OPENAPI, Failed, demand, links_of

CLASS = "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30"
METHODS = ("get", "put", "post", "delete", "patch", "head", "options")


def run(api):
    api.test("/conf/oas30/oas-definition-1[type]", api_type, api)
    api.test("/conf/oas30/oas-definition-2[references]", references, api)
    api.test("/conf/oas30/oas-definition-2[operation identifiers]", identifiers, api)
    api.test("/conf/oas30/completeness[resources]", resources, api)
    api.test("/conf/oas30/security[operations]", security, api)
    for group, paths in groups(api).items():
        api.test(f"/conf/oas30/oas-definition-2[{group}]", each, paths, well_formed, api)
        api.test(f"/conf/oas30/oas-impl[{group}]", each, [p for p in paths if can_be_asked(api, p)], works, api)
    for name in names(api):
        paths = [f"/collections/{name}", items_path(name), f"{items_path(name)}/{{featureId}}"]
        api.test(f"/conf/oas30/completeness[{name}]", each, paths, complete, api)
        api.test(f"/conf/oas30/exceptions-codes[{name}]", each, paths, exceptions, api)
    for name in representatives(api):
        described = {n: p for (n, place), p in parameters(api, items_path(name)).items() if place == "query"}
        own = set(api.schema(name)["properties"])
        for case, some_of in (("parameters", set(described) - own), ("properties as parameters", own & set(described))):
            api.test(f"/conf/oas30/oas-impl[{name}, {case}]", each, sorted(some_of), accepted, api, name, described)


def groups(api):
    """Paths of the definition: those of each collection, their tiles, and of the server."""
    found = {}
    for path in api.openapi["paths"]:
        parts = path.split("/")
        group = "the server" if len(parts) < 3 or parts[1] != "collections" else f"{parts[2]}, tiles" if "tiles" in parts else parts[2]
        found.setdefault(group, []).append(path)
    return found


def can_be_asked(api, path):
    return "get" in api.openapi["paths"][path] and ("{styleId}" not in path or api.document("/styles")["styles"])


def each(cases, body, api, *arguments):
    """One test of several cases; says which fail."""
    found = []
    for case in cases:
        try:
            body(api, *arguments, case)
        except Failed as reason:
            found.append(f"{case}: {reason}")
    demand(not found, f"{len(found)} of {len(cases)}: " + "; ".join(found[:5]))


def api_type(api):
    """The definition comes as the type of OpenAPI 3.0, at the address of each link service-desc."""
    for l in (l for l in links_of(api.document("/"), "/") if l["rel"] == "service-desc"):
        answer = api.get(l["href"], OPENAPI)
        demand(answer.headers["Content-Type"].replace(" ", "") == OPENAPI, f"{l['href']} is {answer.headers['Content-Type']}")
        demand(answer.json()["openapi"].startswith("3.0."), f"openapi is {answer.json()['openapi']}")


def resources(api):
    """All resources of the core, and each collection with its features, are in the definition, with the operation GET."""
    wanted = ["/", "/conformance", "/collections"]
    for name in names(api):
        wanted += [f"/collections/{name}", items_path(name), f"{items_path(name)}/{{featureId}}"]
    missing = [p for p in wanted if "get" not in api.openapi["paths"].get(p, {})]
    demand(not missing, f"the definition lacks {missing}")


def every_reference(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value
        for part in value.values():
            yield from every_reference(part)
    elif isinstance(value, list):
        for part in value:
            yield from every_reference(part)


def references(api):
    """Every reference leads to something in the document."""
    for found in every_reference(api.openapi):
        demand(resolve(api.openapi, found) is not None, f"{found['$ref']} is nowhere")


def identifiers(api):
    found = [i[m]["operationId"] for i in api.openapi["paths"].values() for m in METHODS if m in i and "operationId" in i[m]]
    twice = {i for i in found if found.count(i) > 1}
    demand(not twice, f"operationId that stands twice: {sorted(twice)}")


def well_formed(api, path):
    """Parts of the path are parameters that are required; each parameter comes once and has one schema; each answer is described."""
    described = api.openapi["paths"][path]
    for method in (m for m in METHODS if m in described):
        operation = described[method]
        found = [resolve(api.openapi, p) for p in described.get("parameters", []) + operation.get("parameters", [])]
        keys = [(p["name"], p["in"]) for p in found]
        demand(len(keys) == len(set(keys)), f"{method}: a parameter comes twice: {sorted(k for k in keys if keys.count(k) > 1)}")
        parts = set(re.findall(r"{([^}]+)}", path))
        demand(parts == {n for n, place in keys if place == "path"}, f"{method}: parameters in the path are {sorted(keys)}")
        for p in found:
            demand(p["in"] != "path" or p.get("required") is True, f"{method}: {p['name']} is not required")
            demand(("schema" in p) != ("content" in p), f"{method}: {p['name']} has no schema")
            schema = resolve(api.openapi, p.get("schema", {}))
            own = ("nullable", "example", "discriminator", "externalDocs", "xml")
            odd = [k for k in valid_schema(schema) if not k.startswith("x-") and k not in own]
            demand(not odd, f"{method}: {p['name']} has the keywords {odd}")
            beyond = {"const", "if", "prefixItems", "examples", "$id", "$defs"} & set(schema)
            demand(not beyond, f"{method}: {p['name']} has {sorted(beyond)}, which OpenAPI 3.0 has not")
            demand(not isinstance(schema.get("type"), list), f"{method}: {p['name']} has several types, which OpenAPI 3.0 has not")
        for status, answer in operation["responses"].items():
            demand(re.fullmatch(r"default|[1-5](\d\d|XX)", str(status)), f"{method}: a response {status}")
            demand(resolve(api.openapi, answer).get("description"), f"{method}: the response {status} has no description")


def example(api, path):
    """A path with its parameters filled."""
    filled = path
    if "{featureId}" in path:
        name = path.split("/")[2]
        filled = filled.replace("{featureId}", str(api.items(name, limit=1)["features"][0]["id"]))
    if "{file}" in path:
        filled = filled.replace("{file}", path.split("/")[2] + ".csv")
    if "{styleId}" in path:
        filled = filled.replace("{styleId}", next((s["id"] for s in api.document("/styles")["styles"]), "light"))
    filled = filled.replace("{collectionList}", representatives(api)[0])
    return re.sub(r"{(tileMatrix|tileRow|tileCol|z|x|y)}", "0", filled)


NEEDED = {"/search": {"q": "a"}}


def works(api, path):
    """The operation is there, and answers with a status and a type that are described."""
    if "{file}" in path and path.split("/")[2] != representatives(api)[0]:
        return
    operation = api.openapi["paths"][path]["get"]
    query = NEEDED.get(path, {})
    answer = api.ask(example(api, path) + ("?" + urlencode(query) if query else ""), "*/*")
    outside = 404 if {"{tileMatrix}", "{z}"} & set(path.split("/")) else 200
    demand(answer.status in (200, 204, outside), f"GET answers {answer.status}")
    is_described(api, operation, answer, exact=answer.status < 300)


def is_described(api, operation, answer, exact=False):
    responses = operation["responses"]
    key = str(answer.status)
    found = responses.get(key) or responses.get(f"{key[0]}XX") or (None if exact else responses.get("default"))
    demand(found, f"{answer.url} answers {key}, the definition has {sorted(responses)}")
    content = resolve(api.openapi, found).get("content", {})
    kinds = {k.partition(";")[0] for k in content}
    demand(not answer.body or media(answer) in kinds, f"{answer.url} is {media(answer)}, the definition has {sorted(kinds)}")


def complete(api, path):
    """All encodings that are described can be had, and no other is."""
    operation = api.openapi["paths"][path]["get"]
    target = example(api, path) + ("?limit=1" if path.endswith("/items") else "")
    for kind in operation["responses"]["200"]["content"]:
        answer = api.get(target, kind)
        demand(media(answer) == kind.partition(";")[0], f"{target} with Accept {kind} is {media(answer)}")
    document = api.get(target, GEOJSON if "/items" in path else JSON).json()
    offered = {l["type"].partition(";")[0] for l in document["links"] if l["rel"] in ("self", "alternate")}
    demand(offered <= {k.partition(";")[0] for k in operation["responses"]["200"]["content"]}, f"links offer {sorted(offered)}")


def exceptions(api, path):
    """Each mistake has an answer that is described, of the type that is described."""
    operation = api.openapi["paths"][path]["get"]
    target = example(api, path)
    mistakes = [(f"{target}?nonsense=1", JSON, 400), (target, "image/gif", 406), (f"{target}?f=nonsense", JSON, 400)]
    if "{featureId}" in path:
        mistakes += [(path.replace("{featureId}", "no-such-feature"), GEOJSON, 404)]
    for url, accept, status in mistakes:
        answer = api.get(url, accept, status)
        is_described(api, operation, answer)


def security(api):
    """An operation that asks for a right says by which scheme (§9.5)."""
    document = api.openapi
    schemes = document.get("components", {}).get("securitySchemes", {})
    for path, described in document["paths"].items():
        for method in (m for m in METHODS if m in described and m != "get"):
            answer = api.ask(example(api, path), method=method.upper(), body=json.dumps({}), headers={"Content-Type": "application/x-no-such-type"})
            if answer.status in (401, 403):
                asked = described[method].get("security", document.get("security"))
                demand(asked and all(n in schemes for s in asked for n in s), f"{method.upper()} {path} answers {answer.status} and names no scheme")


SAMPLES = {
    "limit": "1", "bbox": "0,0,1,1", "datetime": "2020-01-01T00:00:00Z", "crs": CRS84, "offset": "1", "f": "json",
    "bbox-crs": CRS84, "filter-crs": CRS84, "filter-lang": "cql2-text",
    "filter": "1=1", "q": "a", "skipGeometry": "true", "precision": "3", "zoom-level": "8.5", "lang": "en",
}
WITH = {"bbox-crs": {"bbox": "0,0,1,1"}, "filter-crs": {"filter": "1=1"}, "filter-lang": {"filter": "1=1"}}


def accepted(api, name, described, parameter):
    """A parameter that is described is one that the server knows, with a value of its schema; one that is not of it is refused."""
    schema = resolve(api.openapi, described[parameter]["schema"])
    if parameter == "cursor":
        return
    column = api.schema(name)["properties"].get(parameter, {})
    value = SAMPLES.get(parameter)
    if parameter in ("sortby", "properties", "exclude-properties"):
        value = next((n for n, p in api.schema(name)["properties"].items() if "type" in p), None)
    elif column and parameter not in SAMPLES:
        value = str(next((f["properties"][parameter] for f in api.every(name) if f["properties"].get(parameter) is not None), "")).replace(",", "")
        value = value.lower() if column["type"] == "boolean" else value
    if value:
        api.get(f"{items_path(name)}?{urlencode({parameter: value, **WITH.get(parameter, {}), **({} if parameter == 'limit' else {'limit': 1})})}")
    if schema.get("type") in ("integer", "number", "boolean") or "enum" in schema:
        answer = api.get(f"{items_path(name)}?{urlencode({parameter: 'nonsense', **WITH.get(parameter, {})})}", GEOJSON, 400)
        demand(media(answer) == "application/problem+json", f"{parameter}=nonsense is {media(answer)}")
