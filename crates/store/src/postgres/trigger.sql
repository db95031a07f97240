-- Logs what anybody writes to the table of one collection: the server, QGIS, psql, ogr2ogr.
CREATE OR REPLACE FUNCTION hromada_log_{n}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = {path}, pg_temp AS $hromada$
DECLARE
  who text := hromada_actor();
  written bigint;
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO hromada_changes (at, actor, collection, fid, operation)
      SELECT clock_timestamp(), who, {n}, {key}, 'create' FROM hromada_new ORDER BY {key};
    GET DIAGNOSTICS written = ROW_COUNT;
    {counter}
  ELSIF TG_OP = 'UPDATE' THEN
    -- A row whose key is another now is another feature.
    INSERT INTO hromada_changes (at, actor, collection, fid, operation, before_geometry, before_properties)
      SELECT clock_timestamp(), who, {n}, {key},
        CASE WHEN {key} IN (SELECT {key} FROM hromada_new) THEN 'replace' ELSE 'delete' END,
        {geometry}, {properties}
      FROM hromada_old ORDER BY {key};
    GET DIAGNOSTICS written = ROW_COUNT;
    INSERT INTO hromada_changes (at, actor, collection, fid, operation)
      SELECT clock_timestamp(), who, {n}, {key}, 'create' FROM hromada_new
      WHERE {key} NOT IN (SELECT {key} FROM hromada_old) ORDER BY {key};
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO hromada_changes (at, actor, collection, fid, operation, before_geometry, before_properties)
      SELECT clock_timestamp(), who, {n}, {key}, 'delete', {geometry}, {properties} FROM hromada_old ORDER BY {key};
    GET DIAGNOSTICS written = ROW_COUNT;
  ELSE
    INSERT INTO hromada_changes (at, actor, collection, fid, operation, before_geometry, before_properties)
      SELECT clock_timestamp(), who, {n}, {key}, 'delete', {geometry}, {properties} FROM {table} ORDER BY {key};
    GET DIAGNOSTICS written = ROW_COUNT;
  END IF;
  IF written > 0 THEN
    INSERT INTO hromada_unnumbered VALUES (pg_current_xact_id()) ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END
$hromada$;
REVOKE ALL ON FUNCTION hromada_log_{n}() FROM PUBLIC;
CREATE OR REPLACE TRIGGER {trigger_insert} AFTER INSERT ON {table}
  REFERENCING NEW TABLE AS hromada_new FOR EACH STATEMENT EXECUTE FUNCTION hromada_log_{n}();
CREATE OR REPLACE TRIGGER {trigger_update} AFTER UPDATE ON {table}
  REFERENCING OLD TABLE AS hromada_old NEW TABLE AS hromada_new FOR EACH STATEMENT EXECUTE FUNCTION hromada_log_{n}();
CREATE OR REPLACE TRIGGER {trigger_delete} AFTER DELETE ON {table}
  REFERENCING OLD TABLE AS hromada_old FOR EACH STATEMENT EXECUTE FUNCTION hromada_log_{n}();
CREATE OR REPLACE TRIGGER {trigger_truncate} BEFORE TRUNCATE ON {table}
  FOR EACH STATEMENT EXECUTE FUNCTION hromada_log_{n}();
