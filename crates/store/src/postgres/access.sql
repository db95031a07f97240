-- From version 1 to version 2: who may see and do what.

-- People, units and the rules of collections, as JSON.
CREATE TABLE hromada_directory (
  kind text NOT NULL CHECK (kind IN ('person', 'unit', 'access')),
  id text COLLATE "C" NOT NULL,
  body text NOT NULL,
  PRIMARY KEY (kind, id)
);

-- What somebody shows to be taken for a person: sessions, tokens, links that are good once. Only hashes are kept.
CREATE TABLE hromada_keys (
  hash text COLLATE "C" PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('session', 'token', 'link')),
  person text COLLATE "C" NOT NULL,
  body text NOT NULL,
  created text COLLATE "C" NOT NULL,
  expires text COLLATE "C" NOT NULL,
  seen text COLLATE "C" NOT NULL
);
CREATE INDEX hromada_keys_person ON hromada_keys (person);

-- The audit log. Each hash covers its row and the hash before it.
CREATE TABLE hromada_audit (
  n bigint PRIMARY KEY,
  at text COLLATE "C" NOT NULL,
  actor text NOT NULL,
  action text NOT NULL,
  subject text NOT NULL,
  detail text NOT NULL,
  hash text NOT NULL
);
CREATE FUNCTION hromada_audit_stays() RETURNS trigger LANGUAGE plpgsql SET search_path = {path}, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'the audit log is only added to';
END
$$;
CREATE TRIGGER hromada_audit_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON hromada_audit
  FOR EACH STATEMENT EXECUTE FUNCTION hromada_audit_stays();
REVOKE ALL ON FUNCTION hromada_audit_stays() FROM PUBLIC;
COMMENT ON TABLE hromada_directory IS 'hromada: people, units and the rules of collections';
COMMENT ON TABLE hromada_keys IS 'hromada: hashes of sessions, tokens and links';
COMMENT ON TABLE hromada_audit IS 'hromada: audit log, only added to';

-- Version 1 knew no rules: whoever reached the server read everything, and goes on doing so until somebody decides otherwise.
INSERT INTO hromada_directory (kind, id, body) SELECT 'access', id, '{"class":"public"}' FROM hromada_collections;
INSERT INTO hromada_meta (key, value) VALUES ('directory', '0');
UPDATE hromada_meta SET value = '2' WHERE key = 'schema_version';
