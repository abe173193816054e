//! The durable inbox: every delivery from a machine, as it was received.
//!
//! A delivery is authenticated, read, committed, answered, and only then processed; so what was
//! answered with 2xx survives a crash, and what could not be processed waits with its reason until
//! it is replayed. Refused deliveries (400, 401, 403, 413) are listed as well, with what the sender
//! was told.
//!
//! # For a room that receives deliveries
//! 1. Implement [`Processor`] and register it for its [`Kind`] where the app is put together
//!    (`app.rs`): `inbox.register(Kind::Changes, Arc::new(ChangesProcessor))`. `check` reads the body
//!    for the sender's sake, `process` does the work inside the transaction it is given; it must be
//!    idempotent.
//! 2. In the handler: let [`http`] authenticate and read the request, which gives a [`Delivery`]
//!    (body decompressed, secrets taken out), then `inbox.accept(delivery, 202)`.
//!
//! Here: authentication of machines, signatures, limits, storage, processing, replay, the admin
//! pages. Not here: what any body means.

pub mod body;
pub mod http;
mod known;
pub mod model;
pub mod rate;
mod readings;
pub mod replay;
pub mod service;
pub mod signature;
pub mod store;
mod web;

pub use http::{Door, Incoming, Refused};
pub use model::{Delivery, Kind, Status};
pub use rate::Limit;
pub use readings::{Arrival, Reading};
pub use service::{Inbox, Processor, Remark};
pub use web::routes;
