//! The one configuration: flags before environment before file before defaults.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::db::DbUrl;
use crate::error::{Error, FieldErrors, Result};

/// Settings as a person gives them; every one is optional.
#[derive(Clone, Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// sqlite:<file> or postgres://<user>:<password>@<host>/<database>
    #[arg(long, global = true, env = "FAULTLINE_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Address and port to listen on
    #[arg(long, global = true, env = "FAULTLINE_LISTEN")]
    pub listen: Option<String>,
    /// The address that people use, behind a proxy: https://faultline.example.com
    #[arg(long, global = true, env = "FAULTLINE_BASE_URL")]
    pub base_url: Option<String>,
    /// Folder with Markdown runbooks
    #[arg(long, global = true, env = "FAULTLINE_RUNBOOKS")]
    pub runbooks: Option<PathBuf>,
    /// What to log: info, debug, faultline=debug,sqlx=warn …
    #[arg(long, global = true, env = "FAULTLINE_LOG")]
    pub log: Option<String>,
    /// Write the log as JSON lines
    #[arg(long, global = true, env = "FAULTLINE_LOG_JSON")]
    pub log_json: Option<bool>,
    /// Bearer token that may read /metrics
    #[arg(long, global = true, env = "FAULTLINE_METRICS_TOKEN", hide_env_values = true)]
    pub metrics_token: Option<String>,
    /// Networks that outgoing calls may reach although they are private: 10.1.0.0/16,192.168.7.5
    #[arg(long, global = true, env = "FAULTLINE_OUTBOUND_ALLOW")]
    pub outbound_allow: Option<String>,
    /// Days that traces are kept; those attached to incidents stay
    #[arg(long, global = true, env = "FAULTLINE_TRACE_DAYS")]
    pub trace_days: Option<u32>,
    /// Compressed GiB of traces that are kept; the newest win
    #[arg(long, global = true, env = "FAULTLINE_TRACE_GIB")]
    pub trace_gib: Option<u32>,
    /// Days that log records are kept
    #[arg(long, global = true, env = "FAULTLINE_LOG_DAYS")]
    pub log_days: Option<u32>,
    /// Largest machine delivery in bytes, also after decompression
    #[arg(long, global = true, env = "FAULTLINE_MAX_DELIVERY_BYTES")]
    pub max_delivery_bytes: Option<usize>,
}

/// Settings checked and complete. Secrets do not show in `Debug`.
#[derive(Clone)]
pub struct Config {
    pub database_url: DbUrl,
    pub listen: SocketAddr,
    /// Without a trailing slash.
    pub base_url: String,
    pub runbooks: PathBuf,
    pub log: String,
    pub log_json: bool,
    pub metrics_token: Option<String>,
    pub outbound_allow: String,
    pub trace_days: u32,
    pub trace_gib: u32,
    pub log_days: u32,
    pub max_delivery_bytes: usize,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("database_url", &self.database_url)
            .field("listen", &self.listen)
            .field("base_url", &self.base_url)
            .field("runbooks", &self.runbooks)
            .field("log", &self.log)
            .field("metrics_token", &self.metrics_token.as_ref().map(|_| "***"))
            .field("outbound_allow", &self.outbound_allow)
            .field("max_delivery_bytes", &self.max_delivery_bytes)
            .finish_non_exhaustive()
    }
}

/// OTLP recommends 64 MiB (after decompression) as the bound of one request.
const MAX_DELIVERY_BYTES: usize = 64 * 1024 * 1024;
/// How long traces and logs are kept when nothing is set, and how much of traces.
const KEEP_DAYS: u32 = 14;
const KEEP_GIB: u32 = 20;

impl Config {
    /// Puts flags and environment (`given`) over the file, if one is named, over the defaults.
    ///
    /// # Errors
    /// `Invalid`, naming every setting that cannot be used.
    pub fn load(given: Settings, file: Option<&Path>) -> Result<Self> {
        let from_file = file.map(read_file).transpose()?.unwrap_or_default();
        Self::check(merge(given, from_file))
    }

    fn check(s: Settings) -> Result<Self> {
        let mut errors = FieldErrors::default();
        let database_url = DbUrl::parse(s.database_url.as_deref().unwrap_or("sqlite:faultline.db"));
        if let Err(Error::Invalid(e)) = &database_url {
            errors.0.extend(e.0.iter().cloned());
        }
        let listen = s.listen.as_deref().unwrap_or("127.0.0.1:8080").parse::<SocketAddr>();
        if listen.is_err() {
            errors.add("listen", "must be an address and a port, like 127.0.0.1:8080");
        }
        if let Some(url) = &s.base_url
            && !url::Url::parse(url).is_ok_and(|u| matches!(u.scheme(), "http" | "https") && u.has_host())
        {
            errors.add("base_url", "must be an http:// or https:// address");
        }
        for (field, days) in [("trace_days", s.trace_days), ("log_days", s.log_days), ("trace_gib", s.trace_gib)] {
            if days.is_some_and(|n| n == 0 || n > 36_500) {
                errors.add(field, "must be between 1 and 36500");
            }
        }
        match (database_url, listen) {
            (Ok(database_url), Ok(listen)) if errors.is_empty() => Ok(Self {
                base_url: s
                    .base_url
                    .map_or_else(|| format!("http://{listen}"), |url| url.trim_end_matches('/').to_owned()),
                database_url,
                listen,
                runbooks: s.runbooks.unwrap_or_else(|| "runbooks".into()),
                log: s.log.unwrap_or_else(|| "info,sqlx=warn".into()),
                log_json: s.log_json.unwrap_or_default(),
                metrics_token: s.metrics_token.filter(|t| !t.is_empty()),
                outbound_allow: s.outbound_allow.unwrap_or_default(),
                trace_days: s.trace_days.unwrap_or(KEEP_DAYS),
                trace_gib: s.trace_gib.unwrap_or(KEEP_GIB),
                log_days: s.log_days.unwrap_or(KEEP_DAYS),
                max_delivery_bytes: s.max_delivery_bytes.unwrap_or(MAX_DELIVERY_BYTES),
            }),
            _ => Err(Error::Invalid(errors)),
        }
    }

    /// Whether people reach us by https, so that cookies may insist on it.
    pub fn is_https(&self) -> bool {
        self.base_url.starts_with("https://")
    }
}

fn read_file(path: &Path) -> Result<Settings> {
    let text =
        std::fs::read_to_string(path).map_err(|e| Error::invalid("config", format!("{}: {e}", path.display())))?;
    toml::from_str(&text).map_err(|e| Error::invalid("config", format!("{}: {e}", path.display())))
}

fn merge(a: Settings, b: Settings) -> Settings {
    Settings {
        database_url: a.database_url.or(b.database_url),
        listen: a.listen.or(b.listen),
        base_url: a.base_url.or(b.base_url),
        runbooks: a.runbooks.or(b.runbooks),
        log: a.log.or(b.log),
        log_json: a.log_json.or(b.log_json),
        metrics_token: a.metrics_token.or(b.metrics_token),
        outbound_allow: a.outbound_allow.or(b.outbound_allow),
        trace_days: a.trace_days.or(b.trace_days),
        trace_gib: a.trace_gib.or(b.trace_gib),
        log_days: a.log_days.or(b.log_days),
        max_delivery_bytes: a.max_delivery_bytes.or(b.max_delivery_bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_suffice() {
        let config = Config::load(Settings::default(), None).expect("defaults are valid");
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.base_url, "http://127.0.0.1:8080");
        assert_eq!(config.database_url.to_string(), "sqlite:faultline.db");
    }

    #[test]
    fn every_wrong_setting_is_named_at_once_and_no_password_is_shown() {
        let wrong = Settings {
            database_url: Some("mysql://x".into()),
            listen: Some("here".into()),
            base_url: Some("faultline".into()),
            ..Settings::default()
        };
        let Err(Error::Invalid(errors)) = Config::load(wrong, None) else { panic!("accepted") };
        assert!(errors.has("database_url") && errors.has("listen") && errors.has("base_url"));

        let secret = Settings { database_url: Some("postgres://me:hunter2@db/x".into()), ..Settings::default() };
        let shown = format!("{:?}", Config::load(secret, None).expect("valid"));
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn flags_win_over_the_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("faultline.toml");
        std::fs::write(&file, "listen = '0.0.0.0:1'\nbase_url = 'https://f.example/'\n").expect("written");
        let given = Settings { listen: Some("127.0.0.1:2".into()), ..Settings::default() };
        let config = Config::load(given, Some(&file)).expect("valid");
        assert_eq!((config.listen.port(), config.base_url.as_str()), (2, "https://f.example"));
        std::fs::write(&file, "lisen = 'x'\n").expect("written");
        assert!(Config::load(Settings::default(), Some(&file)).is_err(), "a misspelt setting is refused");
    }
}
