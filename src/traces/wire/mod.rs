//! One decoder per wire format; each takes bytes and gives spans of the one model.
//!
//! A decoder fails only when nothing can be read at all. A bad span is refused by itself, with its
//! place and reason, and its neighbours are taken. No decoder knows HTTP or the store.

pub mod datadog;
pub mod elastic;
pub mod jaeger;
pub mod otlp_json;
pub mod otlp_proto;
#[cfg(test)]
mod samples;
pub mod sentry;
pub mod zipkin;

use std::collections::HashMap;
use std::sync::Arc;

use crate::telemetry::{Decoded, Resource};

use super::model::Span;

pub type DecodedSpans = Decoded<Span>;

/// Senders that name the service in every span share one [`Resource`] per service.
#[derive(Default)]
pub(super) struct ResourcePool(HashMap<String, Arc<Resource>>);

impl ResourcePool {
    pub(super) fn get_or(&mut self, key: &str, make: impl FnOnce() -> Resource) -> Arc<Resource> {
        if let Some(found) = self.0.get(key) {
            return Arc::clone(found);
        }
        let made = Arc::new(make());
        self.0.insert(key.to_owned(), Arc::clone(&made));
        made
    }
}
