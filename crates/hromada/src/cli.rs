//! The arguments, with their help in the user's language.

mod people;
mod tiles;

use std::ffi::{OsStr, OsString};

use clap::builder::PossibleValuesParser;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, value_parser};
use model::access::Class;
use model::{Lang, LowZooms, Message, Theme};
use store::{Place, PostgresPlace};

/// The language of the command line: `--lang`, then `HROMADA_LANG`, then the locale, then English.
pub fn language(args: &[OsString]) -> Lang {
    let asked = args
        .iter()
        .zip(args.iter().skip(1))
        .find(|(flag, _)| *flag == "--lang");
    let asked = asked
        .and_then(|(_, value)| value.to_str())
        .map(str::to_owned);
    let joined = args
        .iter()
        .find_map(|a| a.to_str()?.strip_prefix("--lang=").map(str::to_owned));
    let environment = ["HROMADA_LANG", "LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok());
    let chosen = asked
        .or(joined)
        .into_iter()
        .chain(environment)
        .find(|value| !value.is_empty());
    chosen
        .and_then(|tag| Lang::from_tag(&tag))
        .unwrap_or_default()
}

/// The whole command line.
pub fn command(lang: Lang) -> Command {
    let t = |key: &'static str| Message::new(key).text(lang);
    Command::new("hromada")
        .about(t("cli.about"))
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(
            Arg::new("data")
                .long("data")
                .value_name("DIR")
                .env("HROMADA_DATA")
                .hide_env_values(true)
                .default_value("hromada-data")
                .value_parser(value_parser!(std::path::PathBuf))
                .global(true)
                .help(t("cli.data")),
        )
        .arg(
            Arg::new("database")
                .long("database")
                .value_name("URL")
                .env("HROMADA_DATABASE")
                .hide_env_values(true)
                .global(true)
                .help(t("cli.database")),
        )
        .arg(
            Arg::new("lang")
                .long("lang")
                .value_name("uk|en")
                .value_parser(PossibleValuesParser::new(["uk", "en"]))
                .global(true)
                .help(t("cli.lang")),
        )
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .global(true)
                .help(t("cli.json")),
        )
        .arg(
            Arg::new("quiet")
                .long("quiet")
                .short('q')
                .action(ArgAction::SetTrue)
                .global(true)
                .help(t("cli.quiet")),
        )
        .subcommand(serve(lang))
        .subcommand(import(lang))
        .subcommand(export(lang))
        .subcommand(tiles::tiles(lang))
        .subcommand(publish(lang))
        .subcommand(Command::new("collections").about(t("cli.collections")))
        .subcommand(crs(lang))
        .subcommand(check(lang))
        .subcommand(history(lang))
        .subcommand(copy(lang))
        .subcommand(backup(lang))
        .subcommand(restore(lang))
        .subcommands(people::all(lang))
        .subcommand(
            Command::new("sample-town")
                .about(t("cli.sample-town"))
                .arg(
                    Arg::new("parcels")
                        .long("parcels")
                        .value_name("N")
                        .default_value("20000")
                        // A whole oblast has about two million parcels.
                        .value_parser(value_parser!(u64).range(1..=5_000_000))
                        .help(t("cli.town-parcels")),
                )
                .arg(
                    Arg::new("seed")
                        .long("seed")
                        .value_name("S")
                        .default_value("1")
                        .value_parser(value_parser!(u64))
                        .help(t("cli.town-seed")),
                )
                .arg(
                    Arg::new("out")
                        .long("out")
                        .value_name("DIR")
                        .required(true)
                        .value_parser(value_parser!(std::path::PathBuf))
                        .help(t("cli.town-out")),
                ),
        )
}

fn crs(lang: Lang) -> Command {
    let t = |key: &'static str| Message::new(key).text(lang);
    let command = |name: &'static str, key: &'static str| Command::new(name).about(t(key));
    let word = |name: &'static str, value: &'static str, key: &'static str| {
        Arg::new(name).value_name(value).required(true).help(t(key))
    };
    let file = word("file", "FILE", "cli.crs-file").value_parser(value_parser!(std::path::PathBuf));
    command("crs", "cli.crs")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(command("list", "cli.crs-list"))
        .subcommand(command("operations", "cli.crs-operations").arg(word(
            "code",
            "EPSG:N",
            "cli.crs-code",
        )))
        .subcommand(command("add", "cli.crs-add").arg(file))
        .subcommand(command("remove", "cli.crs-remove").arg(word("id", "ID", "cli.crs-id")))
}

fn check(lang: Lang) -> Command {
    let t = |key: &'static str| Message::new(key).text(lang);
    Command::new("check")
        .about(t("cli.check"))
        .arg(
            Arg::new("fast")
                .long("fast")
                .action(ArgAction::SetTrue)
                .conflicts_with("compare")
                .help(t("cli.check-fast")),
        )
        .arg(
            Arg::new("compare")
                .long("compare")
                .value_name("DIR|URL")
                .help(t("cli.check-compare")),
        )
}

fn history(lang: Lang) -> Command {
    let t = |key: &'static str| Message::new(key).text(lang);
    let trim = Command::new("trim")
        .about(t("cli.history-trim"))
        .arg(
            Arg::new("collections")
                .value_name("COLLECTION")
                .num_args(0..)
                .help(t("cli.history-collections")),
        )
        .arg(
            Arg::new("before")
                .long("before")
                .value_name("DATE")
                .help(t("cli.history-before")),
        )
        .arg(
            Arg::new("dry-run")
                .long("dry-run")
                .action(ArgAction::SetTrue)
                .help(t("cli.history-dry-run")),
        );
    Command::new("history")
        .about(t("cli.history"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(trim)
}

fn copy(lang: Lang) -> Command {
    let t = |key: &'static str| Message::new(key).text(lang);
    let store = |name: &'static str, key: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("DIR|URL")
            .required(true)
            .help(t(key))
    };
    Command::new("copy")
        .about(t("cli.copy"))
        .arg(store("from", "cli.copy-from"))
        .arg(store("to", "cli.copy-to"))
}

fn backup(lang: Lang) -> Command {
    let t = |key: &'static str| Message::new(key).text(lang);
    Command::new("backup")
        .about(t("cli.backup"))
        .arg(path("to", "FILE|DIR", t("cli.backup-to")))
}

fn restore(lang: Lang) -> Command {
    let t = |key: &'static str| Message::new(key).text(lang);
    Command::new("restore")
        .about(t("cli.restore"))
        .arg(path("from", "FILE", t("cli.restore-from")))
}

/// A file or folder that has to be named.
fn path(name: &'static str, value: &'static str, help: String) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(value)
        .required(true)
        .value_parser(value_parser!(std::path::PathBuf))
        .help(help)
}

fn serve(lang: Lang) -> Command {
    let t = |key: &'static str| Message::new(key).text(lang);
    Command::new("serve")
        .about(t("cli.serve"))
        .arg(
            Arg::new("listen")
                .long("listen")
                .value_name("ADDR:PORT")
                .default_value("127.0.0.1:8080")
                .value_parser(value_parser!(std::net::SocketAddr))
                .help(t("cli.listen")),
        )
        .arg(
            Arg::new("plain-sign-in")
                .long("plain-sign-in")
                .action(ArgAction::SetTrue)
                .help(t("cli.plain-sign-in")),
        )
        .arg(
            Arg::new("require-second-factor")
                .long("require-second-factor")
                .action(ArgAction::SetTrue)
                .help(t("cli.require-second-factor")),
        )
        .arg(
            Arg::new("base-url")
                .long("base-url")
                .value_name("URL")
                .help(t("cli.base-url")),
        )
        .arg(
            Arg::new("tile-cache")
                .long("tile-cache")
                .value_name("MB")
                .default_value("64")
                .value_parser(value_parser!(u64).range(0..=65_536))
                .help(t("cli.tile-cache")),
        )
        .arg(
            Arg::new("feature-cache")
                .long("feature-cache")
                .value_name("MB")
                .default_value("128")
                .value_parser(value_parser!(u64).range(0..=65_536))
                .help(t("cli.feature-cache")),
        )
        .arg(
            Arg::new("tls-certificate")
                .long("tls-certificate")
                .value_name("FILE")
                .requires("tls-key")
                .value_parser(value_parser!(std::path::PathBuf))
                .help(t("cli.tls-certificate")),
        )
        .arg(
            Arg::new("tls-key")
                .long("tls-key")
                .value_name("FILE")
                .requires("tls-certificate")
                .value_parser(value_parser!(std::path::PathBuf))
                .help(t("cli.tls-key")),
        )
        .arg(
            Arg::new("trusted-proxy")
                .long("trusted-proxy")
                .value_name("CIDR")
                .action(ArgAction::Append)
                .help(t("cli.trusted-proxy")),
        )
        .arg(
            Arg::new("requests-per-second")
                .long("requests-per-second")
                .value_name("N")
                .default_value("100")
                .value_parser(value_parser!(u32).range(0..=1_000_000))
                .help(t("cli.requests-per-second")),
        )
        .arg(
            Arg::new("cors-origin")
                .long("cors-origin")
                .value_name("ORIGIN")
                .action(ArgAction::Append)
                .help(t("cli.cors-origin")),
        )
        .arg(
            Arg::new("archive")
                .long("archive")
                .value_name("NAME=LOCATION")
                .action(ArgAction::Append)
                .help(t("cli.archive")),
        )
        .args(single_sign_on(lang))
        .arg(
            Arg::new("read-database")
                .long("read-database")
                .value_name("URL")
                .env("HROMADA_READ_DATABASE")
                .hide_env_values(true)
                .requires("database")
                .help(t("cli.read-database")),
        )
}

/// The secret is not among them: what stands on a command line is seen by every user of the machine.
fn single_sign_on(lang: Lang) -> [Arg; 7] {
    let option = |name: &'static str, value: &'static str, key: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name(value)
            .help(Message::new(key).text(lang))
    };
    let more = |name, value, key| option(name, value, key).requires("oidc-issuer");
    [
        option("oidc-issuer", "URL", "cli.oidc-issuer").requires("oidc-client"),
        more("oidc-client", "ID", "cli.oidc-client"),
        more("oidc-secret-file", "FILE", "cli.oidc-secret-file")
            .value_parser(value_parser!(std::path::PathBuf)),
        more("oidc-name", "TEXT", "cli.oidc-name"),
        more("oidc-scope", "SCOPE", "cli.oidc-scope").action(ArgAction::Append),
        more("oidc-groups", "CLAIM", "cli.oidc-groups"),
        more("oidc-role", "GROUP=ROLE", "cli.oidc-role").action(ArgAction::Append),
    ]
}

/// Who may see a collection that is made.
fn access(lang: Lang) -> Arg {
    let classes: Vec<&'static str> = Class::ALL.iter().map(|class| class.name()).collect();
    Arg::new("access")
        .long("access")
        .value_name("CLASS")
        .value_parser(PossibleValuesParser::new(classes))
        .help(Message::new("cli.import-access").text(lang))
}

/// What a manifest says for each of its collections; beside it these flags would have no effect.
const TOLD_BY_MANIFEST: [&str; 14] = [
    "files",
    "collection",
    "layer",
    "all",
    "id",
    "title",
    "theme",
    "label",
    "time",
    "search",
    "licence",
    "attribution",
    "access",
    "low-zooms",
];

fn low_zooms(lang: Lang) -> Arg {
    let ways: Vec<&'static str> = LowZooms::ALL.iter().map(|way| way.name()).collect();
    Arg::new("low-zooms")
        .long("low-zooms")
        .value_name("WAY")
        .value_parser(PossibleValuesParser::new(ways))
        .help(Message::new("cli.import-low-zooms").text(lang))
}

fn publish(lang: Lang) -> Command {
    let t = |key: &'static str| Message::new(key).text(lang);
    let text = |name: &'static str, value: &'static str, key: &'static str| {
        Arg::new(name).long(name).value_name(value).help(t(key))
    };
    let flag = |name: &'static str, key: &'static str| {
        Arg::new(name)
            .long(name)
            .action(ArgAction::SetTrue)
            .help(t(key))
    };
    let themes: Vec<&'static str> = Theme::ALL.iter().map(|theme| theme.name()).collect();
    Command::new("publish")
        .about(t("cli.publish"))
        .arg(text("table", "SCHEMA.TABLE", "cli.publish-table"))
        .arg(
            text("withdraw", "ID", "cli.publish-withdraw").conflicts_with_all([
                "table",
                "collection",
                "key",
                "geometry",
            ]),
        )
        .arg(text("collection", "ID", "cli.publish-collection"))
        .arg(text("key", "COLUMN", "cli.publish-key"))
        .arg(text("geometry", "COLUMN", "cli.publish-geometry"))
        .arg(flag("editable", "cli.publish-editable"))
        .arg(flag("poll", "cli.publish-poll"))
        .arg(text("version-column", "COLUMN", "cli.publish-version").requires("poll"))
        .arg(text("title", "TEXT", "cli.import-title"))
        .arg(
            text("theme", "THEME", "cli.import-theme")
                .value_parser(PossibleValuesParser::new(themes)),
        )
        .arg(text("label", "PROPERTY", "cli.import-label"))
        .arg(text("time", "PROPERTY", "cli.import-time"))
        .arg(text("search", "PROPERTIES", "cli.import-search"))
        .arg(text("licence", "TEXT", "cli.import-licence"))
        .arg(text("attribution", "TEXT", "cli.import-attribution"))
        .arg(access(lang))
        .arg(low_zooms(lang))
        .group(
            ArgGroup::new("what")
                .args(["table", "withdraw"])
                .required(true),
        )
}

fn import(lang: Lang) -> Command {
    let t = |key: &'static str| Message::new(key).text(lang);
    let text = |name: &'static str, value: &'static str, key: &'static str| {
        Arg::new(name).long(name).value_name(value).help(t(key))
    };
    let flag = |name: &'static str, key: &'static str| {
        Arg::new(name)
            .long(name)
            .action(ArgAction::SetTrue)
            .help(t(key))
    };
    let themes: Vec<&'static str> = Theme::ALL.iter().map(|theme| theme.name()).collect();
    Command::new("import")
        .about(t("cli.import"))
        .arg(
            Arg::new("files")
                .value_name("FILE")
                .num_args(1..)
                .value_parser(value_parser!(std::path::PathBuf))
                .help(t("cli.import-files")),
        )
        .arg(text("collection", "ID", "cli.import-collection"))
        .arg(text("layer", "NAME", "cli.import-layer"))
        .arg(flag("all", "cli.import-all").conflicts_with("layer"))
        .arg(
            text("manifest", "FILE", "cli.import-manifest")
                .value_parser(value_parser!(std::path::PathBuf))
                .conflicts_with_all(TOLD_BY_MANIFEST),
        )
        .arg(flag("replace", "cli.import-replace"))
        .arg(flag("append", "cli.import-append"))
        .arg(text("upsert-by", "PROPERTY", "cli.import-upsert"))
        .arg(text("crs", "EPSG:N", "cli.import-crs"))
        .arg(text("id", "PROPERTY", "cli.import-id"))
        .arg(flag("repair", "cli.import-repair"))
        .arg(flag("strict", "cli.import-strict"))
        .arg(text("title", "TEXT", "cli.import-title"))
        .arg(
            text("theme", "THEME", "cli.import-theme")
                .value_parser(PossibleValuesParser::new(themes)),
        )
        .arg(text("label", "PROPERTY", "cli.import-label"))
        .arg(text("time", "PROPERTY", "cli.import-time"))
        .arg(text("search", "PROPERTIES", "cli.import-search"))
        .arg(text("licence", "TEXT", "cli.import-licence"))
        .arg(text("attribution", "TEXT", "cli.import-attribution"))
        .arg(access(lang))
        .arg(low_zooms(lang))
        .arg(text("lon", "COLUMN", "cli.import-lon"))
        .arg(text("lat", "COLUMN", "cli.import-lat"))
        .arg(text("x", "COLUMN", "cli.import-x"))
        .arg(text("y", "COLUMN", "cli.import-y"))
        .arg(text("wkt", "COLUMN", "cli.import-wkt"))
        .arg(text("delimiter", "CHAR", "cli.import-delimiter").value_parser(value_parser!(char)))
        .arg(text("encoding", "NAME", "cli.import-encoding"))
        .arg(
            text("report", "FILE", "cli.import-report")
                .value_parser(value_parser!(std::path::PathBuf)),
        )
        .group(ArgGroup::new("mode").args(["replace", "append", "upsert-by"]))
        .group(ArgGroup::new("invalid").args(["repair", "strict"]))
        .group(
            ArgGroup::new("source")
                .args(["files", "manifest"])
                .required(true),
        )
}

fn export(lang: Lang) -> Command {
    let t = |key: &'static str| Message::new(key).text(lang);
    Command::new("export")
        .about(t("cli.export"))
        .arg(
            Arg::new("collection")
                .value_name("ID")
                .required(true)
                .help(t("cli.export-collection")),
        )
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .value_parser(value_parser!(std::path::PathBuf))
                .help(t("cli.export-file")),
        )
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("FORMAT")
                .value_parser(PossibleValuesParser::new([
                    "geojson",
                    "geojsonseq",
                    "gpkg",
                    "fgb",
                    "csv",
                ]))
                .help(t("cli.export-format")),
        )
}

/// A store that an argument names: a folder, or the address of a database.
pub(crate) fn named_place(matches: &ArgMatches, name: &str) -> Result<Place, store::Error> {
    let text = matches.get_one::<String>(name);
    Place::parse(text.map_or("", String::as_str))
}

/// The store of `--data` or `--database`.
pub(crate) fn place(matches: &ArgMatches) -> Result<Place, store::Error> {
    let is_given = |name| {
        let source = matches
            .try_contains_id(name)
            .ok()
            .and_then(|_| matches.value_source(name));
        source == Some(ValueSource::CommandLine)
    };
    // What stands on the command line counts before what stands in the environment.
    let named = matches.get_one::<String>("database");
    let named = named.filter(|url| !url.is_empty());
    if let Some(url) = named.filter(|_| is_given("database") || !is_given("data")) {
        return Ok(Place::Postgres(PostgresPlace::parse(url)?));
    }
    let folder = matches.get_one::<std::path::PathBuf>("data");
    let default = || OsStr::new("hromada-data").into();
    Ok(Place::Folder(folder.cloned().unwrap_or_else(default)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed_in_both_languages() {
        for lang in [Lang::Uk, Lang::En] {
            command(lang).debug_assert();
            let mut command = command(lang);
            let help = command.render_long_help().to_string();
            assert!(!help.contains("cli."), "a text is missing: {help}");
            all_have_texts(&mut command);
        }
    }

    fn all_have_texts(command: &mut Command) {
        for sub in command.get_subcommands_mut() {
            let help = sub.render_long_help().to_string();
            assert!(!help.contains("cli."), "a text is missing: {help}");
            all_have_texts(sub);
        }
    }

    #[test]
    fn language_comes_from_the_flag_first() {
        let args = ["hromada", "--lang", "uk"].map(OsString::from);
        assert_eq!(language(&args), Lang::Uk);
        assert_eq!(
            language(&["hromada", "--lang=uk"].map(OsString::from)),
            Lang::Uk
        );
    }
}
