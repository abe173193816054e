//! Blast radius: which services need the ones that are hit, directly or through others.

use std::collections::BTreeSet;

/// A service that may be hit, and through which it is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Reached {
    pub service: String,
    /// Its way to a service that is hit: the next one first, the hit one last.
    pub through: Vec<String>,
}

/// Calls between services, followed against their direction, one ring at a time.
#[derive(Debug)]
pub struct Rings {
    known: BTreeSet<String>,
    reached: Vec<Reached>,
    /// The last ring.
    edge: Vec<Reached>,
}

impl Rings {
    pub fn around(hit: &[String]) -> Self {
        let edge = hit.iter().map(|s| Reached { service: s.clone(), through: Vec::new() }).collect();
        Self { known: hit.iter().cloned().collect(), reached: Vec::new(), edge }
    }

    /// The services whose callers make the next ring.
    pub fn outermost(&self) -> Vec<String> {
        self.edge.iter().map(|r| r.service.clone()).collect()
    }

    /// Adds a ring from `(caller, callee)` pairs. A service is reached once, on its shortest way.
    pub fn grow(&mut self, calls: &[(String, String)]) {
        let mut ring: Vec<Reached> = Vec::new();
        for (caller, callee) in calls {
            let Some(inner) = self.edge.iter().find(|r| r.service == *callee) else { continue };
            if self.known.insert(caller.clone()) {
                let through = std::iter::once(callee.clone()).chain(inner.through.iter().cloned()).collect();
                ring.push(Reached { service: caller.clone(), through });
            }
        }
        self.reached.extend(ring.iter().cloned());
        self.edge = ring;
    }

    /// Nearest first.
    pub fn reached(self) -> Vec<Reached> {
        self.reached
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn callers_of_callers_are_reached_once_on_their_shortest_way() {
        let all = calls(&[("web", "cart"), ("cart", "db"), ("web", "db"), ("app", "web"), ("db", "app")]);
        let mut rings = Rings::around(&["db".to_owned()]);
        for _ in 0..4 {
            rings.grow(&all);
        }
        let reached: Vec<_> =
            rings.reached().into_iter().map(|r| format!("{} {}", r.service, r.through.join(">"))).collect();
        assert_eq!(reached, ["cart db", "web db", "app web>db"]);
    }
}
