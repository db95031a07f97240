"""OGC API Features, part 1, as ets-ogcapi-features10 tests it; part 2 is in crs.py."""

import json
import subprocess
import tempfile
from datetime import datetime
from urllib.parse import quote, urljoin, urlsplit

from crs import crs_of
from places import box_of, in_degrees, inside, span_of, spans
from suite import CRS84, CRS84H, GEOJSON, JSON, OPENAPI, Failed, Skipped, Suite, demand, get, link, links_of, with_query

# Media types that a declared class of part 1 promises: of features, of everything else.
ENCODINGS = {"html": ("text/html", "text/html"), "geojson": (GEOJSON, JSON)}
# The suite looks no further than this.
MOST_COLLECTIONS, MOST_PAGES, MOST_MATCHED = 20, 5, 10_000


class Features(Suite):
    def __init__(self, root, openapi):
        super().__init__()
        self.root = root.rstrip("/")
        self.validator = openapi
        self.api = self.classes = None
        self.collections = []

    def run(self):
        self.test("GeneralHttp.http", self.http)
        self.test("LandingPage.landingPageRetrieval", lambda: get(self.root + "/").json())
        self.test("LandingPage.landingPageValidation", self.landing_page)
        self.test("ApiDefinition.openapiDocumentRetrieval", self.fetch_api)
        self.test("ApiDefinition.apiDefinitionValidation", self.validate_api)
        self.test("Conformance.validateConformanceOperationAndResponse", self.conformance)
        self.feature_collections()
        for collection in self.collections:
            self.one_collection(collection)
        if not self.collections:
            self.test("Feature.featureOperation", lambda: demand(False, "there is no collection to test"))
        crs = "http://www.opengis.net/spec/ogcapi-features-2/1.0/conf/crs"
        if self.classes and crs in self.classes:
            for collection in self.collections:
                crs_of(self, collection)
        else:
            self.test("CrsRequirementClassPrecondition.crsConformance", self.skip, "part 2 is not declared")

    def skip(self, reason):
        raise Skipped(reason)

    def http(self):
        demand(get(self.root + "/", "*/*").version == 11, "the server does not speak HTTP/1.1")

    def landing_page(self):
        rels = {l.get("rel") for l in links_of(get(self.root + "/").json(), "the landing page")}
        demand({"service-desc", "service-doc"} & rels and {"conformance", "data"} <= rels, f"the landing page has links {sorted(map(str, rels))}")

    def fetch_api(self):
        for l in links_of(get(self.root + "/").json(), "the landing page"):
            if l.get("rel") == "service-desc" and l.get("type", "").replace(" ", "") == OPENAPI:
                self.api_text = get(urljoin(self.root + "/", l["href"]), OPENAPI).body
                self.api = json.loads(self.api_text)
                return
        raise Failed(f"no link service-desc of type {OPENAPI}")

    def validate_api(self):
        demand(self.api is not None, "there is no API definition")
        demand(str(self.api.get("openapi", "")).startswith("3.0"), f"openapi is {self.api.get('openapi')!r}")
        demand(isinstance(self.api.get("paths"), dict), "the API definition has no paths")
        if not self.validator:
            raise Skipped("no OpenAPI validator")
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            file.write(self.api_text)
            file.flush()
            done = subprocess.run([*self.validator.split(), file.name], capture_output=True, text=True)
        demand(done.returncode == 0, (done.stdout + done.stderr).strip()[:4000])

    def path(self, path):
        """A path of the API definition, which the suite finds others by."""
        demand(self.api is not None, "there is no API definition")
        item = self.api.get("paths", {}).get(path)
        demand(item is not None, f"the API definition has no path {path}")
        return item

    def server(self):
        servers = (self.api or {}).get("servers") or [{"url": "/"}]
        return urljoin(self.root + "/", servers[0]["url"]).rstrip("/")

    def parameter(self, path, name):
        item = self.path(path)
        for parameter in item.get("parameters", []) + item.get("get", {}).get("parameters", []):
            reference = parameter.get("$ref")
            if reference:
                demand(reference.startswith("#/"), f"{reference} is in another document")
                parameter = self.api
                for key in reference[2:].split("/"):
                    parameter = parameter[key]
            if parameter.get("name") == name:
                return parameter
        return None

    def conformance(self):
        self.path("/conformance")
        declared = get(self.server() + "/conformance").json().get("conformsTo")
        demand(isinstance(declared, list) and all(isinstance(c, str) for c in declared), "conformsTo is not a list of strings")
        core = "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core"
        demand(core in declared, f"{core} is not declared")
        self.classes = declared

    def media_types(self, index):
        if self.classes is None:
            raise Skipped("the conformance declaration could not be read")
        names = (c.rpartition("/")[2] for c in self.classes if c.startswith("http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/"))
        return [ENCODINGS[n][index] for n in names if n in ENCODINGS]

    def self_and_alternates(self, document, where, index):
        """/req/core/fc-md-links, fc-links, f-links: self, and alternate for every other encoding declared; both with type."""
        links = links_of(document, where)
        own = link(links, "self")
        demand(own is not None, f"{where} has no link self")
        for l in links:
            demand(l.get("rel") not in ("self", "alternate", "collection") or l.get("type"), f"{where}: a link without type: {l}")
        wanted = [m for m in self.media_types(index) if m != own.get("type")]
        missing = [m for m in wanted if link(links, "alternate", m) is None]
        demand(not missing, f"{where} has no link alternate of {missing}; self is {own.get('type')}")
        return links

    def feature_collections(self):
        prefix = "FeatureCollections.validateFeatureCollectionsMetadataOperation"

        def operation():
            self.path("/collections")
            return get(self.server() + "/collections").json()

        document = self.test(prefix, operation)

        def document_or_skip():
            if document is None:
                raise Skipped("/collections could not be read")
            return document

        self.test(prefix + "Response_Links", lambda: self.self_and_alternates(document_or_skip(), "/collections", 1))

        def items():
            for collection in document_or_skip().get("collections", []):
                feature = (collection.get("itemType") or "feature").lower() == "feature"
                if collection.get("id") and feature and link(collection.get("links", []), "items") and len(self.collections) < MOST_COLLECTIONS:
                    self.collections.append(collection)

        self.test(prefix + "Response_Items", items)

        def crs_property():
            crs = document_or_skip().get("crs")
            demand(crs is None or crs[0] in (CRS84, CRS84H), f"the first crs is {crs and crs[0]}")

        self.test(prefix + "Response_CrsProperty", crs_property)
        self.test(prefix + "Response_Content", lambda: demand(links_of(document_or_skip(), "/collections") and document["collections"], "no collections"))

        def items_v101():
            for collection in document_or_skip()["collections"]:
                demand(isinstance(collection["id"], str) and collection["id"], f"id {collection['id']!r}")
                box_of(collection)
                span_of(collection)
                found = [l for l in collection["links"] if l.get("rel") == "items"]
                demand(found, f"{collection['id']} has no link items")
                for l in found:
                    if l.get("type") == GEOJSON:
                        demand(get(with_query(l["href"], limit=10), GEOJSON).json().get("type") == "FeatureCollection", f"{l['href']} is no FeatureCollection")

        self.test(prefix + "Response_Items_v101", items_v101)

        def items_links_v101():
            for collection in document_or_skip()["collections"]:
                for l in links_of(collection, collection["id"]):
                    demand(l.get("rel") and l.get("type"), f"{collection['id']}: a link without rel or type: {l}")
                    demand(l.get("href"), f"{collection['id']}: a link without href: {l}")

        self.test(prefix + "Response_Items_Links_v101", items_links_v101)

    def one_collection(self, collection):
        name = collection["id"]
        path = f"/collections/{name}"

        def metadata():
            self.path(path)
            return get(self.server() + path).json()

        alone = self.test(f"FeatureCollection.validateFeatureCollectionMetadataOperation[{name}]", metadata)

        def same():
            if alone is None:
                raise Skipped(f"{path} could not be read")
            for key in ("id", "title", "description", "extent"):
                demand(alone.get(key) == collection.get(key), f"{key} is {alone.get(key)!r}, and in /collections {collection.get(key)!r}")

        self.test(f"FeatureCollection.validateFeatureCollectionMetadataResponse[{name}]", same)

        features = link(collection["links"], "items", GEOJSON)
        self.test(f"Features.hasGeoJsonItems[{name}]", lambda: demand(features, f"no link items of type {GEOJSON}"))
        if features is None:
            return
        url = urljoin(self.root + "/", features["href"])

        self.test(f"FeaturesErrorConditions.validateFeaturesOperation_QueryParamInvalid[{name}]", get, with_query(url, limit="unlimited"), GEOJSON, 400)
        unknown = with_query(url, unknownQueryParameter12345=1)
        self.test(f"FeaturesErrorConditions.validateFeaturesOperation_QueryParamUnknown[{name}]", get, unknown, GEOJSON, 400)

        first = self.responses(f"Features.validateFeatures[{name}]", with_query(url, limit=10), path)
        self.parameter_definitions(name, path + "/items")

        def limits():
            limit = self.parameter(path + "/items", "limit")
            demand(limit, "the API definition has no parameter limit")
            return limit["schema"]["minimum"], limit["schema"]["maximum"]

        bounds = self.test(f"FeaturesLimit.collectionItemUrisWithLimits[{name}]", limits)
        if bounds:
            low, high = bounds
            for limit in sorted({low, min(100, low + (high - low) // 2)}):
                answer = self.responses(f"FeaturesLimit.validateFeaturesWithLimit[{name}, {limit}]", with_query(url, limit=limit), path)
                if answer:
                    count = len(answer["features"])
                    message = f"{count} features for limit={limit}"
                    self.test(f"FeaturesLimit.validateFeaturesWithLimitResponse[{name}, {limit}]", demand, count <= min(limit, high), message)

        box = self.test(f"FeaturesBBox.parseSpatialExtent[{name}]", box_of, collection)
        # Across the meridian, the equator, 180 degrees, and at the poles.
        boxes = [(-1.5, 50, 1.5, 53), (-80, -5, -70, 5), (177, 65, -177, 70), (-180, 85, 180, 90), (-180, -90, 180, -85)]
        for bbox in [tuple(box), *boxes] if box else []:
            text = ",".join(map(repr, map(float, bbox)))
            answer = self.responses(f"FeaturesBBox.validateFeaturesWithBoundingBox[{name}, {text}]", with_query(url, bbox=text, limit=10), path)
            if answer and answer["features"]:
                self.test(f"FeaturesBBox.validateFeaturesWithBoundingBoxResponse[{name}, {text}]", inside, answer["features"], bbox)
            elif answer and box and bbox == tuple(box):
                self.test(f"FeaturesBBox.validateFeaturesWithBoundingBoxResponse[{name}, {text}]", demand, False, "nothing in the collection's own extent")

        for span in self.test(f"FeaturesTime.parseTemporalExtent[{name}]", spans, collection) or []:
            self.responses(f"FeaturesTime.validateFeaturesWithDateTime[{name}, {span}]", with_query(url, datetime=span, limit=10), path)

        def one():
            demand(first and first["features"] and first["features"][0].get("id") is not None, "no feature with an id")
            return get(f"{url.partition('?')[0]}/{quote(str(first['features'][0]['id']), safe='')}", GEOJSON).json()

        feature = self.test(f"Feature.featureOperation[{name}]", one)

        def feature_links():
            if feature is None:
                raise Skipped("the feature could not be read")
            links = self.self_and_alternates(feature, "the feature", 0)
            own = link(links, "collection")
            demand(own and own.get("type"), "the feature has no link collection with a type")

        self.test(f"Feature.validateFeatureResponse[{name}]", feature_links)

    def parameter_definitions(self, name, path):
        def definition(parameter, kind):
            found = self.parameter(path, parameter)
            demand(found, f"{path} has no parameter {parameter}")
            demand(found.get("in") == "query" and not found.get("required") and found.get("style") == "form", f"{parameter}: {found}")
            demand(found.get("explode") is False, f"{parameter}: explode is not false: {found}")
            demand(found["schema"].get("type") == kind, f"{parameter} is of type {found['schema'].get('type')}")
            return found["schema"]

        def limit():
            schema = definition("limit", "integer")
            demand(schema["minimum"] >= 0 and schema["default"] >= 0, f"limit: {schema}")

        def bbox():
            schema = definition("bbox", "array")
            wanted = schema.get("oneOf") or (schema.get("minItems"), schema.get("maxItems")) == (4, 6)
            demand(wanted and schema["items"]["type"] == "number", f"bbox: {schema}")

        self.test(f"FeaturesLimit.limitParameterDefinition[{name}]", limit)
        self.test(f"FeaturesBBox.boundingBoxParameterDefinition[{name}]", bbox)
        self.test(f"FeaturesTime.timeParameterDefinition[{name}]", definition, "datetime", "string")

    def responses(self, name, url, path):
        """Abstract test 22/26 on one answer; gives the document."""
        head, _, tail = name.partition("[")
        tail = "[" + tail
        document = self.test(f"{head}Operation{tail}", lambda: get(url, GEOJSON).json())
        if document is None:
            return None
        features = document.get("features")
        self.test(f"{head}Response_TypeProperty{tail}", demand, document.get("type") == "FeatureCollection", f"type is {document.get('type')!r}")
        self.test(f"{head}Response_FeaturesProperty{tail}", demand, isinstance(features, list), "features is no list")
        if not isinstance(features, list):
            return None
        self.test(f"{head}Response_Links{tail}", self.self_and_alternates, document, url, 0)
        self.test(f"{head}Response_GeometryInCRS84{tail}", in_degrees, features)

        def stamp():
            if "timeStamp" not in document:
                raise Skipped("no timeStamp")
            demand(datetime.fromisoformat(document["timeStamp"].replace("Z", "+00:00")).tzinfo, f"timeStamp {document['timeStamp']} has no offset")

        def returned():
            if "numberReturned" not in document:
                raise Skipped("no numberReturned")
            demand(document["numberReturned"] == len(features), f"numberReturned is {document['numberReturned']}, there are {len(features)} features")

        def matched():
            if "numberMatched" not in document:
                raise Skipped("no numberMatched")
            count = document["numberMatched"]
            if count > MOST_MATCHED:
                raise Skipped("Number of matched features too large to check")
            largest = self.parameter(path + "/items", "limit")["schema"]["maximum"]
            total, following, pages = len(features), link(document["links"], "next"), 0
            while following and pages < MOST_PAGES:
                # As the suite does: the address of the link as it is, and its parameters once more with another limit.
                query = [p.partition("=")[::2] for p in urlsplit(following["href"]).query.split("&")]
                again = "&".join([f"{key}={value}" for key, value in query if key != "limit"] + [f"limit={largest}"])
                page = get(f"{following['href']}&{again}", GEOJSON).json()
                if not page["features"]:
                    break
                total += len(page["features"])
                following = link(page["links"], "next")
                pages += 1
            demand(total == count, f"numberMatched is {count}, the pages have {total} features")

        self.test(f"{head}Response_TimeStamp{tail}", stamp)
        self.test(f"{head}Response_NumberReturned{tail}", returned)
        self.test(f"{head}Response_NumberMatched{tail}", matched)
        return document
