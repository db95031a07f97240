//! The arguments of `hromada tiles`.

use std::path::PathBuf;

use clap::{Arg, ArgAction, Command, value_parser};
use model::{Lang, Message};

pub(super) fn tiles(lang: Lang) -> Command {
    let t = |key: &'static str| Message::new(key).text(lang);
    let option = |name: &'static str, value: &'static str, key: &'static str| {
        Arg::new(name).long(name).value_name(value).help(t(key))
    };
    let file = |key: &'static str| {
        Arg::new("file")
            .value_name("FILE")
            .required(true)
            .value_parser(value_parser!(PathBuf))
            .help(t(key))
    };
    let export = Command::new("export")
        .about(t("cli.tiles-export"))
        .arg(
            option("collections", "ID,ID", "cli.tiles-collections")
                .value_delimiter(',')
                .action(ArgAction::Append),
        )
        .arg(
            option("bbox", "W,S,E,N", "cli.tiles-bbox")
                .value_delimiter(',')
                .value_parser(value_parser!(f64))
                // West of Greenwich.
                .allow_hyphen_values(true),
        )
        .arg(option("zooms", "FIRST-LAST", "cli.tiles-zooms"))
        .arg(
            Arg::new("whole")
                .long("whole")
                .action(ArgAction::SetTrue)
                .help(t("cli.tiles-whole")),
        )
        .arg(file("cli.tiles-out"));
    Command::new("tiles")
        .about(t("cli.tiles"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(export)
        .subcommand(
            Command::new("verify")
                .about(t("cli.tiles-verify"))
                .arg(file("cli.tiles-verify-file")),
        )
}
