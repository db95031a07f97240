"""OGC API Features part 5 / Common part 3, class Schemas (OGC 23-058r2 §7, annex A.1)."""

import re

from documents import INSTANT, MANY, SCHEMA, media, names, sizes, valid_schema
from suite import demand

CLASS = "http://www.opengis.net/spec/ogcapi-common-3/1.0/conf/schemas"
DRAFT = "https://json-schema.org/draft/2020-12/schema"
FORMATS = ("point", "multipoint", "linestring", "multilinestring", "polygon", "multipolygon", "geometrycollection", "any", "point-or-multipoint",
           "linestring-or-multilinestring", "polygon-or-multipolygon")
# What an executable test can see of the values themselves: property type E of /req/schemas/properties.
DOMAINS = {
    "date": lambda v: re.fullmatch(r"\d{4}-\d\d-\d\d", v),
    "date-time": INSTANT.fullmatch,
    "uri": lambda v: re.fullmatch(r"https?://\S+", v),
    "uuid": lambda v: re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", v),
}


def run(api):
    for name in names(api):
        of_schemas(api, "schemas", name, "schema")
        api.test(f"/conf/schemas/role-id[{name}, exactly one]", one_identifier, api.schema(name))
        api.test(f"/conf/schemas/role-id[{name}, values]", identifier_values, api, name)
        if sizes(api)[name] <= MANY:
            api.test(f"/conf/schemas/basic-schema-inspection[{name}, value domains]", value_domains, api, name)


def of_schemas(api, group, name, kind):
    """The tests of the class Schemas on one document: the schema, queryables or sortables of a collection."""
    path = f"/collections/{name}/{kind}"
    where = name if group == "schemas" else f"{name}, {group}"
    schema = api.document(path, SCHEMA)
    if group != "schemas":
        # The same demands on queryables and sortables, those that are apt to fail by themselves.
        api.test(f"/conf/{group}/op-and-response[{name}, Schemas]", all_but_types_and_units, api, path, schema)
        api.test(f"/conf/schemas/basic-schema-inspection[{where}, typed]", typed, schema)
        api.test(f"/conf/schemas/unit[{where}]", units, schema)
        return
    tests = (("basic-schema-inspection", head, api, path), ("basic-schema-inspection", valid, schema), ("basic-schema-inspection", typed, schema),
             ("basic-schema-inspection", keywords, schema), ("role", roles, schema), ("role-id", identifier, schema),
             ("property-seq", sequence, schema), ("unit", units, schema), ("definition", definitions, schema), ("nullvalues", null_values, schema))
    for conf, body, *arguments in tests:
        detail = f", {body.__name__}" if conf == "basic-schema-inspection" else ""
        api.test(f"/conf/schemas/{conf}[{where}{detail}]", body, *arguments)


def all_but_types_and_units(api, path, schema):
    head(api, path)
    for body in (valid, keywords, roles, identifier, sequence, definitions, null_values):
        body(schema)


def with_keyword(schema, *keys):
    return [(n, p) for n, p in schema["properties"].items() if any(k in p for k in keys)]


def head(api, path):
    """$schema, and $id: an address without query, where the same schema is had as application/schema+json; an object."""
    answer = api.get(path, SCHEMA)
    demand(media(answer) == SCHEMA, f"{path} is {media(answer)}")
    schema = answer.json()
    demand(schema.get("$schema") == DRAFT, f"$schema is {schema.get('$schema')}")
    own = schema.get("$id", "")
    demand(re.fullmatch(r"https?://[^?#]+", own), f"$id is {own!r}")
    demand(own == api.root + path, f"$id is {own}, the schema is at {api.root + path}")
    again = api.get(own, SCHEMA)
    demand(media(again) == SCHEMA and again.json() == schema, f"{own} gives another schema")
    demand(schema.get("type") == "object", f"type is {schema.get('type')}")
    demand(isinstance(schema.get("properties"), dict), "there are no properties")


def valid(schema):
    valid_schema(schema)


def typed(schema):
    """Each property has a type, or is spatial: a format of the list, and neither type nor $ref."""
    for name, p in schema["properties"].items():
        demand(isinstance(p, dict), f"{name} is {p!r}")
        form = str(p.get("format", ""))
        if form.startswith("geometry-"):
            demand(form.removeprefix("geometry-") in FORMATS, f"{name} has the format {form}")
            demand("type" not in p and "$ref" not in p, f"{name} is spatial and has {sorted({'type', '$ref'} & set(p))}")
        else:
            demand("type" in p, f"{name} has no type")
        if form in ("date", "date-time"):
            demand(p["type"] == "string", f"{name} is temporal and of type {p['type']}")


def keywords(schema):
    """Whatever JSON Schema has not starts with x-ogc- (/req/schemas/additional-keywords)."""
    odd = sorted(k for k in valid_schema(schema) if not k.startswith("x-ogc-"))
    demand(not odd, f"keywords that are not of JSON Schema: {odd}")


def roles(schema):
    for name, p in with_keyword(schema, "x-ogc-role"):
        demand(isinstance(p["x-ogc-role"], str), f"the role of {name} is {p['x-ogc-role']!r}")


def identifier(schema):
    """At most one property is the identifier, and it is a text or an integer."""
    found = [(n, p) for n, p in with_keyword(schema, "x-ogc-role") if p["x-ogc-role"] == "id"]
    demand(len(found) <= 1, f"the role id have {[n for n, _ in found]}")
    for name, p in found:
        demand(p.get("type") in ("string", "integer"), f"{name} has the role id and is of type {p.get('type')}")


def one_identifier(schema):
    """The abstract test wants exactly one property that is the identifier of the item."""
    found = [n for n, p in with_keyword(schema, "x-ogc-role") if p["x-ogc-role"] == "id"]
    demand(len(found) == 1, f"the role id have {found}")


def identifier_values(api, name):
    """What has the role id is the identifier of the feature."""
    for key in [n for n, p in with_keyword(api.schema(name), "x-ogc-role") if p["x-ogc-role"] == "id"]:
        for f in api.every(name):
            demand(key not in f["properties"] or f["properties"][key] == f["id"], f"feature {f['id']} has {key} {f['properties'].get(key)!r}")


def sequence(schema):
    """Integers, each once (/rec/schemas/property-seq-unique)."""
    found = [p["x-ogc-propertySeq"] for _, p in with_keyword(schema, "x-ogc-propertySeq")]
    demand(all(isinstance(n, int) and not isinstance(n, bool) for n in found), f"x-ogc-propertySeq are {found}")
    demand(len(found) == len(set(found)), f"an x-ogc-propertySeq comes twice: {found}")


def units(schema):
    """Units of numbers, in UCUM (case sensitive) or in the language that is named."""
    wrong = []
    for name, p in with_keyword(schema, "x-ogc-unit", "x-ogc-unitLang"):
        unit, language = p.get("x-ogc-unit"), p.get("x-ogc-unitLang", "UCUM")
        demand(isinstance(unit, str) and isinstance(language, str), f"the unit of {name} is {unit!r} of {language!r}")
        demand(p.get("type") in ("number", "integer"), f"{name} has a unit and is of type {p.get('type')}")
        right = of_ucum(unit) if language == "UCUM" else language != "QUDT" or re.fullmatch(r"https?://qudt\.org/vocab/unit/[A-Za-z0-9_-]+", unit)
        if not right:
            wrong.append(f"{name} {unit!r}")
    demand(not wrong, f"not of UCUM, and no x-ogc-unitLang says of what else: {', '.join(wrong)}")


# The atoms of UCUM (The Unified Code for Units of Measure, tables 3 to 20) that spatial data have; first those that take a prefix.
METRIC = set((
    "m s g rad K C cd mol sr Hz N Pa J W A V F Ohm S Wb Cel T H lm lx Bq Gy Sv l L ar t bar u eV pc U kat cal B Np Ky G Oe Gb"
    " P St Mx sb Lmb ph Ci R bit By Bd st b dyn erg gf eq osm g%"
).split())
PLAIN = set((
    "10* 10^ [pi] % [ppth] [ppm] [ppb] [pptr] gon deg ' '' min h d a_t a_j a_g a wk mo mo_s mo_j mo_g AU atm [lbf_av] [g]"
    " [in_i] [ft_i] [yd_i] [mi_i] [fth_i] [nmi_i] [kn_i] [sin_i] [sft_i] [syd_i] [cin_i] [cft_i] [cyd_i] [bf_i] [cr_i]"
    " [mil_i] [cml_i] [hd_i] [ft_us] [yd_us] [in_us] [rd_us] [ch_us] [lk_us] [fth_us] [fur_us] [mi_us] [acr_us] [srd_us]"
    " [smi_us] [sct] [twp] [mil_us] [acr_br] [mi_br] [ft_br] [yd_br] [in_br] [nmi_br] [kn_br] [gal_us] [bbl_us] [qt_us]"
    " [pt_us] [gil_us] [foz_us] [fdr_us] [bu_us] [gal_wi] [gal_br] [pt_br] [lb_av] [oz_av] [ston_av] [lton_av] [stone_av]"
    " [gr] [degF] [degR] [Btu] [HP] [psi] [pH] m[H2O] m[Hg] [in_i'Hg] [in_i'H2O] circ sph bit_s [den] [car_m] [arb'U] [hp_X]"
    " B[SPL]"
).split())
# By the letter a femtotonne and a picotonne: what is meant are the foot, [ft_i], and the pint, [pt_us].
FALSE_FRIENDS = {"ft", "pt"}
PREFIXES = "Y Z E P T G M k h da d c m u n p f a z y Ki Mi Gi Ti".split()


def of_ucum(unit):
    """The text is of the grammar of UCUM (case sensitive) and of atoms that it has."""
    if not unit or not unit.isascii() or " " in unit:
        return False
    bare = re.sub(r"\{[^{}]*\}", "", unit)
    if "{" in bare or "}" in bare:
        return False
    return bare == "" or all(component(part) for part in split_term(bare))


def split_term(text):
    """Components between dots and slashes; those in square brackets are left whole."""
    text = text.removeprefix("/").replace("(", "").replace(")", "")
    return re.findall(r"(?:\[[^\]]*\]|[^./\[\]])+|(?<=[./])(?=[./]|$)", text) or [""]


def component(text):
    if re.fullmatch(r"\d+", text):
        return True
    match = re.fullmatch(r"(10[*^]|.*?[^0-9+-])([+-]?\d+)?", text)
    return bool(match) and atom(match[1])


def atom(text):
    prefixed = any(text.startswith(p) and text.removeprefix(p) in METRIC for p in PREFIXES)
    return text not in FALSE_FRIENDS and (prefixed or text in METRIC | PLAIN)


def definitions(schema):
    for name, p in with_keyword(schema, "x-ogc-definition"):
        demand(re.match(r"[A-Za-z][A-Za-z0-9+.-]*:\S+$", str(p["x-ogc-definition"])), f"the definition of {name} is {p['x-ogc-definition']!r}")


def null_values(schema):
    for name, p in with_keyword(schema, "x-ogc-nullValues"):
        kinds = str if p.get("type") == "string" else (int, float)
        found = p["x-ogc-nullValues"]
        demand(isinstance(found, list) and all(isinstance(v, kinds) for v in found), f"x-ogc-nullValues of {name} is {found!r}")


def value_domains(api, name):
    """Texts that are all dates, times, addresses or UUIDs say so by format."""
    for key, p in api.schema(name)["properties"].items():
        found = {f["properties"].get(key) for f in api.every(name)} - {None, ""} if p.get("type") == "string" else set()
        for form, fits in DOMAINS.items():
            if found and all(isinstance(v, str) and fits(v) for v in found):
                said = p.get("format")
                demand(said == form or form == "uri" and said in ("uri-reference", "iri"), f"values of {key} are all of {form}, its format is {said}")
