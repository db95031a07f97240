//! What the operator says of the provider of single sign-on.

use std::fmt;

use model::Message;
use model::access::Role;
use url::{Host, Url};

/// The provider of OpenID Connect, and who we are there.
#[derive(Debug, Clone)]
pub struct SingleSignOn {
    /// What people call it; it stands on the button.
    pub name: String,
    pub(crate) issuer: String,
    pub client_id: String,
    /// `None`: a public client.
    pub client_secret: Option<Secret>,
    /// Beside `openid`.
    pub scopes: Vec<String>,
    /// The claim with the groups that somebody is in: a list of texts, or one.
    pub groups_claim: String,
    /// The roles that groups give.
    pub roles: Vec<(String, Role)>,
}

impl SingleSignOn {
    /// With what most providers take: name and e-mail are asked for, groups come as `groups` and give nothing.
    ///
    /// # Errors
    /// When the issuer is not `https://…`, nor `http://…` at this machine: whoever sits between could sign in as anybody.
    pub fn new(issuer: &str, client_id: &str) -> Result<Self, Message> {
        let wrong = || Message::new("server.oidc-issuer").with("issuer", issuer);
        let url = Url::parse(issuer).map_err(|_| wrong())?;
        let is_plain = url.query().is_none() && url.fragment().is_none();
        let has_user = !url.username().is_empty() || url.password().is_some();
        if !is_guarded(&url) || !is_plain || has_user {
            return Err(wrong());
        }
        Ok(Self {
            name: url.host_str().unwrap_or_default().to_owned(),
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            client_secret: None,
            scopes: vec!["profile".to_owned(), "email".to_owned()],
            groups_claim: "groups".to_owned(),
            roles: Vec::new(),
        })
    }
}

/// Whether nobody between us and an address can read or change what is sent: `https`, or `http` within this machine.
pub(crate) fn is_guarded(url: &Url) -> bool {
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.has_host() && (url.scheme() == "https" || url.scheme() == "http" && is_here)
}

/// A role of a group, `GROUP=ROLE`. The name of a group may have `=` in it, as those of a directory have.
///
/// # Errors
/// When there is no such role.
pub fn parse_role(text: &str) -> Result<(String, Role), Message> {
    let wrong = || {
        let known: Vec<&str> = model::access::BUILT_IN.iter().map(|role| role.id).collect();
        Message::new("server.oidc-role")
            .with("text", text)
            .with("known", known.join(", "))
    };
    let (group, role) = text.rsplit_once('=').ok_or_else(wrong)?;
    let role = Role::named(role.trim()).ok_or_else(wrong)?;
    if group.trim().is_empty() {
        return Err(wrong());
    }
    Ok((group.trim().to_owned(), role))
}

/// A text that nothing writes out.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text without the space around it, such as the end of a file's line; `None` when nothing is left.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_reached_in_a_way_that_nobody_reads() {
        for good in [
            "https://id.kalush.test",
            "https://id.kalush.test/realms/hromada",
            "http://localhost:8081/realms/hromada",
            "http://127.0.0.1:1",
            "http://[::1]:1/",
        ] {
            assert!(SingleSignOn::new(good, "c").is_ok(), "{good}");
        }
        for bad in [
            "",
            "id.kalush.test",
            "http://id.kalush.test",
            "http://localhost.evil.test",
            "http://10.0.0.1",
            "ftp://localhost",
            "file:///etc/passwd",
            "https://a:b@id.kalush.test",
            "https://id.kalush.test/?a=b",
        ] {
            assert!(SingleSignOn::new(bad, "c").is_err(), "{bad}");
        }
    }

    #[test]
    fn a_role_is_given_to_a_group_of_any_name() {
        for (text, group) in [
            ("planners=planner", "planners"),
            ("/town/planners = planner", "/town/planners"),
            ("cn=planners,ou=town=planner", "cn=planners,ou=town"),
        ] {
            assert_eq!(
                parse_role(text).unwrap(),
                (group.to_owned(), Role::named("planner").unwrap())
            );
        }
        for bad in ["planner", "=planner", "planners=", "planners=mayor"] {
            assert!(parse_role(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_secret_is_not_in_what_is_written_out() {
        let mut options = SingleSignOn::new("https://id.kalush.test", "c").unwrap();
        options.client_secret = Secret::new(" hidden\n");
        assert_eq!(options.client_secret.as_ref().unwrap().text(), "hidden");
        assert!(!format!("{options:?}").contains("hidden"));
        assert_eq!(Secret::new(" \n"), None);
    }
}
