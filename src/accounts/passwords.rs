//! argon2id, off the async threads and at most two at a time (each takes 19 MiB).

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use crate::error::{Error, Result};

/// OWASP's second recommended setting (ASVS 5.0, appendix C): 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
static AT_ONCE: Semaphore = Semaphore::const_new(2);

fn hasher() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, 2, 1, None).map_err(|e| Error::Internal(format!("argon2: {e}")))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let _permit = AT_ONCE.acquire().await.map_err(|e| Error::Internal(e.to_string()))?;
    tokio::task::spawn_blocking(work).await.map_err(|e| Error::Internal(format!("hashing: {e}")))?
}

/// The hash in PHC format, with its salt and parameters.
pub(super) async fn hash(password: String, salt: [u8; 16]) -> Result<String> {
    off_thread(move || {
        let hash = hasher()?
            .hash_password_with_salt(password.as_bytes(), &salt)
            .map_err(|e| Error::Internal(format!("argon2: {e}")))?;
        Ok(hash.to_string())
    })
    .await
}

/// Whether the password belongs to the hash. With no hash (no such user) it works just as long, so
/// that the answer's time does not tell who exists.
pub(super) async fn verify(password: String, hash: Option<String>) -> Result<bool> {
    off_thread(move || {
        let Some(hash) = hash.as_deref().and_then(|h| PasswordHash::new(h).ok()) else {
            let mut out = [0_u8; 32];
            let _ = hasher()?.hash_password_into(password.as_bytes(), b"no such user here", &mut out);
            return Ok(false);
        };
        Ok(hasher()?.verify_password(password.as_bytes(), &hash).is_ok())
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_verifies_only_itself() {
        let stored = hash("correct horse".into(), [7; 16]).await.expect("hashed");
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(verify("correct horse".into(), Some(stored.clone())).await.expect("checked"));
        assert!(!verify("correct hors".into(), Some(stored)).await.expect("checked"));
        assert!(!verify("correct horse".into(), None).await.expect("checked"));
        assert!(!verify("x".into(), Some("!".into())).await.expect("checked"));
    }
}
