//! Whether a hub answers, and whether it takes the token.

use reqwest::Method;

use super::client::Client;
use super::refusal::Asked;
use super::retries::Retries;
use super::{Hub, HubError};
use crate::options::HubOptions;

/// What a hub says to who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Welcome {
    /// It answers; there was no token to show.
    Anonymous,
    /// It takes the token.
    Accepted,
    /// It does not take the token.
    Rejected,
    /// It answers with this status, which says nothing about the token: a mirror does.
    Unclear(u16),
}

impl Hub {
    /// Asks once who the token belongs to, which needs no model and changes nothing.
    ///
    /// # Errors
    /// [`HubError::Offline`], and what keeps an answer from coming.
    pub async fn reach(options: &HubOptions) -> Result<Welcome, HubError> {
        if options.offline {
            return Err(HubError::Offline);
        }
        let client = Client::new(options, Retries::default())?;
        let url = client.url(["api", "whoami-v2"]);
        let asked = Asked {
            repository: String::new(),
            revision: String::new(),
            path: None,
            with_token: options.token.is_some(),
            endpoint: url.origin().ascii_serialization(),
            page: options.endpoint.clone(),
            renamed: None,
            sent_on_by: None,
        };
        let answer = client.send(Method::GET, &url, None, &asked).await;
        let status = answer.map_err(|setback| setback.error)?.status().as_u16();
        Ok(match (status, &options.token) {
            (401, None) => Welcome::Anonymous,
            (200, Some(_)) => Welcome::Accepted,
            (401, Some(_)) => Welcome::Rejected,
            (status, _) => Welcome::Unclear(status),
        })
    }
}
