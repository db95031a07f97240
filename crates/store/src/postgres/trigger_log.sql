IF TG_OP = 'INSERT' THEN
  INSERT INTO hromada_changes (at, actor, collection, fid, operation)
    SELECT clock_timestamp(), who, {n}, {key}, 'create' FROM hromada_new ORDER BY {key};
  {counter}
ELSIF TG_OP = 'UPDATE' THEN
  -- A row whose key is another now is another feature.
  INSERT INTO hromada_changes (at, actor, collection, fid, operation, before_geometry, before_properties, before_id)
    SELECT clock_timestamp(), who, {n}, {key},
      CASE WHEN {key} IN (SELECT {key} FROM hromada_new) THEN 'replace' ELSE 'delete' END,
      {geometry}, {properties}, {changed_id}
    FROM hromada_old ORDER BY {key};
  INSERT INTO hromada_changes (at, actor, collection, fid, operation)
    SELECT clock_timestamp(), who, {n}, {key}, 'create' FROM hromada_new
    WHERE {key} NOT IN (SELECT {key} FROM hromada_old) ORDER BY {key};
ELSIF TG_OP = 'DELETE' THEN
  INSERT INTO hromada_changes (at, actor, collection, fid, operation, before_geometry, before_properties, before_id)
    SELECT clock_timestamp(), who, {n}, {key}, 'delete', {geometry}, {properties}, {id} FROM hromada_old ORDER BY {key};
ELSE
  INSERT INTO hromada_changes (at, actor, collection, fid, operation, before_geometry, before_properties, before_id)
    SELECT clock_timestamp(), who, {n}, {key}, 'delete', {geometry}, {properties}, {id} FROM {table} ORDER BY {key};
END IF;
