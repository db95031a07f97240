-- From version 5 to version 6: a transaction looks for its changes from where it began. A row that gets its number leaves dead entries
-- behind, in the index of rows without one and at the end of that of numbers; each transaction passed over all that no VACUUM had taken yet.
ALTER TABLE hromada_changes DROP CONSTRAINT hromada_changes_seq_key;
CREATE UNIQUE INDEX hromada_changes_seq_key ON hromada_changes (seq) WHERE seq IS NOT NULL;
ALTER TABLE hromada_unnumbered ADD COLUMN first bigint NOT NULL;

-- After the changes are there, since the number may be asked for at once (SET CONSTRAINTS ALL IMMEDIATE); of a transaction's
-- statements the first one stays.
CREATE FUNCTION hromada_begin_numbering() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = {path}, pg_temp AS $$
BEGIN
  INSERT INTO hromada_unnumbered SELECT pg_current_xact_id(), min(id) FROM added HAVING count(*) > 0 ON CONFLICT DO NOTHING;
  RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION hromada_begin_numbering() FROM PUBLIC;
CREATE TRIGGER hromada_begin_numbering AFTER INSERT ON hromada_changes
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION hromada_begin_numbering();

-- As before.
CREATE OR REPLACE FUNCTION hromada_number() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = {path}, pg_temp
  SET enable_nestloop = off AS $$
DECLARE
  smallest_id bigint := (SELECT first FROM hromada_unnumbered WHERE tx = pg_current_xact_id());
  smallest_seq bigint;
  greatest_seq bigint;
  moment timestamptz;
BEGIN
  PERFORM hromada_lock();
  moment := hromada_moment();
  WITH numbered AS (
    SELECT id, nextval('hromada_seq') AS n
    FROM (SELECT id FROM hromada_changes WHERE seq IS NULL AND id >= smallest_id ORDER BY id) AS mine
  ), written AS (
    UPDATE hromada_changes AS c SET seq = n, at = moment FROM numbered
    WHERE c.id = numbered.id AND c.seq IS NULL AND c.id >= smallest_id RETURNING c.seq
  )
  SELECT min(seq), max(seq) INTO smallest_seq, greatest_seq FROM written;
  PERFORM set_config('hromada.first', coalesce(nullif(current_setting('hromada.first', true), ''), smallest_seq::text, ''), true);
  PERFORM pg_notify({channel}, '');
  RETURN greatest_seq;
END
$$;

CREATE OR REPLACE FUNCTION hromada_number_at_commit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = {path}, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM hromada_changes WHERE seq IS NULL AND id >= NEW.first) THEN
    PERFORM hromada_number();
  END IF;
  DELETE FROM hromada_unnumbered WHERE tx = NEW.tx;
  RETURN NULL;
END
$$;
UPDATE hromada_meta SET value = '6' WHERE key = 'schema_version';
