//! Where a server store is: the address that its user gives.

use std::fmt;

use model::Message;

use crate::Error;

/// The schema of the store where the address names none.
const SCHEMA: &str = "hromada";

/// A schema in a database, `postgres://user:password@host:port/database?schema=name`, with the parameters of libpq beside it
/// (`sslmode`, `sslrootcert`, …; <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS>).
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresPlace {
    pub(crate) url: String,
    /// The server that reads go to, where it is another: a streaming replica.
    pub(crate) read: Option<Box<Self>>,
    pub(crate) schema: String,
    /// The address without its password.
    pub(crate) shown: String,
}

impl PostgresPlace {
    /// # Errors
    /// [`Error::Refused`] when the text is no address of a database, or its schema no plain name.
    pub fn parse(url: &str) -> Result<Self, Error> {
        let shown = without_password(url);
        let unreadable = |reason: &str| {
            Error::Refused(
                Message::new("store.database-url")
                    .with("database", &shown)
                    .with("reason", reason),
            )
        };
        if !is_postgres(url) {
            return Err(unreadable("postgres://…"));
        }
        let (url, schema) = take_parameter(url, "schema");
        let schema = schema.unwrap_or_else(|| SCHEMA.to_owned());
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let is_plain = schema.starts_with(|c: char| c.is_ascii_lowercase())
            && schema.chars().all(plain)
            && schema.len() <= 40
            && !schema.starts_with("pg_")
            // PostGIS and others are there, so it could be neither dumped nor restored alone.
            && schema != "public";
        if !is_plain {
            return Err(Error::Refused(
                Message::new("store.schema-name").with("schema", schema),
            ));
        }
        Ok(Self {
            url,
            read: None,
            schema,
            shown,
        })
    }

    /// Where reads go.
    pub(crate) fn reading(&self) -> &Self {
        self.read.as_deref().unwrap_or(self)
    }

    /// With another server for reads.
    ///
    /// # Errors
    /// As [`PostgresPlace::parse`].
    pub fn reading_from(mut self, url: &str) -> Result<Self, Error> {
        let mut read = Self::parse(url)?;
        if take_parameter(url, "schema").1.is_none() {
            read.schema.clone_from(&self.schema);
        }
        self.read = Some(Box::new(read));
        Ok(self)
    }
}

/// Whether a text is the address of a PostgreSQL database rather than a folder.
pub(crate) fn is_postgres(text: &str) -> bool {
    let scheme = text
        .split_once("://")
        .map(|(scheme, _)| scheme.to_lowercase());
    matches!(scheme.as_deref(), Some("postgres" | "postgresql"))
}

impl fmt::Display for PostgresPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// An address must not carry its password into a log.
impl fmt::Debug for PostgresPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// `scheme://user:password@host/…?password=…` with stars for the password, also where the text is no good address: a password
/// with `/`, `?` or `#` in it ends where the last `@` stands.
fn without_password(url: &str) -> String {
    let (base, query) = match url.rsplit_once('@') {
        // What stands before is user and password, whatever they hold.
        Some((before, after)) => {
            let (scheme, user) = before.split_once("://").unwrap_or(("", before));
            let user = user.split([':', '/', '?', '#']).next().unwrap_or_default();
            let hidden = if before.ends_with(&format!("://{user}")) {
                ""
            } else {
                ":***"
            };
            let (host, query) = split_query(after);
            (format!("{scheme}://{user}{hidden}@{host}"), query)
        }
        None => {
            let (base, query) = split_query(url);
            (base.to_owned(), query)
        }
    };
    let Some(query) = query else {
        return base;
    };
    // A key may be written with escapes.
    let is_secret =
        |key: &str| !["schema", "sslmode", "user", "host", "port", "dbname"].contains(&key);
    let shown: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((key, _)) if is_secret(key) => format!("{key}=***"),
            _ => pair.to_owned(),
        })
        .collect();
    format!("{base}?{}", shown.join("&"))
}

fn split_query(url: &str) -> (&str, Option<&str>) {
    url.split_once('?')
        .map_or((url, None), |(base, query)| (base, Some(query)))
}

/// An address without one of its parameters, and that parameter.
fn take_parameter(url: &str, name: &str) -> (String, Option<String>) {
    let Some((base, query)) = url.split_once('?') else {
        return (url.to_owned(), None);
    };
    let mut taken = None;
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| match pair.split_once('=') {
            Some((key, value)) if key == name => {
                taken = Some(value.to_owned());
                false
            }
            _ => !pair.is_empty(),
        })
        .collect();
    let url = if kept.is_empty() {
        base.to_owned()
    } else {
        format!("{base}?{}", kept.join("&"))
    };
    (url, taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_shown_without_its_password() {
        for (given, url, schema, shown) in [
            (
                "postgres://town@db/gis",
                "postgres://town@db/gis",
                "hromada",
                "postgres://town@db/gis",
            ),
            (
                "postgresql://town:p@ss@db:5433/gis?schema=kalush&sslmode=require",
                "postgresql://town:p@ss@db:5433/gis?sslmode=require",
                "kalush",
                "postgresql://town:***@db:5433/gis?schema=kalush&sslmode=require",
            ),
            (
                "postgres://db/gis?user=town&password=secret",
                "postgres://db/gis?user=town&password=secret",
                "hromada",
                "postgres://db/gis?user=town&password=***",
            ),
            (
                "POSTGRES://town:p/a?s#s@db/gis?%70assword=secret",
                "POSTGRES://town:p/a?s#s@db/gis?%70assword=secret",
                "hromada",
                "POSTGRES://town:***@db/gis?%70assword=***",
            ),
        ] {
            let place = PostgresPlace::parse(given).unwrap();
            assert_eq!((place.url.as_str(), place.schema.as_str()), (url, schema));
            assert_eq!(place.shown, shown);
            assert!(!format!("{place:?}").contains("ss@"), "{place:?}");
        }
    }

    #[test]
    fn a_schema_is_a_plain_name() {
        for bad in ["", "Kalush", "pg_toast", "public", "1a", "a-b", "a\"b"] {
            let url = format!("postgres://db/gis?schema={bad}");
            assert!(PostgresPlace::parse(&url).is_err(), "{bad}");
        }
    }
}
