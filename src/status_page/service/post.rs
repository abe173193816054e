//! Mail to subscribers, by the same server that tells our own people.

use futures::future::BoxFuture;

use super::subscribers::{Mail, MailFailure, Post};
use crate::notifications::Courier;
use crate::notifications::courier::{Letter, Outcome};

impl Post for Courier {
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<(), MailFailure>> {
        Box::pin(async move {
            let letter = Letter {
                to: mail.to.clone(),
                subject: mail.subject.clone(),
                text: mail.text.clone(),
                unsubscribe_url: mail.unsubscribe_url.clone(),
                id: mail.id.clone(),
                at: mail.at,
            };
            let tried = self.letter(&letter).await;
            match tried.outcome {
                Outcome::Delivered => Ok(()),
                Outcome::Never { .. } => Err(MailFailure::Refused(tried.answer)),
                Outcome::Later { .. } | Outcome::Nobody => Err(MailFailure::Later(tried.answer)),
            }
        })
    }
}
