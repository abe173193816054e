//! What was made of the database and is still as good as made now.

use std::hash::Hash;

use quick_cache::sync::Cache;

use crate::clock::Timestamp;
use crate::error::Result;

/// Microseconds for which something is used: words such as "12 min so far" are no older, and neither is what
/// another node changed without a notice.
const FOR: i64 = 1_000_000;

/// Values by key, each used until anything is committed ([`Db::changes`](super::Db::changes)) or a second has passed.
/// Newer ones push the older out.
pub struct Fresh<K, V>(Cache<(K, u64, i64), V>);

impl<K: Clone + Eq + Hash, V: Clone> Fresh<K, V> {
    /// Room for so many values.
    pub fn new(most: usize) -> Self {
        Self(Cache::new(most))
    }

    /// The value of a key; made now unless somebody made the same a moment ago. Whoever comes while it is being
    /// made waits for it.
    ///
    /// `changes` is the database's count from before anything of the value was read.
    ///
    /// # Errors
    /// What making it fails with; the next to ask tries again.
    pub async fn get(&self, key: K, changes: u64, now: Timestamp, make: impl Future<Output = Result<V>>) -> Result<V> {
        self.0.get_or_insert_async(&(key, changes, now.as_micros().div_euclid(FOR)), make).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[tokio::test]
    async fn a_value_is_used_until_something_changes_or_a_second_has_passed() {
        let fresh = Fresh::new(8);
        let get = |key: &'static str, changes, micros, value| {
            fresh.get(key, changes, Timestamp::from_micros(micros), async move { Ok(value) })
        };
        assert_eq!(get("a", 1, 10, 1).await.unwrap(), 1);
        assert_eq!(get("a", 1, 999_999, 2).await.unwrap(), 1, "kept");
        assert_eq!(get("b", 1, 10, 3).await.unwrap(), 3, "another key");
        assert_eq!(get("a", 2, 10, 4).await.unwrap(), 4, "after a commit");
        assert_eq!(get("a", 2, 1_000_000, 5).await.unwrap(), 5, "a second later");
    }

    #[tokio::test]
    async fn what_could_not_be_made_is_tried_again() {
        let fresh = Fresh::new(8);
        let now = Timestamp::from_micros(0);
        let failed = fresh.get("a", 1, now, async { Err(Error::Unavailable("no".to_owned())) }).await;
        assert!(failed.is_err());
        assert_eq!(fresh.get("a", 1, now, async { Ok(7) }).await.unwrap(), 7);
    }
}
