-- From version 3 to version 4: what the changes of one transaction have in common. The numbers of its changes follow one another.
CREATE TABLE hromada_transactions (
  first_seq bigint PRIMARY KEY,
  last_seq bigint NOT NULL,
  -- What was done, where it is more than single edits.
  kind text,
  request text,
  reason text,
  -- Hashes of the key that a client gave its request, and of the request.
  once text COLLATE "C",
  fingerprint text
);
CREATE UNIQUE INDEX hromada_transactions_once ON hromada_transactions (once) WHERE once IS NOT NULL;
COMMENT ON TABLE hromada_transactions IS 'hromada: what changes of one transaction have in common';

-- The time of a transaction that ends, under the lock of the log: never before that of an earlier one, whatever the clock does.
CREATE FUNCTION hromada_moment() RETURNS timestamptz LANGUAGE sql SECURITY DEFINER SET search_path = {path}, pg_temp AS $$
  SELECT greatest(clock_timestamp(), (SELECT at FROM hromada_changes WHERE seq = (SELECT max(seq) FROM hromada_changes)))
$$;
REVOKE ALL ON FUNCTION hromada_moment() FROM PUBLIC;

-- As before; all changes of a transaction get the time of its end, and the first number is told in a setting.
CREATE OR REPLACE FUNCTION hromada_number() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = {path}, pg_temp
  SET enable_nestloop = off AS $$
DECLARE
  smallest_seq bigint;
  greatest_seq bigint;
  moment timestamptz;
BEGIN
  PERFORM hromada_lock();
  moment := hromada_moment();
  WITH numbered AS (
    SELECT id, nextval('hromada_seq') AS n
    FROM (SELECT id FROM hromada_changes WHERE seq IS NULL ORDER BY id) AS mine
  ), written AS (
    UPDATE hromada_changes AS c SET seq = n, at = moment FROM numbered WHERE c.id = numbered.id AND c.seq IS NULL RETURNING c.seq
  )
  SELECT min(seq), max(seq) INTO smallest_seq, greatest_seq FROM written;
  PERFORM set_config('hromada.first', coalesce(nullif(current_setting('hromada.first', true), ''), smallest_seq::text, ''), true);
  PERFORM pg_notify({channel}, '');
  RETURN greatest_seq;
END
$$;
-- The id that a feature had until a change, where the change ended it or gave it another: who has the old one finds the feature.
ALTER TABLE hromada_changes ADD COLUMN before_id text COLLATE "C";
CREATE INDEX hromada_changes_id ON hromada_changes (collection, before_id) WHERE before_id IS NOT NULL;
UPDATE hromada_meta SET value = '4' WHERE key = 'schema_version';
-- What parcels came of which: a split, a merge, another number.
CREATE TABLE hromada_lineage (
  seq bigint NOT NULL,
  kind text NOT NULL,
  collection bigint NOT NULL,
  old_fid bigint NOT NULL,
  new_fid bigint NOT NULL,
  old_id text COLLATE "C" NOT NULL,
  new_id text COLLATE "C" NOT NULL
);
CREATE INDEX hromada_lineage_old ON hromada_lineage (collection, old_fid);
CREATE INDEX hromada_lineage_new ON hromada_lineage (collection, new_fid);
COMMENT ON TABLE hromada_lineage IS 'hromada: which parcels came of which';
