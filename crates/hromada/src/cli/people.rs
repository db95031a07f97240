//! The arguments of the commands about people and access.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgGroup, Command, value_parser};
use model::access::{BUILT_IN, Class, Scope};
use model::{Lang, Message};
use store::MAX_TOKEN_DAYS;

/// Records of the audit log that are shown at most: they are held in memory.
const MAX_RECORDS: i64 = 100_000;

/// The commands in the order of the help.
pub(super) fn all(lang: Lang) -> [Command; 7] {
    let words = Words(lang);
    [
        user(words),
        role(words),
        unit(words),
        token(words),
        access(words),
        audit(words),
        webhook(words),
    ]
}

#[derive(Clone, Copy)]
struct Words(Lang);

impl Words {
    fn t(self, key: &'static str) -> String {
        Message::new(key).text(self.0)
    }

    fn group(self, name: &'static str, key: &'static str) -> Command {
        Command::new(name)
            .about(self.t(key))
            .subcommand_required(true)
            .arg_required_else_help(true)
    }

    fn command(self, name: &'static str, key: &'static str) -> Command {
        Command::new(name).about(self.t(key))
    }

    /// `--name VALUE`
    fn option(self, name: &'static str, value: &'static str, key: &'static str) -> Arg {
        Arg::new(name)
            .long(name)
            .value_name(value)
            .help(self.t(key))
    }

    fn file(self, name: &'static str, value: &'static str, key: &'static str) -> Arg {
        let option = self.option(name, value, key);
        option.value_parser(value_parser!(PathBuf))
    }

    /// What has to stand there without a name.
    fn word(self, name: &'static str, value: &'static str, key: &'static str) -> Arg {
        Arg::new(name)
            .value_name(value)
            .required(true)
            .help(self.t(key))
    }

    fn days(self, command: Command) -> Command {
        command
            .arg(self.option("from", "DATE", "cli.person-from"))
            .arg(self.option("until", "DATE", "cli.person-until"))
    }

    /// What a role is bound to.
    fn bounds(self, command: Command) -> Command {
        let command = command
            .arg(self.option("unit", "UNIT", "cli.role-unit"))
            .arg(self.file("area", "FILE.geojson", "cli.role-area"));
        self.days(command)
    }

    fn role(self, arg: Arg) -> Arg {
        arg.value_parser(PossibleValuesParser::new(BUILT_IN.map(|role| role.id)))
    }

    fn base_url(self) -> Arg {
        self.option("base-url", "URL", "cli.link-base-url")
    }
}

fn user(w: Words) -> Command {
    let id = || w.word("id", "ID", "cli.user-id");
    let add = w
        .command("add", "cli.user-add")
        .arg(id())
        .arg(w.option("name", "TEXT", "cli.user-name").required(true))
        .arg(w.option("email", "ADDRESS", "cli.user-email"))
        .arg(
            Arg::new("machine")
                .long("machine")
                .action(ArgAction::SetTrue)
                .help(w.t("cli.user-machine")),
        )
        .arg(
            w.role(
                w.option("role", "ROLE", "cli.user-role")
                    .action(ArgAction::Append),
            ),
        )
        .arg(w.base_url());
    let deputy = w
        .command("deputy", "cli.user-deputy")
        .arg(id())
        .arg(
            w.option("person", "OTHER", "cli.user-deputy-person")
                .required(true),
        )
        .arg(
            Arg::new("remove")
                .long("remove")
                .action(ArgAction::SetTrue)
                .conflicts_with_all(["from", "until"])
                .help(w.t("cli.user-deputy-remove")),
        );
    w.group("user", "cli.user")
        .subcommand(w.bounds(add))
        .subcommand(w.command("list", "cli.user-list"))
        .subcommand(w.command("show", "cli.user-show").arg(id()))
        .subcommand(w.command("disable", "cli.user-disable").arg(id()))
        .subcommand(w.command("enable", "cli.user-enable").arg(id()))
        .subcommand(
            w.command("link", "cli.user-link")
                .arg(id())
                .arg(w.base_url()),
        )
        .subcommand(w.days(deputy))
}

fn role(w: Words) -> Command {
    let id = || w.word("id", "ID", "cli.user-id");
    let role = || w.role(w.word("role", "ROLE", "cli.role-name"));
    let give = w.command("give", "cli.role-give").arg(id()).arg(role());
    w.group("role", "cli.role")
        .subcommand(w.command("list", "cli.role-list"))
        .subcommand(w.bounds(give))
        .subcommand(
            w.command("take", "cli.role-take")
                .arg(id())
                .arg(role())
                .arg(w.option("unit", "UNIT", "cli.role-take-unit")),
        )
}

fn unit(w: Words) -> Command {
    let id = || w.word("id", "UNIT", "cli.unit-id");
    w.group("unit", "cli.unit")
        .subcommand(
            w.command("add", "cli.unit-add")
                .arg(id())
                .arg(w.option("title", "TEXT", "cli.unit-title").required(true))
                .arg(w.option("parent", "UNIT", "cli.unit-parent")),
        )
        .subcommand(w.command("list", "cli.unit-list"))
        .subcommand(w.command("remove", "cli.unit-remove").arg(id()))
}

fn token(w: Words) -> Command {
    let scopes = Scope::ALL.map(|scope| scope.name());
    w.group("token", "cli.token")
        .subcommand(
            w.command("new", "cli.token-new")
                .arg(w.word("id", "ID", "cli.user-id"))
                .arg(w.option("label", "TEXT", "cli.token-label"))
                .arg(
                    w.option("scope", "SCOPE", "cli.token-scope")
                        .action(ArgAction::Append)
                        .value_parser(PossibleValuesParser::new(scopes))
                        .default_value("read"),
                )
                .arg(
                    w.option("collection", "ID", "cli.token-collection")
                        .action(ArgAction::Append),
                )
                .arg(
                    w.option("days", "N", "cli.token-days")
                        .value_parser(value_parser!(u32).range(1..=i64::from(MAX_TOKEN_DAYS)))
                        .default_value("365"),
                ),
        )
        .subcommand(
            w.command("list", "cli.token-list")
                .arg(w.word("id", "ID", "cli.token-whose").required(false)),
        )
        .subcommand(w.command("revoke", "cli.token-revoke").arg(w.word(
            "hash",
            "HASH-PREFIX",
            "cli.token-hash",
        )))
}

fn webhook(w: Words) -> Command {
    let id = || w.word("id", "ID", "cli.webhook-id");
    w.group("webhook", "cli.webhook")
        .subcommand(
            w.command("add", "cli.webhook-add")
                .arg(id())
                .arg(w.word("url", "URL", "cli.webhook-url"))
                .arg(w.option("as", "USER", "cli.webhook-as").required(true))
                .arg(
                    w.option("collection", "ID", "cli.webhook-collection")
                        .action(ArgAction::Append),
                )
                .arg(
                    w.option("bbox", "W,S,E,N", "cli.webhook-bbox")
                        .allow_hyphen_values(true),
                )
                .arg(
                    Arg::new("internal")
                        .long("internal")
                        .action(ArgAction::SetTrue)
                        .help(w.t("cli.webhook-internal")),
                ),
        )
        .subcommand(w.command("list", "cli.webhook-list"))
        .subcommand(w.command("remove", "cli.webhook-remove").arg(id()))
        .subcommand(w.command("retry", "cli.webhook-retry").arg(id()))
}

fn access(w: Words) -> Command {
    let classes = Class::ALL.map(|class| class.name());
    let collection = |key| w.word("collection", "COLLECTION", key);
    w.group("access", "cli.access")
        .subcommand(
            w.command("show", "cli.access-show")
                .arg(collection("cli.access-which").required(false)),
        )
        .subcommand(
            w.command("set", "cli.access-set")
                .arg(collection("cli.access-collection"))
                .arg(
                    w.word("class", "CLASS", "cli.access-class")
                        .required(false)
                        .value_parser(PossibleValuesParser::new(classes)),
                )
                .arg(
                    w.option("unit", "UNIT", "cli.access-unit")
                        .conflicts_with("file"),
                )
                .arg(w.file("file", "RULES.json", "cli.access-file"))
                .group(ArgGroup::new("what").args(["class", "file"]).required(true)),
        )
}

fn audit(w: Words) -> Command {
    w.group("audit", "cli.audit")
        .subcommand(
            w.command("show", "cli.audit-show")
                .arg(w.option("actor", "NAME", "cli.audit-actor"))
                .arg(w.option("action", "ACTION", "cli.audit-action"))
                .arg(w.option("subject", "TEXT", "cli.audit-subject"))
                .arg(w.option("from", "TIME", "cli.audit-from"))
                .arg(w.option("until", "TIME", "cli.audit-until"))
                .arg(
                    w.option("limit", "N", "cli.audit-limit")
                        .value_parser(value_parser!(u32).range(1..=MAX_RECORDS))
                        .default_value("50"),
                ),
        )
        .subcommand(w.command("verify", "cli.audit-verify").arg(w.option(
            "noted",
            "N:SHA256",
            "cli.audit-noted",
        )))
}
