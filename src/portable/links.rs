//! Addresses inside an exported incident. Pure.
//!
//! A path that ends in a row's number means something else in another installation. Parts of the incident itself are
//! written as `incident:evidence/3` (the third piece) and become paths again when they are read; what names anything
//! else of the old installation becomes its full address there.

use crate::markdown::safe_link;

/// How a part of an incident is addressed: the words before its number in a path, and its name in a file.
const PARTS: [(&str, &str); 5] = [
    ("/evidence/", "evidence"),
    ("/evidence#piece-", "evidence"),
    ("/runs/", "runs"),
    ("/timeline/", "timeline"),
    ("/timeline#entry-", "timeline"),
];

/// The ids of an incident's parts, each list in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    pub evidence: Vec<i64>,
    pub runs: Vec<i64>,
    pub timeline: Vec<i64>,
}

impl Parts {
    fn list(&self, name: &str) -> &[i64] {
        match name {
            "evidence" => &self.evidence,
            "runs" => &self.runs,
            _ => &self.timeline,
        }
    }
}

/// A stored address as the file has it. `own` is the incident's path, `base` the installation's address.
pub fn outward(link: &str, own: &str, base: &str, parts: &Parts) -> String {
    if let Some(rest) = below(link, own) {
        for (before, name) in PARTS {
            let Some(id) = rest.strip_prefix(before).and_then(|n| n.parse::<i64>().ok()) else { continue };
            if let Some(place) = parts.list(name).iter().position(|p| *p == id) {
                return format!("incident:{name}/{}", place + 1);
            }
        }
        // A part that is not in the file: the page that would list it.
        let mut page = rest;
        while let Some((before, last)) = page.rsplit_once(['/', '#'])
            && is_number(last)
        {
            page = before;
        }
        return format!("incident:{page}");
    }
    let is_portable = ["/traces/", "/services/", "/runbooks/"].iter().any(|p| link.starts_with(p));
    if link.starts_with('/') && !link.starts_with("//") && !is_portable {
        return format!("{}{link}", base.trim_end_matches('/'));
    }
    link.to_owned()
}

/// `12`, `entry-12`.
fn is_number(last: &str) -> bool {
    let digits = last.rsplit('-').next().unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// What follows the incident's own path; `/incidents/INC-70` is not below `/incidents/INC-7`.
fn below<'a>(link: &'a str, own: &str) -> Option<&'a str> {
    link.strip_prefix(own).filter(|rest| rest.is_empty() || rest.starts_with(['/', '#', '?']))
}

/// An address of a file as it is stored here, below the incident's new path.
pub fn inward(link: &str, own: &str, parts: &Parts) -> String {
    let Some(rest) = link.strip_prefix("incident:") else { return link.to_owned() };
    if let Some((name, place)) = rest.split_once('/')
        && let Some(before) = PARTS.iter().find(|(_, n)| *n == name).map(|(before, _)| before)
        && let Some(id) = place.parse::<usize>().ok().and_then(|p| parts.list(name).get(p.checked_sub(1)?))
    {
        return format!("{own}{before}{id}");
    }
    format!("{own}{rest}")
}

/// Whether an address of a file may be stored: nothing that runs, nothing that hides where it leads.
pub fn is_safe(link: &str) -> bool {
    let link = link.strip_prefix("incident:").unwrap_or(link);
    link.is_empty() || (safe_link(link).is_some() && !link.starts_with("//"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OWN: &str = "/incidents/INC-7";
    const BASE: &str = "https://faultline.example";

    fn parts() -> Parts {
        Parts { evidence: vec![40, 41], runs: vec![9], timeline: vec![100, 101, 102] }
    }

    #[test]
    fn parts_of_the_incident_go_by_their_place() {
        for (stored, file) in [
            ("/incidents/INC-7", "incident:"),
            ("/incidents/INC-7/evidence/41", "incident:evidence/2"),
            ("/incidents/INC-7/runs/9", "incident:runs/1"),
            ("/incidents/INC-7/timeline#entry-102", "incident:timeline/3"),
            ("/incidents/INC-7/runs/77", "incident:/runs"),
            ("/incidents/INC-7/postmortem", "incident:/postmortem"),
            ("/incidents/INC-70", "https://faultline.example/incidents/INC-70"),
            ("/alerts/3", "https://faultline.example/alerts/3"),
            ("/traces/4bf92f3577b34da6a3ce929d0e0e4736", "/traces/4bf92f3577b34da6a3ce929d0e0e4736"),
            ("https://ci.example/12", "https://ci.example/12"),
            ("", ""),
        ] {
            assert_eq!(outward(stored, OWN, BASE, &parts()), file, "{stored}");
        }
        let there = Parts { evidence: vec![1, 2], runs: vec![3], timeline: vec![4, 5, 6] };
        assert_eq!(inward("incident:evidence/2", "/incidents/INC-1", &there), "/incidents/INC-1/evidence/2");
        assert_eq!(inward("incident:runs/1", "/incidents/INC-1", &there), "/incidents/INC-1/runs/3");
        assert_eq!(inward("incident:/postmortem", "/incidents/INC-1", &there), "/incidents/INC-1/postmortem");
        assert_eq!(inward("incident:", "/incidents/INC-1", &there), "/incidents/INC-1");
    }

    #[test]
    fn addresses_that_run_something_are_refused() {
        for bad in ["javascript:alert(1)", "data:text/html,x", "//evil.example", "incident://evil.example", "a\\b"] {
            assert!(!is_safe(bad), "{bad}");
        }
        for good in ["", "/traces/1", "https://a.example/x", "incident:evidence/2", "incident:"] {
            assert!(is_safe(good), "{good}");
        }
    }

    proptest! {
        /// Out, in and out again is the same, whatever the address was.
        #[test]
        fn an_address_survives_a_round_trip(link in prop_oneof![
            "\\PC{0,30}",
            "/incidents/INC-[0-9]{1,3}(/evidence|/runs|/timeline)?/?[0-9]{0,3}",
            "/incidents/INC-7(/timeline#entry-|/evidence#piece-)[0-9]{1,3}",
        ]) {
            let file = outward(&link, OWN, BASE, &parts());
            let there = Parts { evidence: vec![1, 2], runs: vec![3], timeline: vec![4, 5, 6] };
            let stored = inward(&file, "/incidents/INC-1", &there);
            prop_assert_eq!(outward(&stored, "/incidents/INC-1", "https://other.example", &there), file);
        }
    }
}
