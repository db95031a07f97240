-- Logs what anybody writes to the table of one collection: the server, QGIS, psql, ogr2ogr.
CREATE OR REPLACE FUNCTION hromada_log_{n}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = {path}, pg_temp AS $hromada$
DECLARE
  who text := hromada_actor();
BEGIN
  IF TG_RELID <> to_regclass({table_text}) THEN
    -- The table was put aside, and another has its name.
    RETURN NULL;
  END IF;
  BEGIN
    {log}
  EXCEPTION WHEN undefined_column OR undefined_table OR undefined_function OR datatype_mismatch OR internal_error THEN
    -- Somebody has changed the columns: that must not make their writes fail, so the state before is left out.
    BEGIN
      {log_of_keys}
    EXCEPTION WHEN undefined_column OR undefined_table OR undefined_function OR datatype_mismatch THEN
      RAISE WARNING 'hromada: a change of % is not logged: %', TG_RELID::regclass, SQLERRM;
    END;
  END;
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
