//! What the dashboard says of channels that fell silent; to administrators, who can mend it.

use askama::Template;
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::incidents::Viewer;
use crate::incidents::hooks::{DashboardPanel, Panel};
use crate::notifications::{self, Channel};

pub struct SilentChannels;

#[derive(Template)]
#[template(path = "relay/_silent.html")]
struct SilentHtml {
    channels: Vec<Channel>,
}

impl DashboardPanel for SilentChannels {
    fn id(&self) -> &'static str {
        "silent-channels"
    }

    fn order(&self) -> i32 {
        5
    }

    fn render<'a>(&'a self, db: &'a Db, viewer: Viewer, _now: Timestamp) -> BoxFuture<'a, Result<Option<Panel>>> {
        async move {
            if !viewer.all {
                return Ok(None);
            }
            let mut channels = notifications::channels(db).await?;
            channels.retain(Channel::gave_up);
            if channels.is_empty() {
                return Ok(None);
            }
            let count = i64::try_from(channels.len()).ok();
            let html =
                SilentHtml { channels }.render().map_err(|e| Error::Internal(format!("silent channels: {e}")))?;
            Ok(Some(Panel {
                title: "Notification channels switched off".to_owned(),
                count,
                link: "/settings/notifications".to_owned(),
                html,
                ..Panel::default()
            }))
        }
        .boxed()
    }
}
