//! What a service of the catalogue is: pure rules.

use serde::Deserialize;

use crate::clock::Timestamp;
use crate::error::FieldErrors;
use crate::fields;

/// Longest slug, in characters, all of them ASCII.
pub const MAX_SLUG: usize = 100;
/// Declared dependencies of one service.
pub const MAX_DEPENDENCIES: usize = 200;

/// The slug for the name that a machine gave: lower case, with `-` for whatever a URL would escape.
/// `None` when nothing is left.
///
/// Equal names always give equal slugs, and a slug is its own slug.
pub fn slug_of(name: &str) -> Option<String> {
    let mut slug = String::new();
    for c in name.trim().chars().flat_map(char::to_lowercase) {
        let kept = c.is_ascii_alphanumeric() || (matches!(c, '.' | '_') && !slug.is_empty());
        if kept {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= MAX_SLUG {
            break;
        }
    }
    let slug = slug.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    (!slug.is_empty()).then(|| slug.to_owned())
}

/// A service as it stands in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Service {
    #[serde(skip)]
    pub id: i64,
    pub slug: String,
    pub name: String,
    pub owner_team: String,
    /// 1 is the most critical, 4 the least.
    pub tier: i64,
    pub description: String,
    /// Appeared by itself, and nobody described it yet.
    pub discovered: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

/// What a tier means, for the form.
pub const fn tier_meaning(tier: i64) -> &'static str {
    match tier {
        1 => "Tier 1: without it nobody can buy",
        2 => "Tier 2: customers notice soon",
        3 => "Tier 3: customers notice late",
        _ => "Tier 4: internal",
    }
}

/// One edge of the dependency graph, seen from one of its ends.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Edge {
    /// The service at the other end.
    pub service: String,
    pub name: String,
    /// Written down by a person.
    pub declared: bool,
    /// Seen in traces.
    pub first_seen_at: Option<Timestamp>,
    pub last_seen_at: Option<Timestamp>,
}

/// What was typed or sent: `POST /services` and the form.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ServiceInput {
    #[serde(deserialize_with = "fields::text")]
    pub slug: String,
    #[serde(deserialize_with = "fields::text")]
    pub name: String,
    #[serde(deserialize_with = "fields::text")]
    pub owner_team: String,
    #[serde(deserialize_with = "fields::id_text")]
    pub tier: String,
    #[serde(deserialize_with = "fields::text")]
    pub description: String,
    /// Slugs of the services that it calls.
    #[serde(deserialize_with = "fields::words")]
    pub dependencies: Vec<String>,
    /// The version that was read; an edit of another one is refused.
    pub version: Option<i64>,
}

/// A checked [`ServiceInput`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewService {
    pub slug: String,
    pub name: String,
    pub owner_team: String,
    pub tier: i64,
    pub description: String,
    /// Whether the catalogue knows them is checked by the action.
    pub dependencies: Vec<String>,
    pub version: Option<i64>,
}

impl ServiceInput {
    /// # Errors
    /// Every complaint, by field.
    pub fn normalize(&self) -> Result<NewService, FieldErrors> {
        let mut errors = FieldErrors::default();
        let name = if self.name.trim().is_empty() { self.slug.trim() } else { self.name.trim() };
        let typed_slug =
            if self.slug.trim().is_empty() { slug_of(name).unwrap_or_default() } else { self.slug.trim().to_owned() };
        if typed_slug.is_empty() {
            errors.add("slug", "is needed");
        } else if slug_of(&typed_slug).as_deref() != Some(typed_slug.as_str()) {
            errors.add("slug", "may have lower-case letters, digits, '-', '.' and '_', at most 100, and begins and ends with a letter or digit");
        }
        let tier = match self.tier.trim() {
            "" => 3,
            text => text.parse().ok().filter(|t| (1..=4).contains(t)).unwrap_or_else(|| {
                errors.add("tier", format!("'{text}' is not a tier: use 1, 2, 3 or 4"));
                3
            }),
        };
        if self.dependencies.len() > MAX_DEPENDENCIES {
            errors.add("dependencies", format!("can be {MAX_DEPENDENCIES} at most"));
        }
        if self.dependencies.contains(&typed_slug) {
            errors.add("dependencies", "must not name the service itself");
        }
        let service = NewService {
            name: fields::limited(&mut errors, "name", name, 200),
            owner_team: fields::limited(&mut errors, "owner_team", &self.owner_team, 100),
            tier,
            description: fields::limited(&mut errors, "description", &self.description, 10_000),
            dependencies: self.dependencies.clone(),
            slug: typed_slug,
            version: self.version,
        };
        if errors.is_empty() { Ok(service) } else { Err(errors) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn machine_names_become_slugs() {
        for (name, slug) in [
            ("checkoutservice", "checkoutservice"),
            ("Checkout Service", "checkout-service"),
            ("shop/cart@eu", "shop-cart-eu"),
            ("ts-order-service.v2", "ts-order-service.v2"),
            ("  __x__ ", "x"),
        ] {
            assert_eq!(slug_of(name).as_deref(), Some(slug), "{name}");
        }
        assert_eq!(slug_of("  ---  "), None);
        assert_eq!(slug_of("日本"), None);
    }

    #[test]
    fn complaints_come_by_field_and_all_at_once() {
        let bad = ServiceInput {
            slug: "Not A Slug".into(),
            tier: "9".into(),
            owner_team: "x".repeat(101),
            ..ServiceInput::default()
        };
        let errors = bad.normalize().unwrap_err();
        for field in ["slug", "tier", "owner_team"] {
            assert!(errors.has(field), "{field}");
        }
        let own = ServiceInput { slug: "cart".into(), dependencies: vec!["cart".into()], ..ServiceInput::default() };
        assert!(own.normalize().unwrap_err().has("dependencies"));
    }

    #[test]
    fn the_slug_follows_from_the_name_and_json_tiers_are_numbers() {
        let input: ServiceInput =
            serde_json::from_str(r#"{"name":"Cart Service","tier":1,"dependencies":["db","db"]}"#).unwrap();
        let service = input.normalize().unwrap();
        assert_eq!((service.slug.as_str(), service.tier), ("cart-service", 1));
        assert_eq!(service.dependencies, ["db"]);
    }

    proptest! {
        #[test]
        fn a_slug_is_its_own_slug(name in ".{0,130}") {
            if let Some(slug) = slug_of(&name) {
                prop_assert!(slug.len() <= MAX_SLUG);
                prop_assert_eq!(slug_of(&slug), Some(slug));
            }
        }
    }
}
