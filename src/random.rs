//! Where secrets and random choices come from. Injected, so that tests are repeatable.

use std::sync::{Arc, Mutex, PoisonError};

use crate::seeded::Seeded;

/// Cheap to clone.
#[derive(Clone, Debug, Default)]
pub enum Random {
    /// The operating system's generator: the only one fit for secrets.
    #[default]
    System,
    /// The same numbers every time, for tests and the demo.
    Seeded(Arc<Mutex<Seeded>>),
}

impl Random {
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded(Arc::new(Mutex::new(Seeded::new(seed))))
    }

    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0_u8; N];
        match self {
            Self::System => rand::fill(&mut bytes),
            Self::Seeded(generator) => {
                let mut generator = generator.lock().unwrap_or_else(PoisonError::into_inner);
                for chunk in bytes.chunks_mut(8) {
                    let word = generator.next_u64().to_le_bytes();
                    chunk.copy_from_slice(&word[..chunk.len()]);
                }
            }
        }
        bytes
    }

    /// A secret of 256 bits, as 64 hex digits.
    pub fn secret(&self) -> String {
        hex::encode(self.bytes::<32>())
    }
}
