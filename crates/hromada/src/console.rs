//! Who sits at the machine.

use std::os::unix::fs::MetadataExt;

/// The longest name that the logs take from a machine.
const MAX_LENGTH: usize = 64;

/// The actor of what is done here, as the logs name it: the account of whoever became root by sudo, else that of the
/// process.
pub(crate) fn actor() -> String {
    let name = named("SUDO_USER")
        .or_else(account)
        .or_else(|| named("USER"))
        .unwrap_or_else(|| "unknown".to_owned());
    format!("console:{name}")
}

fn named(variable: &str) -> Option<String> {
    let name = std::env::var(variable).ok()?;
    let is_name = !name.is_empty()
        && name.chars().count() <= MAX_LENGTH
        && !name.chars().any(|c| c.is_control() || c.is_whitespace());
    is_name.then_some(name)
}

/// The account of this process in `/etc/passwd`; one of a directory service is not there.
fn account() -> Option<String> {
    let uid = std::fs::metadata("/proc/self").ok()?.uid().to_string();
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    let line = accounts
        .lines()
        .find(|line| line.split(':').nth(2) == Some(uid.as_str()))?;
    line.split(':').next().map(str::to_owned)
}
