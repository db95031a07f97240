//! Who sits at the machine.

use std::os::unix::fs::MetadataExt;

use model::access::is_plain;

/// The longest name that the logs take from a machine.
const MAX_LENGTH: usize = 64;

/// The actor of what is done here, as the logs name it: the account of whoever became root by sudo, else that of the
/// process.
pub(crate) fn actor() -> String {
    // Only who is root got it from sudo; anybody may set it for a process of their own.
    let by_sudo = || (uid()? == 0).then(|| named("SUDO_USER")).flatten();
    let name = by_sudo()
        .or_else(account)
        .or_else(|| named("USER"))
        .unwrap_or_else(|| "unknown".to_owned());
    format!("console:{name}")
}

fn named(variable: &str) -> Option<String> {
    let name = std::env::var(variable).ok()?;
    let is_name = !name.is_empty()
        && name.chars().count() <= MAX_LENGTH
        && name.chars().all(|c| is_plain(c) && !c.is_whitespace());
    is_name.then_some(name)
}

/// The account of this process in `/etc/passwd`; one of a directory service is not there.
fn account() -> Option<String> {
    let uid = uid()?.to_string();
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    let line = accounts
        .lines()
        .find(|line| line.split(':').nth(2) == Some(uid.as_str()))?;
    line.split(':').next().map(str::to_owned)
}

fn uid() -> Option<u32> {
    Some(std::fs::metadata("/proc/self").ok()?.uid())
}
