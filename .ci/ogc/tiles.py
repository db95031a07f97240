"""OGC API Tiles, as ets-ogcapi-tiles10 tests it."""

from urllib.parse import urlsplit

from suite import JSON, OPENAPI, TILESETS, Failed, Suite, demand, get, link, links_of


class Tiles(Suite):
    def __init__(self, root, openapi):
        super().__init__()
        self.root = root.rstrip("/")

    def run(self):
        self.classes = self.test("Conformance.validateConformanceOperationAndResponse", self.conformance) or []
        self.landing = self.test("LandingPage.landingPageRetrieval", lambda: links_of(get(self.root + "/").json(), "the landing page")) or []
        self.collections = self.test("Collections.retrieval", lambda: get(self.root + "/collections").json()["collections"]) or []
        lists = [l["href"] for l in self.landing if l.get("rel", "").startswith(TILESETS)]
        nested = [l["href"] for c in self.collections for l in c.get("links", []) if l.get("rel", "").startswith(TILESETS)]

        self.test("datasettilesets.LandingPage.landingPageRetrieval", demand, lists, f"the landing page has no link {TILESETS}*")
        self.test("GeospatialDataResource.geospatialResourceTilesetsLinksCheck", demand, nested, f"no collection has a link {TILESETS}*")
        ends = [h for h in nested if h.endswith("/tiles") or "/tiles?" in h]
        self.test("GeospatialDataResource.geospatialResourceTilesetsRetrieval", demand, ends, "no such link ends with /tiles")
        for href in lists + nested[:2]:
            self.test(f"TilesetLlinks.validateTilesetsListResponse[{self.short(href)}]", self.tilesets_list, href)
        if not lists + nested:
            self.test("Tile.validateTilesAreAvailable", demand, False, "there are no tilesets")
        for href in lists[:1] + nested[:2]:
            self.tiles(href)
        self.test("TileSet.validateTilesetResponse", self.tile_matrix_sets)
        self.test("ApiDefinition.apiDefinitionOperationIdValidation", self.operation_ids)

    def short(self, href):
        return urlsplit(href).path

    def conformance(self):
        declared = get(self.root + "/conformance").json()["conformsTo"]
        core = "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/core"
        demand(core in declared, f"{core} is not declared")
        return declared

    def tilesets_list(self, href):
        demand("/tiles" in href and urlsplit(href).scheme, f"{href} is not absolute or has no /tiles")
        tilesets = get(href).json()["tilesets"]
        demand(tilesets, f"{href} has no tilesets")
        for tileset in tilesets:
            for key in ("tileMatrixSetURI", "tileMatrixSetId", "tileMatrixSetLimits", "dataType", "crs"):
                demand(tileset.get(key), f"a tileset in {href} has no {key}")

    def tiles(self, href):
        """A.2 to A.7: templates are found by following links, and the first limits hold."""
        where = self.short(href)
        tilesets = self.test(f"Tile.validateTilesAreAvailable[{where}]", lambda: get(href).json()["tilesets"])
        for number, tileset in enumerate(tilesets or []):
            at = f"[{where}, {tileset.get('tileMatrixSetId', number)}]"

            def followed():
                own = link(tileset["links"], "self", JSON)
                demand(own, "no link self of type application/json")
                return get(own["href"]).json()

            document = self.test(f"Tile.tilesetRetrieval{at}", followed)
            if document is None:
                continue
            both = [l["href"] for l in tileset["links"] + document["links"]]
            for variable in ("tileMatrix", "tileRow", "tileCol"):
                found = any("{" + variable + "}" in h for h in both)
                name = f"Tile.validate{variable[0].upper()}{variable[1:]}DefinitionIsAvailable{at}"
                self.test(name, demand, found, f"no link has {{{variable}}}")
            template = next((h for h in both if all("{" + v + "}" in h for v in ("tileMatrix", "tileRow", "tileCol"))), None)
            if template is None:
                continue

            def tile(matrix, row, column):
                return template.replace("{tileMatrix}", str(matrix)).replace("{tileRow}", str(row)).replace("{tileCol}", str(column))

            limits = tileset.get("tileMatrixSetLimits") or document.get("tileMatrixSetLimits")
            self.test(f"Tile.tileMatrixSetLimits{at}", demand, limits, "no tileMatrixSetLimits")
            for limit in limits or []:
                matrix = limit["tileMatrix"]
                last, first = limit["maxTileRow"], limit["minTileCol"]
                name = f"Tile.validateSuccessfulTilesExecutionFollowingLinks{at[:-1]}, {matrix}]"
                self.test(name, get, tile(matrix, last, first), "*/*", (200, 204))
                name = f"Tile.validateTilesErrorConditions{at[:-1]}, {matrix}]"
                self.test(name, get, tile(matrix, last + 1, first), "*/*", (404, 400))
            farthest = 2_147_483_647
            self.test(f"MandatoryCore.verifyErrorResponses{at}", get, tile(0, farthest, farthest), "*/*", (404, 400))
            self.test(f"MandatoryCore.validateSuccessfulTilesExecution{at}", get, tile(0, 0, 0), "*/*", 200)

    def tile_matrix_sets(self):
        """Requirement 24: the suite wants a link item of type application/json to a set that it knows, or to one that it can read."""
        for entry in get(self.root + "/tileMatrixSets").json()["tileMatrixSets"]:
            for l in entry["links"]:
                if l["rel"] == "item" and l["type"] == JSON and ("WebMercatorQuad" in l["href"] or get(l["href"]).json()["tileMatrices"]):
                    return
        raise Failed("no entry of /tileMatrixSets has a link with rel=item and type=application/json")

    def operation_ids(self):
        api = link(self.landing, "service-desc", OPENAPI)
        demand(api, f"no link service-desc of type {OPENAPI}")
        paths = get(api["href"], OPENAPI).json()["paths"]
        ids = [path["get"].get("operationId", "") for path in paths.values() if "get" in path]
        demand(any(".getTile" in i for i in ids), "no operationId has .getTile")
