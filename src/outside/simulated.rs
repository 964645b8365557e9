//! The simulator in place of this machine: programs and addresses are asked of its control API.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    domain::SafeText,
    steps::outside::{CommandLine, Ended, Hands, HttpAnswer, HttpGet, Outside},
};

const PATH: &str = "/_sim/outside";

/// The control API of a simulator, in this process or served.
#[async_trait]
pub trait Control: Send + Sync {
    /// `POST` of a body; status and body of the answer.
    ///
    /// # Errors
    /// In words, when there is no answer.
    async fn post(&self, path: &str, body: String) -> Result<(u16, String), String>;
}

#[derive(Clone)]
pub struct Simulated(pub Arc<dyn Control>);

impl std::fmt::Debug for Simulated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Simulated")
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Said {
    Exit { status: i32, last_line: String },
    Cut { why: String },
    Answer { status: u16, body: String },
    NoAnswer { why: String },
}

impl Simulated {
    async fn ask(&self, body: Value) -> Result<Said, String> {
        let (status, text) = self.0.post(PATH, body.to_string()).await?;
        if status != 200 {
            return Err(format!("the simulator answers {status}: {text}"));
        }
        serde_json::from_str(&text).map_err(|error| format!("the simulator's answer: {error}"))
    }

    async fn program(&self, verb: &str, command: &CommandLine) -> Result<Ended, String> {
        let line = json!({ "program": command.program, "args": command.args, "done_when": command.done_when });
        Ok(match self.ask(json!({ verb: line })).await? {
            Said::Exit { status, last_line } => Ended::Exit { status, last_line: SafeText::new(last_line) },
            Said::Cut { why } => Ended::Cut { why: SafeText::new(why) },
            Said::Answer { .. } | Said::NoAnswer { .. } => {
                return Err("the simulator answers something else".to_owned());
            }
        })
    }
}

#[async_trait]
impl Outside for Simulated {
    async fn get(&self, get: &HttpGet) -> Result<HttpAnswer, SafeText> {
        match self.ask(json!({ "get": { "url": get.url } })).await {
            Ok(Said::Answer { status, body }) => {
                Ok(HttpAnswer { status, body: SafeText::new(body), took: Duration::ZERO })
            }
            Ok(Said::NoAnswer { why }) | Err(why) => Err(SafeText::new(why)),
            Ok(Said::Exit { .. } | Said::Cut { .. }) => Err(SafeText::new("the simulator answers something else")),
        }
    }

    async fn look(&self, command: &CommandLine) -> Ended {
        self.program("look", command).await.unwrap_or_else(|why| Ended::NotStarted { why: SafeText::new(why) })
    }
}

#[async_trait]
impl Hands for Simulated {
    /// Without an answer it may have been run.
    async fn run(&self, command: &CommandLine) -> Ended {
        self.program("run", command).await.unwrap_or_else(|why| Ended::Cut { why: SafeText::new(why) })
    }
}
