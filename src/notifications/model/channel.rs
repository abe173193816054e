//! Channels as they are stored and as people type them in. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{ChannelKind, EventKind, Rule};
use crate::clock::Timestamp;
use crate::error::FieldErrors;
use crate::fields;
use crate::outbound::Policy;

/// Most recipients of one e-mail channel.
const MAX_RECIPIENTS: usize = 50;
/// Before the name of a role in an e-mail channel's address: whoever holds it then.
pub const ROLE_PREFIX: &str = "role:";
/// Roles that an event may concern, besides teams.
pub const ROLES: [&str; 6] = ["commander", "communications", "operations", "scribe", "owner", "on-call"];
/// Before the name of a team whose people on call an event concerns.
pub const TEAM_PREFIX: &str = "team:";

/// Where notifications go.
#[derive(Clone, PartialEq, Eq)]
pub struct Channel {
    pub id: i64,
    pub name: String,
    pub kind: ChannelKind,
    /// A URL, which may itself be the secret, or e-mail addresses and roles with commas between them.
    pub address: String,
    /// What webhooks are signed with, newest first; all of them sign while a receiver changes over.
    pub secrets: Vec<String>,
    pub may_see_private: bool,
    pub digest: bool,
    pub enabled: bool,
    /// Why it was switched off by itself; empty when a person did it.
    pub disabled_reason: String,
    /// Deliveries given up since the last success.
    pub failures_in_row: i64,
    /// The first failure since the last success.
    pub failing_since: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("address", &self.shown_address())
            .field("enabled", &self.enabled)
            .finish_non_exhaustive()
    }
}

impl Channel {
    /// The address without what opens it: of a webhook's URL only scheme, host and the path's beginning.
    pub fn shown_address(&self) -> String {
        if self.kind == ChannelKind::Email {
            return self.address.clone();
        }
        let Ok(url) = url::Url::parse(&self.address) else { return "…".to_owned() };
        let first = url.path_segments().and_then(|mut s| s.next()).unwrap_or_default().to_owned();
        let port = url.port().map(|p| format!(":{p}")).unwrap_or_default();
        format!("{}://{}{port}/{}…", url.scheme(), url.host_str().unwrap_or_default(), shorten(&first))
    }

    /// E-mail recipients: the addresses, and the roles whose holders are told.
    pub fn recipients(&self) -> (Vec<String>, Vec<String>) {
        let pieces = self.address.split(',').map(str::trim).filter(|p| !p.is_empty());
        let (roles, addresses): (Vec<&str>, Vec<&str>) = pieces.partition(|p| p.starts_with(ROLE_PREFIX));
        let roles = roles.into_iter().filter_map(|r| r.strip_prefix(ROLE_PREFIX)).map(str::to_owned).collect();
        (addresses.into_iter().map(str::to_owned).collect(), roles)
    }

    /// Switched off by itself, not by a person.
    pub const fn gave_up(&self) -> bool {
        !self.enabled && !self.disabled_reason.is_empty()
    }

    /// `on`, `failing`, `off` or `given up`, for people.
    pub const fn state(&self) -> &'static str {
        match (self.enabled, self.failing_since, self.disabled_reason.is_empty()) {
            (true, None, _) => "on",
            (true, Some(_), _) => "failing",
            (false, _, true) => "off",
            (false, _, false) => "given up",
        }
    }
}

/// A path's first segment may be a short word that helps (`services`) or already the secret.
fn shorten(segment: &str) -> String {
    let is_word = segment.len() <= 12 && segment.chars().all(|c| c.is_ascii_alphabetic());
    if is_word { segment.to_owned() } else { String::new() }
}

/// What a person or program says of a channel.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct ChannelInput {
    #[serde(deserialize_with = "fields::text")]
    pub name: String,
    #[serde(deserialize_with = "fields::text")]
    pub kind: String,
    /// Empty in a change keeps the one that stands.
    #[serde(deserialize_with = "fields::text", skip_serializing)]
    pub address: String,
    #[serde(deserialize_with = "fields::flag")]
    pub may_see_private: bool,
    #[serde(deserialize_with = "fields::flag")]
    pub digest: bool,
    /// Begin with a rule that lets every event through.
    #[serde(deserialize_with = "fields::flag")]
    pub tell_all: bool,
}

/// A checked [`ChannelInput`].
#[derive(Clone)]
pub struct NewChannel {
    pub name: String,
    pub kind: ChannelKind,
    pub address: String,
    pub may_see_private: bool,
    pub digest: bool,
}

impl ChannelInput {
    /// `standing` is the channel that is changed: its kind stays, and its address if none was typed.
    ///
    /// # Errors
    /// Every complaint about `name`, `kind` and `address`.
    pub fn normalize(&self, standing: Option<&Channel>, policy: &Policy) -> Result<NewChannel, FieldErrors> {
        let mut errors = FieldErrors::default();
        let name = fields::required(&mut errors, "name", &self.name, 80);
        let kind = match standing {
            Some(channel) => Some(channel.kind),
            None => ChannelKind::parse(&self.kind),
        };
        if kind.is_none() {
            errors.add("kind", ChannelKind::unknown(&self.kind));
        }
        let typed = self.address.trim();
        let address = match (typed.is_empty(), standing, kind) {
            (true, Some(channel), _) => channel.address.clone(),
            (_, _, Some(ChannelKind::Email)) => mail_addresses(&mut errors, typed),
            _ => web_address(&mut errors, typed, policy),
        };
        match (errors.is_empty(), kind) {
            (true, Some(kind)) => {
                Ok(NewChannel { name, kind, address, may_see_private: self.may_see_private, digest: self.digest })
            }
            _ => Err(errors),
        }
    }
}

fn web_address(errors: &mut FieldErrors, typed: &str, policy: &Policy) -> String {
    let address = fields::required(errors, "address", typed, 2_000);
    if !address.is_empty()
        && let Err(refusal) = policy.check_url(&address)
    {
        errors.add("address", refusal.to_string());
    }
    address
}

fn mail_addresses(errors: &mut FieldErrors, typed: &str) -> String {
    let pieces: BTreeSet<&str> = typed.split([',', ';', '\n', ' ']).map(str::trim).filter(|p| !p.is_empty()).collect();
    if pieces.is_empty() {
        errors.add("address", "is needed");
    }
    if pieces.len() > MAX_RECIPIENTS {
        errors.add("address", format!("names {} recipients; at most {MAX_RECIPIENTS} are told", pieces.len()));
    }
    for piece in &pieces {
        match piece.strip_prefix(ROLE_PREFIX) {
            Some(role) if ROLES.contains(&role) => {}
            Some(role) => {
                errors.add("address", format!("'{role}' is not a role: use one of {}", ROLES.join(", ")));
            }
            None if piece.parse::<lettre::Address>().is_err() => {
                errors.add("address", format!("'{piece}' is not an e-mail address"));
            }
            None => {}
        }
    }
    pieces.into_iter().collect::<Vec<_>>().join(", ")
}

/// A rule as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredRule {
    pub id: i64,
    #[serde(skip)]
    pub channel_id: i64,
    pub name: String,
    #[serde(flatten)]
    pub rule: Rule,
}

impl StoredRule {
    /// The conditions in one sentence.
    pub fn words(&self) -> String {
        let mut parts = Vec::new();
        if !self.rule.events.is_empty() {
            parts.push(self.rule.events.iter().map(|e| e.label()).collect::<Vec<_>>().join(" or "));
        }
        for (noun, list) in
            [("severity", &self.rule.severities), ("service", &self.rule.services), ("role", &self.rule.roles)]
        {
            if !list.is_empty() {
                parts.push(format!("{noun} {}", list.join(" or ")));
            }
        }
        if parts.is_empty() { "Every event".to_owned() } else { parts.join("; ") }
    }
}

/// What a person or program says of a rule.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RuleInput {
    #[serde(deserialize_with = "fields::text")]
    pub name: String,
    #[serde(deserialize_with = "fields::words")]
    pub events: Vec<String>,
    #[serde(deserialize_with = "fields::words")]
    pub severities: Vec<String>,
    #[serde(deserialize_with = "fields::words")]
    pub services: Vec<String>,
    #[serde(deserialize_with = "fields::words")]
    pub roles: Vec<String>,
}

impl From<&StoredRule> for RuleInput {
    fn from(stored: &StoredRule) -> Self {
        Self {
            name: stored.name.clone(),
            events: stored.rule.events.iter().map(|e| e.as_str().to_owned()).collect(),
            severities: stored.rule.severities.clone(),
            services: stored.rule.services.clone(),
            roles: stored.rule.roles.clone(),
        }
    }
}

impl RuleInput {
    /// The name (made of the conditions when none was typed) and the rule.
    ///
    /// # Errors
    /// Every word that is none of its set. Services are not asked for here: one may be told of a service
    /// that the catalogue will only learn of.
    pub fn normalize(&self) -> Result<(String, Rule), FieldErrors> {
        let mut errors = FieldErrors::default();
        let name = fields::limited(&mut errors, "name", &self.name, 80);
        let mut events = Vec::new();
        for word in &self.events {
            match EventKind::parse(word) {
                Some(kind) if kind != EventKind::Test => events.push(kind),
                _ => errors.add("events", EventKind::unknown(word)),
            }
        }
        let mut one_of = |field: &str, words: &[String], known: &[&str]| -> Vec<String> {
            let found = |word: &String| known.iter().find(|k| k.eq_ignore_ascii_case(word)).map(|k| (*k).to_owned());
            for word in words.iter().filter(|w| found(w).is_none()) {
                errors.add(field, format!("'{word}' is not known here: use one of {}", known.join(", ")));
            }
            words.iter().filter_map(found).collect()
        };
        let severities = one_of("severities", &self.severities, &["SEV1", "SEV2", "SEV3", "SEV4"]);
        let is_team = |word: &&String| word.strip_prefix(TEAM_PREFIX).is_some_and(|name| !name.trim().is_empty());
        let (teams, roles): (Vec<_>, Vec<_>) = self.roles.iter().cloned().partition(|word| is_team(&word));
        let mut roles = one_of("roles", &roles, &ROLES);
        roles.extend(teams.iter().map(|team| fields::limited(&mut errors, "roles", team, 100)));
        if self.services.len() > 100 {
            errors.add("services", "names more than 100 services");
        }
        let services: Vec<String> =
            self.services.iter().map(|s| fields::limited(&mut errors, "services", s, 100).to_lowercase()).collect();
        if errors.is_empty() { Ok((name, Rule { events, severities, services, roles })) } else { Err(errors) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(kind: &str, address: &str) -> ChannelInput {
        ChannelInput { name: "Ops".into(), kind: kind.into(), address: address.into(), ..ChannelInput::default() }
    }

    #[test]
    fn an_address_is_checked_by_the_kind_of_channel() {
        let policy = Policy::default();
        let check = |kind: &str, address: &str| input(kind, address).normalize(None, &policy);
        assert!(check("slack", "https://hooks.slack.com/services/T0/B0/xyz").is_ok());
        for (kind, address) in [
            ("slack", ""),
            ("slack", "ftp://example.org/"),
            ("webhook", "http://127.0.0.1/"),
            ("webhook", "http://[::ffff:169.254.169.254]/"),
            ("discord", "https://user:pass@example.org/"),
            ("email", "nobody"),
            ("email", ""),
            ("email", "role:janitor"),
        ] {
            assert!(check(kind, address).is_err_and(|e| e.has("address")), "{kind} {address}");
        }
        let mail = check("email", "b@example.org; a@example.org,\nrole:commander b@example.org").expect("addresses");
        assert_eq!(mail.address, "a@example.org, b@example.org, role:commander");
        assert!(check("pigeon", "https://example.org/").is_err_and(|e| e.has("kind")));
    }

    #[test]
    fn what_opens_a_channel_is_never_shown() {
        let mut channel = Channel {
            id: 1,
            name: "Ops".into(),
            kind: ChannelKind::Slack,
            address: "https://hooks.slack.com/services/T0SECRET/B0/xyz".into(),
            secrets: vec!["whsec_TOPSECRET".into()],
            may_see_private: false,
            digest: true,
            enabled: true,
            disabled_reason: String::new(),
            failures_in_row: 0,
            failing_since: None,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
        };
        assert_eq!(channel.shown_address(), "https://hooks.slack.com/services…");
        let shown = format!("{channel:?}");
        assert!(!shown.contains("SECRET"), "{shown}");
        channel.address = "https://example.org/0123456789abcdef?token=t".into();
        assert_eq!(channel.shown_address(), "https://example.org/…");
    }

    #[test]
    fn a_rule_of_unknown_words_is_refused_by_field() {
        let rule = RuleInput {
            events: vec!["incident.exploded".into()],
            severities: vec!["SEV9".into()],
            roles: vec!["janitor".into()],
            ..RuleInput::default()
        };
        let errors = rule.normalize().expect_err("unknown words");
        assert!(errors.has("events") && errors.has("severities") && errors.has("roles"));
        let fine = RuleInput { severities: vec!["sev1".into()], services: vec!["Cart".into()], ..RuleInput::default() };
        let (_, rule) = fine.normalize().expect("a rule");
        assert_eq!((rule.severities[0].as_str(), rule.services[0].as_str()), ("SEV1", "cart"));
        let teams = RuleInput { roles: vec!["On-Call".into(), "team:Core payments".into()], ..RuleInput::default() };
        assert_eq!(teams.normalize().expect("a rule").1.roles, ["on-call", "team:Core payments"]);
        let nobody = RuleInput { roles: vec!["team: ".into()], ..RuleInput::default() };
        assert!(nobody.normalize().expect_err("a team without a name").has("roles"));
    }
}
