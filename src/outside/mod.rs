//! What steps reach besides AWS, for real: programs of this machine and addresses over HTTP ([`machine`]), or the
//! simulator that stands in for both ([`simulated`]).
//!
//! Must never run a program of this machine for a run that is simulated, nor take a simulation for the real thing: which
//! of the two it is is found anew for each thing asked, and in doubt neither is used.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    domain::SafeText,
    steps::outside::{CommandLine, Ended, Hands, HttpAnswer, HttpGet, Outside},
};

pub mod machine;
pub mod simulated;

pub use machine::Machine;
pub use simulated::Simulated;

/// What a thing asked for now goes to.
#[derive(Debug)]
pub enum Standing {
    Live,
    Simulated(Simulated),
    /// It cannot be told: nothing is asked and nothing is run.
    Unclear(SafeText),
}

/// Knows whether what this console drives is real.
#[async_trait]
pub trait WhichWorld: Send + Sync {
    async fn standing(&self) -> Standing;
}

/// The machine or the simulator, as the world is.
pub struct Chosen {
    machine: Machine,
    world: Arc<dyn WhichWorld>,
}

impl Chosen {
    #[must_use]
    pub fn new(machine: Machine, world: Arc<dyn WhichWorld>) -> Self {
        Self { machine, world }
    }
}

impl std::fmt::Debug for Chosen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Chosen")
    }
}

#[async_trait]
impl Outside for Chosen {
    async fn get(&self, get: &HttpGet) -> Result<HttpAnswer, SafeText> {
        match self.world.standing().await {
            Standing::Live => self.machine.get(get).await,
            Standing::Simulated(simulated) => simulated.get(get).await,
            Standing::Unclear(why) => Err(why),
        }
    }

    async fn look(&self, command: &CommandLine) -> Ended {
        match self.world.standing().await {
            Standing::Live => self.machine.look(command).await,
            Standing::Simulated(simulated) => simulated.look(command).await,
            Standing::Unclear(why) => Ended::NotStarted { why },
        }
    }
}

#[async_trait]
impl Hands for Chosen {
    async fn run(&self, command: &CommandLine) -> Ended {
        match self.world.standing().await {
            Standing::Live => self.machine.run(command).await,
            Standing::Simulated(simulated) => simulated.run(command).await,
            Standing::Unclear(why) => Ended::NotStarted { why },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    struct Doubt;

    #[async_trait]
    impl WhichWorld for Doubt {
        async fn standing(&self) -> Standing {
            Standing::Unclear(SafeText::new("nobody knows"))
        }
    }

    #[tokio::test]
    async fn while_it_cannot_be_told_whether_the_world_is_real_nothing_is_run() {
        let folder = tempfile::tempdir().expect("a folder");
        let mark = folder.path().join("ran");
        let line = CommandLine {
            program: "/usr/bin/touch".into(),
            args: vec![mark.display().to_string()],
            environment: Vec::new(),
            timeout: Duration::from_secs(5),
            done_when: Vec::new(),
        };
        let chosen = Chosen::new(Machine::new(Arc::new(crate::clock::SystemClock::default())), Arc::new(Doubt));
        assert!(matches!(chosen.run(&line).await, Ended::NotStarted { .. }));
        assert!(matches!(chosen.look(&line).await, Ended::NotStarted { .. }));
        assert!(!mark.exists());
    }
}
