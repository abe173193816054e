//! When a runbook offers itself: conditions over what is known of an incident, each match with the
//! reason a person reads.

use std::collections::BTreeMap;

use serde_norway::Value;

use super::front_matter::name_of;

/// All given parts must hold. Patterns are compared without case, and `*` stands for anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Condition {
    pub service: Vec<String>,
    pub severity: Vec<String>,
    /// Labels of one alert of the incident, all on the same alert.
    pub label: BTreeMap<String, String>,
    /// `service`, `operation` or `deployment`: the kind of a leading suspect.
    pub suspect: Vec<String>,
    /// Words in the incident's title.
    pub title: Vec<String>,
}

/// What is known of an incident at this moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IncidentFacts {
    pub title: String,
    pub severity: String,
    pub services: Vec<String>,
    /// Labels of each alert of the incident.
    pub alerts: Vec<BTreeMap<String, String>>,
    /// Kind and name of each leading suspect.
    pub suspects: Vec<(String, String)>,
    /// Title of an alert, and the address or name of the runbook that it gives (`runbook_url`).
    pub runbook_links: Vec<(String, String)>,
    /// Name of an alert grouping rule, and the slug of the runbook that it attaches.
    pub attached: Vec<(String, String)>,
}

/// The slug that a `runbook_url` means: the last part of its path, without an ending.
pub fn slug_of_link(link: &str) -> Option<String> {
    let path = link.split(['?', '#']).next()?.trim_end_matches('/');
    let last = path.rsplit('/').next().filter(|l| !l.is_empty())?;
    let stem = last.rsplit_once('.').map_or(last, |(stem, _)| stem);
    Some(crate::markdown::slugify(stem))
}

const SEVERITIES: [&str; 4] = ["SEV1", "SEV2", "SEV3", "SEV4"];
const SUSPECTS: [&str; 3] = ["service", "operation", "deployment"];

/// Reads one entry of `attach_when`; the error says which part is wrong and why.
pub fn from_yaml(value: &Value) -> Result<Condition, String> {
    let Value::Mapping(mapping) = value else {
        return Err(format!("must be fields such as 'severity: SEV1', not {}", name_of(value)));
    };
    let mut condition = Condition::default();
    for (key, value) in mapping {
        match key.as_str().unwrap_or_default() {
            "service" | "services" => condition.service = texts("service", value)?,
            "severity" => {
                condition.severity = texts("severity", value)?.iter().map(|s| s.to_uppercase()).collect();
                one_of("severity", &condition.severity, &SEVERITIES)?;
            }
            "suspect" => {
                condition.suspect = texts("suspect", value)?.iter().map(|s| s.to_lowercase()).collect();
                one_of("suspect", &condition.suspect, &SUSPECTS)?;
            }
            "title" => condition.title = texts("title", value)?,
            "alert" => {
                // The usual case: the alert's name.
                let names = texts("alert", value)?;
                let [name] = names.as_slice() else { return Err("alert must be one name".to_owned()) };
                condition.label.insert("alertname".to_owned(), name.clone());
            }
            "label" | "labels" => condition.label.extend(labels(value)?),
            other => {
                return Err(format!("'{other}' is unknown; use service, severity, alert, label, suspect or title"));
            }
        }
    }
    if condition == Condition::default() {
        return Err("is empty and would always hold".to_owned());
    }
    Ok(condition)
}

fn texts(name: &str, value: &Value) -> Result<Vec<String>, String> {
    let list = match value {
        Value::String(text) => vec![text.trim().to_owned()],
        Value::Sequence(items) => items
            .iter()
            .map(|item| {
                item.as_str().map(|t| t.trim().to_owned()).ok_or_else(|| format!("{name} holds {}", name_of(item)))
            })
            .collect::<Result<_, _>>()?,
        other => return Err(format!("{name} must be text or a list of texts, not {}", name_of(other))),
    };
    if list.is_empty() || list.iter().any(String::is_empty) {
        return Err(format!("{name} is empty"));
    }
    Ok(list)
}

fn labels(value: &Value) -> Result<BTreeMap<String, String>, String> {
    let Value::Mapping(mapping) = value else {
        return Err(format!("label must be names with values, not {}", name_of(value)));
    };
    mapping
        .iter()
        .map(|(k, v)| match (k.as_str(), v) {
            (Some(k), Value::String(v)) => Ok((k.to_owned(), v.clone())),
            (Some(k), Value::Number(v)) => Ok((k.to_owned(), v.to_string())),
            (Some(k), Value::Bool(v)) => Ok((k.to_owned(), v.to_string())),
            (Some(k), v) => Err(format!("label {k} must be text, not {}", name_of(v))),
            (None, _) => Err("label has a name that is not text".to_owned()),
        })
        .collect()
}

fn one_of(name: &str, values: &[String], known: &[&str]) -> Result<(), String> {
    match values.iter().find(|v| !known.contains(&v.as_str())) {
        Some(v) => Err(format!("{name} '{v}' is none of {}", known.join(", "))),
        None => Ok(()),
    }
}

impl Condition {
    /// The reasons why it holds, or `None` when a part does not.
    pub fn holds(&self, facts: &IncidentFacts) -> Option<Vec<String>> {
        let mut reasons = Vec::new();
        if !self.service.is_empty() {
            let hit = facts.services.iter().find(|s| self.service.iter().any(|p| glob(p, s)))?;
            reasons.push(format!("service {hit} is affected"));
        }
        if !self.severity.is_empty() {
            let hit = self.severity.iter().find(|s| s.eq_ignore_ascii_case(&facts.severity))?;
            reasons.push(format!("severity is {hit}"));
        }
        if !self.suspect.is_empty() {
            let (kind, name) = facts.suspects.iter().find(|(kind, _)| self.suspect.contains(kind))?;
            reasons.push(format!("{kind} {name} is suspected"));
        }
        if !self.title.is_empty() {
            let title = facts.title.to_lowercase();
            let hit = self.title.iter().find(|word| glob(&format!("*{}*", word.to_lowercase()), &title))?;
            reasons.push(format!("the title mentions '{hit}'"));
        }
        if !self.label.is_empty() {
            let on_alert = |alert: &&BTreeMap<String, String>| {
                self.label.iter().all(|(k, pattern)| alert.get(k).is_some_and(|v| glob(pattern, v)))
            };
            let alert = facts.alerts.iter().find(on_alert)?;
            let shown: Vec<_> = self.label.keys().filter_map(|k| alert.get(k).map(|v| format!("{k}={v}"))).collect();
            reasons.push(format!("an alert has {}", shown.join(", ")));
        }
        Some(reasons)
    }

    /// For people: `severity SEV1 or SEV2, suspect deployment`.
    pub fn describe(&self) -> String {
        let mut parts = Vec::new();
        let lists = [
            ("service", &self.service),
            ("severity", &self.severity),
            ("suspect", &self.suspect),
            ("title has", &self.title),
        ];
        for (name, list) in lists {
            if !list.is_empty() {
                parts.push(format!("{name} {}", list.join(" or ")));
            }
        }
        parts.extend(self.label.iter().map(|(k, v)| format!("alert {k}={v}")));
        parts.join(", ")
    }
}

/// Without case; `*` stands for any run of characters. Linear in the text for each star.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_lowercase(), text.to_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part).and_then(|at| rest.get(at + part.len()..)) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn condition(yaml: &str) -> Result<Condition, String> {
        from_yaml(&serde_norway::from_str(yaml).expect("the test's own YAML"))
    }

    fn facts() -> IncidentFacts {
        IncidentFacts {
            title: "Checkout fails after release".to_owned(),
            severity: "SEV2".to_owned(),
            services: vec!["checkout".to_owned(), "cart-api".to_owned()],
            alerts: vec![
                BTreeMap::from([
                    ("alertname".to_owned(), "HighErrorRate".to_owned()),
                    ("zone".to_owned(), "eu-1".to_owned()),
                ]),
                BTreeMap::from([("alertname".to_owned(), "QueueBacklog".to_owned())]),
            ],
            suspects: vec![("deployment".to_owned(), "cart-api 1.4.0".to_owned())],
            runbook_links: vec![],
            attached: vec![],
        }
    }

    #[test]
    fn every_given_part_must_hold_and_gives_its_reason() {
        let c =
            condition("{service: 'cart*', severity: [SEV1, sev2], suspect: deployment, alert: High*, title: release}");
        assert_eq!(
            c.expect("right").holds(&facts()),
            Some(
                [
                    "service cart-api is affected",
                    "severity is SEV2",
                    "deployment cart-api 1.4.0 is suspected",
                    "the title mentions 'release'",
                    "an alert has alertname=HighErrorRate",
                ]
                .map(str::to_owned)
                .into()
            )
        );
        for no in ["{service: payment}", "{severity: SEV1}", "{suspect: operation}", "{title: queue}", "{alert: Disk*}"]
        {
            assert_eq!(condition(no).expect("right").holds(&facts()), None, "{no}");
        }
    }

    #[test]
    fn an_alert_s_link_names_a_runbook() {
        for link in [
            "https://wiki.example/x/queue-backlog.md?plain=1#steps",
            "queue-backlog",
            "/runbooks/Queue-Backlog/",
            "https://x/queue_backlog.html",
        ] {
            assert_eq!(slug_of_link(link).as_deref(), Some("queue-backlog"), "{link}");
        }
        assert_eq!(slug_of_link(""), None);
    }

    #[test]
    fn labels_must_stand_on_one_alert() {
        assert_eq!(condition("{label: {alertname: QueueBacklog, zone: eu-1}}").expect("right").holds(&facts()), None);
        assert!(condition("{label: {alertname: '*Rate', zone: eu-1}}").expect("right").holds(&facts()).is_some());
    }

    #[test]
    fn wrong_ones_say_what_is_wrong() {
        let cases = [
            ("{severity: 1}", "severity must be text or a list of texts, not a number"),
            ("{suspect: database}", "suspect 'database' is none of service, operation, deployment"),
            ("{colour: red}", "'colour' is unknown"),
            ("{}", "is empty and would always hold"),
            ("[a]", "must be fields such as"),
            ("{label: x}", "label must be names with values, not text"),
            ("{label: {a: [b]}}", "label a must be text, not a list"),
            ("{service: []}", "service is empty"),
        ];
        for (yaml, wanted) in cases {
            let message = condition(yaml).expect_err("must be refused");
            assert!(message.contains(wanted), "{yaml}: {message}");
        }
    }

    proptest! {
        #[test]
        fn a_pattern_without_stars_is_equality(a in "[a-c]{0,4}", b in "[a-c]{0,4}") {
            prop_assert_eq!(glob(&a, &b), a == b);
        }

        #[test]
        fn stars_match_what_they_stand_for(parts in prop::collection::vec("[a-c]{0,3}", 1..5), fill in "[a-d]{0,3}") {
            prop_assert!(glob(&parts.join("*"), &parts.join(&fill)));
        }
    }
}
