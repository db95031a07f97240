//! The provider as we know it, and what is asked of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http;
use futures_util::future::BoxFuture;
use model::access::Role;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClientAuthMethod,
    CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm as Algorithm, CoreProviderMetadata, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AsyncHttpClient, AuthType, AuthorizationCode, ClaimsVerificationError,
    Client, ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IdToken, IdTokenClaims, IdTokenFields,
    IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, SignatureVerificationError, StandardErrorResponse,
    StandardTokenResponse, TokenResponse, UserInfoClaims, UserInfoError,
};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use url::Url;

use super::person;
use crate::SingleSignOn;
use crate::identity;
use crate::limits::{MAX_PROVIDER_ANSWER, PROVIDER_TIMEOUT};
use crate::problem::shown;
use crate::single_sign_on::is_guarded;

/// For which what the provider publishes of itself is kept.
const KEPT: Duration = Duration::from_secs(3600);
/// Between two looks for a key that we do not know.
const BETWEEN_LOOKS: Duration = Duration::from_secs(10);
/// After a look that failed, until the next one.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Longest subject (OpenID Connect Core 1.0 §2).
const MAX_SUBJECT: usize = 255;

/// Signatures that are taken: those that only the provider can make. Not `none`, nor those by a secret that is shared.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RsaSsaPkcs1V15Sha256,
    Algorithm::RsaSsaPkcs1V15Sha384,
    Algorithm::RsaSsaPkcs1V15Sha512,
    Algorithm::RsaSsaPssSha256,
    Algorithm::RsaSsaPssSha384,
    Algorithm::RsaSsaPssSha512,
    Algorithm::EcdsaP256Sha256,
    Algorithm::EcdsaP384Sha384,
    Algorithm::EdDsa,
];

/// Why nobody was signed in. The cause is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// The key of a text that says why.
    Refused(&'static str),
    /// The provider can't be asked.
    Away,
}

/// What a browser keeps while it is at the provider, so that nobody finishes what somebody else has begun.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
}

impl Step {
    pub(super) fn read(text: &str) -> Option<Self> {
        // What PKCE allows (RFC 7636 §4.1) but for the dot, which is between the parts.
        let is_part = |part: &&str| {
            let is_known = |b: u8| b.is_ascii_alphanumeric() || b"-_~".contains(&b);
            (16..=128).contains(&part.len()) && part.bytes().all(is_known)
        };
        let parts: Vec<&str> = text.split('.').filter(is_part).collect();
        let [state, nonce, verifier] = parts[..] else {
            return None;
        };
        Some(Self {
            state: state.to_owned(),
            nonce: nonce.to_owned(),
            verifier: verifier.to_owned(),
        })
    }
}

pub(crate) struct Provider {
    options: SingleSignOn,
    found: Mutex<Option<Arc<Found>>>,
    /// Held by the one who looks.
    looks: tokio::sync::Mutex<Looks>,
}

/// What the provider says of itself.
struct Found {
    metadata: CoreProviderMetadata,
    http: Http,
    at: Instant,
}

#[derive(Debug, Default)]
struct Looks {
    failed: Option<Instant>,
    /// The last one for a key.
    for_key: Option<Instant>,
}

impl Looks {
    fn may_look(&self, now: Instant) -> bool {
        is_past(self.failed, AFTER_FAILURE, now)
    }

    fn may_look_for_key(&self, now: Instant) -> bool {
        self.may_look(now) && is_past(self.for_key, BETWEEN_LOOKS, now)
    }
}

fn is_past(at: Option<Instant>, wait: Duration, now: Instant) -> bool {
    at.is_none_or(|at| now.saturating_duration_since(at) >= wait)
}

/// All claims that are not standard ones.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Others {
    #[serde(flatten)]
    claims: BTreeMap<String, Json>,
}

impl AdditionalClaims for Others {}

type Token = IdToken<Others, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, Algorithm>;
type Fields = IdTokenFields<
    Others,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    Algorithm,
>;
type Tokens = StandardTokenResponse<Fields, CoreTokenType>;
type Party = Client<
    Others,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

impl Provider {
    pub(crate) fn new(options: SingleSignOn) -> Self {
        Self {
            options,
            found: Mutex::default(),
            looks: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn issuer(&self) -> &str {
        &self.options.issuer
    }

    pub(super) fn roles(&self) -> &[(String, Role)] {
        &self.options.roles
    }

    /// The address at the provider that a browser is sent to, and what it keeps meanwhile.
    /// `again`: they are to show who they are, also if they did a while ago (OpenID Connect Core 1.0 §3.1.2.1).
    pub(super) async fn begin(
        &self,
        redirect: &str,
        again: bool,
    ) -> Result<(String, Step), Failure> {
        let found = self.found().await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let party = self.party(&found, redirect)?;
        let request = party.authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            CsrfToken::new_random,
            Nonce::new_random,
        );
        let scopes = self.options.scopes.iter().cloned().map(Scope::new);
        let mut request = request.add_scopes(scopes).set_pkce_challenge(challenge);
        if again {
            request = request
                .add_prompt(CoreAuthPrompt::Login)
                .set_max_age(Duration::ZERO);
        }
        let (there, state, nonce) = request.url();
        let step = Step {
            state: state.into_secret(),
            nonce: nonce.secret().clone(),
            verifier: verifier.into_secret(),
        };
        Ok((there.into(), step))
    }

    /// What the provider says of whoever brings a code.
    pub(super) async fn claims(
        &self,
        code: &str,
        step: Step,
        redirect: &str,
    ) -> Result<person::Claims, Failure> {
        let found = self.found().await?;
        let tokens = self.exchange(&found, code, step.verifier, redirect).await?;
        let Some(token) = tokens.id_token() else {
            return Err(refused(&"there is no ID token in the answer"));
        };
        let nonce = Nonce::new(step.nonce);
        let party = self.party(&found, redirect)?;
        let verified = match verify(&party, token, &nonce) {
            Err(error) if is_unknown_key(&error) => {
                let renewed = self.found_again(&found).await?;
                let renewed = renewed.ok_or_else(|| refused(&error))?;
                let party = self.party(&renewed, redirect)?;
                verify(&party, token, &nonce)
            }
            verified => verified,
        };
        let verified = verified.map_err(|error| refused(&error))?;
        let mut claims = self.read(verified)?;
        let groups = verified
            .additional_claims()
            .claims
            .get(&self.options.groups_claim);
        match groups {
            Some(groups) => claims.groups = texts(groups),
            None if found.metadata.userinfo_endpoint().is_some() => {
                self.ask_more(&found, &party, &tokens, &mut claims).await?;
            }
            None => {}
        }
        Ok(claims)
    }

    async fn exchange(
        &self,
        found: &Found,
        code: &str,
        verifier: String,
        redirect: &str,
    ) -> Result<Tokens, Failure> {
        let party = self.party(found, redirect)?;
        let code = AuthorizationCode::new(code.to_owned());
        let request = party.exchange_code(code).map_err(|error| away(&error))?;
        let request = request.set_pkce_verifier(PkceCodeVerifier::new(verifier));
        let answer = request.request_async(&found.http).await;
        // The answer itself is not written out: it may hold tokens.
        answer.map_err(|error| match &error {
            RequestTokenError::ServerResponse(answer) => match answer.error() {
                // It does not know us: the operator has to look.
                CoreErrorResponseType::InvalidClient
                | CoreErrorResponseType::UnauthorizedClient => away(&error),
                _ => refused(&error),
            },
            RequestTokenError::Request(cause) => away(cause),
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => away(&error),
        })
    }

    /// What was not in the ID token (OpenID Connect Core 1.0 §5.3). It has to be of the same subject.
    async fn ask_more(
        &self,
        found: &Found,
        party: &Party,
        tokens: &Tokens,
        claims: &mut person::Claims,
    ) -> Result<(), Failure> {
        let subject = openidconnect::SubjectIdentifier::new(claims.subject.clone());
        let request = party
            .user_info(tokens.access_token().clone(), Some(subject))
            .map_err(|error| away(&error))?;
        let answer: Result<UserInfoClaims<Others, CoreGenderClaim>, _> =
            request.request_async(&found.http).await;
        let more = answer.map_err(|error| match &error {
            UserInfoError::ClaimsVerification(error) => refused(error),
            UserInfoError::Request(cause) => away(cause),
            _ => away(&error),
        })?;
        let name = more.name().and_then(|name| name.get(None));
        let or = |known: &mut Option<String>, more: Option<&str>| {
            if known.is_none() {
                *known = more.map(str::to_owned);
            }
        };
        or(&mut claims.name, name.map(|name| name.as_str()));
        or(
            &mut claims.username,
            more.preferred_username().map(|name| name.as_str()),
        );
        if more.email_verified() != Some(false) {
            or(&mut claims.email, more.email().map(|email| email.as_str()));
        }
        let groups = more
            .additional_claims()
            .claims
            .get(&self.options.groups_claim);
        claims.groups = groups.map(texts).unwrap_or_default();
        Ok(())
    }

    fn read(
        &self,
        verified: &IdTokenClaims<Others, CoreGenderClaim>,
    ) -> Result<person::Claims, Failure> {
        let subject = verified.subject().as_str();
        if subject.is_empty() || subject.len() > MAX_SUBJECT {
            return Err(refused(&"the subject is empty or too long"));
        }
        let name = verified.name().and_then(|name| name.get(None));
        // An address that the provider knows not to be theirs may be anybody's.
        let proved = verified.auth_time().map(|time| time.timestamp());
        // What is still to come proves nothing.
        let proved = proved.filter(|at| *at <= identity::seconds() + AHEAD);
        let email = verified
            .email()
            .filter(|_| verified.email_verified() != Some(false));
        Ok(person::Claims {
            issuer: self.options.issuer.clone(),
            subject: subject.to_owned(),
            username: verified.preferred_username().map(|name| name.to_string()),
            name: name.map(|name| name.to_string()),
            email: email.map(|email| email.to_string()),
            groups: Vec::new(),
            proved: proved.map(identity::at),
        })
    }

    /// Us, as the provider knows us.
    fn party(&self, found: &Found, redirect: &str) -> Result<Party, Failure> {
        let options = &self.options;
        let secret = options.client_secret.as_ref();
        let party = Party::from_provider_metadata(
            found.metadata.clone(),
            ClientId::new(options.client_id.clone()),
            secret.map(|secret| ClientSecret::new(secret.text().to_owned())),
        );
        let methods = found.metadata.token_endpoint_auth_methods_supported();
        let has = |method| methods.is_none_or(|methods| methods.contains(&method));
        let by = if has(CoreClientAuthMethod::ClientSecretBasic) {
            AuthType::BasicAuth
        } else {
            AuthType::RequestBody
        };
        let redirect = RedirectUrl::new(redirect.to_owned()).map_err(|error| away(&error))?;
        Ok(party.set_auth_type(by).set_redirect_uri(redirect))
    }

    fn kept(&self) -> Option<Arc<Found>> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |found: &&Arc<Found>| found.at.elapsed() < KEPT;
        found.as_ref().filter(is_fresh).cloned()
    }

    async fn found(&self) -> Result<Arc<Found>, Failure> {
        if let Some(found) = self.kept() {
            return Ok(found);
        }
        let mut looks = self.looks.lock().await;
        // Somebody else has looked meanwhile.
        if let Some(found) = self.kept() {
            return Ok(found);
        }
        if !looks.may_look(Instant::now()) {
            return Err(Failure::Away);
        }
        self.look(&mut looks).await
    }

    /// What is newer than what is known; `None` when it is too soon to look again.
    async fn found_again(&self, known: &Arc<Found>) -> Result<Option<Arc<Found>>, Failure> {
        let mut looks = self.looks.lock().await;
        if let Some(found) = self.kept().filter(|found| found.at > known.at) {
            return Ok(Some(found));
        }
        let now = Instant::now();
        if !looks.may_look_for_key(now) {
            return Ok(None);
        }
        looks.for_key = Some(now);
        self.look(&mut looks).await.map(Some)
    }

    async fn look(&self, looks: &mut Looks) -> Result<Arc<Found>, Failure> {
        let looked = self.discover().await;
        looks.failed = looked.is_err().then(Instant::now);
        let found = Arc::new(looked?);
        let mut kept = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some(Arc::clone(&found));
        Ok(found)
    }

    /// OpenID Connect Discovery 1.0 §4
    async fn discover(&self) -> Result<Found, Failure> {
        let http = Http {
            client: client(&self.options).map_err(|error| away(&error))?,
            issuer: self.options.issuer.clone(),
        };
        let issuer = IssuerUrl::new(self.options.issuer.clone()).map_err(|error| away(&error))?;
        let metadata = CoreProviderMetadata::discover_async(issuer, &http).await;
        let metadata = metadata.map_err(|error| away(&Causes(&error)))?;
        let endpoints = [
            Some(metadata.authorization_endpoint().url()),
            metadata.token_endpoint().map(|endpoint| endpoint.url()),
            metadata.userinfo_endpoint().map(|endpoint| endpoint.url()),
            Some(metadata.jwks_uri().url()),
        ];
        if !endpoints
            .into_iter()
            .flatten()
            .all(|url| is_allowed(url, &self.options.issuer))
        {
            return Err(away(&"an address of the provider is not guarded by TLS"));
        }
        Ok(Found {
            metadata,
            http,
            at: Instant::now(),
        })
    }
}

fn verify<'a>(
    party: &Party,
    token: &'a Token,
    nonce: &Nonce,
) -> Result<&'a IdTokenClaims<Others, CoreGenderClaim>, ClaimsVerificationError> {
    let verifier = party
        .id_token_verifier()
        .set_allowed_algs(ALGORITHMS)
        .set_issue_time_verifier_fn(|issued| is_of_now(issued.timestamp(), identity::seconds()));
    let claims = token.claims(&verifier, nonce)?;
    // OpenID Connect Core 1.0 §3.1.3.7, step 5, which the verifier leaves out. Step 4 is about tokens for others too,
    // and it takes none of those.
    if let Some(other) = claims
        .authorized_party()
        .filter(|azp| *azp != party.client_id())
    {
        let cause = format!("authorized party is {:?}", shown(other));
        return Err(ClaimsVerificationError::InvalidAudience(cause));
    }
    Ok(claims)
}

/// Seconds that the clock of the provider may be ahead.
const AHEAD: i64 = 60;

/// Whether a token was made for this sign-in.
fn is_of_now(issued: i64, now: i64) -> Result<(), String> {
    const OLDEST: i64 = 10 * 60;
    if (now - OLDEST..=now + AHEAD).contains(&issued) {
        return Ok(());
    }
    Err(format!("it was issued {} s ago", now - issued))
}

fn is_unknown_key(error: &ClaimsVerificationError) -> bool {
    use ClaimsVerificationError::SignatureVerification;
    matches!(
        error,
        SignatureVerification(SignatureVerificationError::NoMatchingKey)
    )
}

/// A list of texts, or one.
fn texts(json: &Json) -> Vec<String> {
    let text = |json: &Json| json.as_str().map(str::to_owned);
    match json {
        Json::Array(list) => list.iter().filter_map(text).collect(),
        one => text(one).into_iter().collect(),
    }
}

/// Plain HTTP is for a provider on this machine that is reached so itself.
fn is_allowed(url: &Url, issuer: &str) -> bool {
    is_guarded(url) && (url.scheme() == "https" || issuer.starts_with("http:"))
}

fn refused(cause: &dyn fmt::Display) -> Failure {
    tracing::warn!(%cause, "single sign-on was refused");
    Failure::Refused("server.single-refused")
}

fn away(cause: &dyn fmt::Display) -> Failure {
    tracing::error!(%cause, "the provider of single sign-on can't be asked");
    Failure::Away
}

/// An error with those behind it.
struct Causes<'a>(&'a dyn std::error::Error);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// Certificates are checked against those that the system trusts.
fn client(options: &SingleSignOn) -> reqwest::Result<reqwest::Client> {
    // The one provider of TLS that rustls is built with; it may be there already.
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PROVIDER_TIMEOUT)
        .https_only(options.issuer.starts_with("https:"))
        .build()
}

/// Why there is no answer.
#[derive(Debug)]
enum Unanswered {
    Http(reqwest::Error),
    Status(http::StatusCode),
    TooLarge,
    Unguarded,
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(error) => write!(f, "{}", Causes(error)),
            Self::Status(status) => write!(f, "it answers {status}"),
            Self::Unguarded => write!(f, "an address of the provider is not guarded by TLS"),
            Self::TooLarge => write!(f, "its answer is above {MAX_PROVIDER_ANSWER} bytes"),
        }
    }
}

impl std::error::Error for Unanswered {}

impl From<reqwest::Error> for Unanswered {
    fn from(error: reqwest::Error) -> Self {
        Self::Http(error)
    }
}

/// The client that asks the provider, and the provider's issuer.
struct Http {
    client: reqwest::Client,
    issuer: String,
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = Unanswered;
    type Future = BoxFuture<'c, Result<HttpResponse, Unanswered>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(send(self, request))
    }
}

async fn send(http: &Http, request: HttpRequest) -> Result<HttpResponse, Unanswered> {
    let request = reqwest::Request::try_from(request)?;
    // What the provider says of itself is asked for too.
    if !is_allowed(request.url(), &http.issuer) {
        return Err(Unanswered::Unguarded);
    }
    let mut answer = http.client.execute(request).await?;
    let status = answer.status();
    if status.is_server_error() || status == http::StatusCode::TOO_MANY_REQUESTS {
        return Err(Unanswered::Status(status));
    }
    let headers = std::mem::take(answer.headers_mut());
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > MAX_PROVIDER_ANSWER {
            return Err(Unanswered::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    let mut response = HttpResponse::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_for_a_key_is_made_at_once_and_then_not_for_ten_seconds() {
        let start = Instant::now();
        let mut looks = Looks::default();
        let after = |ms| start + Duration::from_millis(ms);
        assert!(looks.may_look_for_key(start));
        looks.for_key = Some(start);
        assert!(!looks.may_look_for_key(after(9_999)));
        assert!(looks.may_look_for_key(after(10_000)));
        assert!(looks.may_look(start));
        looks.failed = Some(after(10_000));
        assert!(!looks.may_look(after(10_500)) && !looks.may_look_for_key(after(10_500)));
        assert!(looks.may_look(after(11_000)) && looks.may_look_for_key(after(11_000)));
    }

    #[test]
    fn a_token_is_of_this_sign_in() {
        assert!(
            [0, 60, -600]
                .iter()
                .all(|ago| is_of_now(1_000_000 + ago, 1_000_000).is_ok())
        );
        assert!(
            [61, -601]
                .iter()
                .all(|ago| is_of_now(1_000_000 + ago, 1_000_000).is_err())
        );
    }

    #[test]
    fn a_step_that_was_tampered_with_is_none() {
        let part = "abcdefghijklmnop";
        let good = format!("{part}.{part}.{part}");
        assert!(Step::read(&good).is_some());
        for bad in [
            String::new(),
            part.to_owned(),
            format!("{part}.{part}"),
            format!("{good}.{part}"),
            format!("{part}.{part}.a b"),
            format!("{part}.{part}.{}", "a".repeat(129)),
        ] {
            assert_eq!(Step::read(&bad), None, "{bad}");
        }
    }

    #[test]
    fn groups_are_a_list_or_one() {
        let read = |text: &str| texts(&serde_json::from_str(text).unwrap());
        assert_eq!(read(r#"["a", "b", 3, null]"#), ["a", "b"]);
        assert_eq!(read(r#""a""#), ["a"]);
        assert_eq!(read(r#"{"a": 1}"#), Vec::<String>::new());
    }

    #[test]
    fn a_provider_that_is_reached_by_tls_has_no_address_without() {
        let url = |text: &str| Url::parse(text).unwrap();
        assert!(is_allowed(&url("https://id.test/token"), "https://id.test"));
        assert!(!is_allowed(&url("http://id.test/token"), "https://id.test"));
        assert!(!is_allowed(
            &url("http://localhost/token"),
            "https://id.test"
        ));
        assert!(is_allowed(
            &url("http://localhost:1/token"),
            "http://localhost:1"
        ));
        assert!(!is_allowed(
            &url("http://id.test/token"),
            "http://localhost:1"
        ));
        assert!(client(&SingleSignOn::new("https://id.test", "c").unwrap()).is_ok());
    }
}
