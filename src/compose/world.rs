//! What stands behind the AWS clients: AWS, the simulator in this process, or one that another process serves; and
//! whether the programs and addresses of this machine may be used.
//!
//! Must never: use the machine's programs inside a simulation, or while it is in doubt whether this is one.
//! Where to look next: `outside`, which asks [`World`] for each request; `sim`, which answers.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::Files;
use crate::{
    aws,
    cli::{Common, exit::Failure},
    clock::SystemClock,
    domain::{Clock, SafeText},
    outside::{Simulated, Standing, WhichWorld, simulated::Control},
    sim::{self, Sim},
};

/// The simulator of an estate, starting now on the wall, with its scenario.
///
/// # Errors
/// A scenario that the simulator does not take.
pub fn simulator(common: &Common, files: &Files, clock: &Arc<SystemClock>) -> Result<Arc<Sim>, Failure> {
    let clock: Arc<dyn Clock> = clock.clone();
    let sim = Arc::new(Sim::new(sim::Options {
        estate: files.estate.clone(),
        seed: common.seed,
        speed: files.speed(common),
        start: common.sim_start.unwrap_or_else(|| clock.wall()),
        clock,
    }));
    if let Some(scenario) = &files.scenario {
        sim.play(scenario).map_err(|why| Failure::usage([why, "correct the scenario".to_owned()]))?;
    }
    Ok(sim)
}

/// The simulator behind the SDK's own connector: signing, retries, time-outs and parsing stay the real ones.
#[derive(Debug)]
pub(super) struct SimWire(pub(super) Arc<Sim>);

impl aws::Wire for SimWire {
    fn call(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'static, Result<http::Response<Bytes>, aws::WireFailure>> {
        let reply = self.0.handle(request);
        Box::pin(async move {
            match reply {
                sim::Reply::Answer { after, response } => {
                    pause(after).await;
                    Ok(response)
                }
                sim::Reply::Refused => Err(aws::WireFailure::Refused),
                sim::Reply::BlackHole => std::future::pending().await,
                sim::Reply::Lost { after } => {
                    pause(after).await;
                    Err(aws::WireFailure::Broken)
                }
            }
        })
    }
}

/// The control API of the simulator in this process.
struct SimControl(Arc<Sim>);

#[async_trait::async_trait]
impl Control for SimControl {
    async fn post(&self, path: &str, body: String) -> Result<(u16, String), String> {
        let request = http::Request::post(path).body(Bytes::from(body)).map_err(|error| error.to_string())?;
        match self.0.handle(request) {
            sim::Reply::Answer { response, .. } => {
                Ok((response.status().as_u16(), String::from_utf8_lossy(response.body()).into_owned()))
            }
            other => Err(format!("the simulator's control API: {other:?}")),
        }
    }
}

/// The control API of a simulator that another process serves.
struct ServedControl(String);

#[async_trait::async_trait]
impl Control for ServedControl {
    async fn post(&self, path: &str, body: String) -> Result<(u16, String), String> {
        sim::client::ask(&self.0, path, Some(body)).await
    }
}

/// Whether programs and addresses are the real ones: never inside a simulation, and never while that is in doubt.
pub(super) struct World {
    pub(super) embedded: Option<Arc<Sim>>,
    pub(super) reader: aws::Reader,
    /// Where endpoints are redirected to, if they are.
    pub(super) redirected: Vec<String>,
}

#[async_trait::async_trait]
impl WhichWorld for World {
    async fn standing(&self) -> Standing {
        if let Some(sim) = &self.embedded {
            return Standing::Simulated(Simulated(Arc::new(SimControl(Arc::clone(sim)))));
        }
        let unclear = |why: &str| Standing::Unclear(SafeText::new(why));
        let simulated = self.reader.simulator().is_some();
        let [base] = self.redirected.as_slice() else {
            return match (simulated, self.redirected.is_empty()) {
                (false, true) => Standing::Live,
                (true, true) => unclear("a simulator answers, and it is not known where it is"),
                (_, false) => unclear("endpoints are redirected to several places: is this real?"),
            };
        };
        match sim::client::ask(base, "/_sim/clock", None).await {
            Ok((200, text))
                if serde_json::from_str::<serde_json::Value>(&text).is_ok_and(|c| c["speed"].is_number()) =>
            {
                Standing::Simulated(Simulated(Arc::new(ServedControl(base.clone()))))
            }
            Ok(_) if !simulated => Standing::Live, // an emulator: what the engine asks a permission for
            Ok(_) | Err(_) if simulated => unclear("the simulator that answers for AWS does not answer here"),
            Ok(_) | Err(_) => unclear("endpoints are redirected, and whether to a simulator cannot be told"),
        }
    }
}

async fn pause(wall: Duration) {
    if !wall.is_zero() {
        tokio::time::sleep(wall).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{estate, probes, steps};

    async fn world(redirected: &[&str]) -> World {
        let loaded = estate::load(&estate::Source::Bundled, probes::CATALOGUE, steps::CATALOGUE);
        let estate = loaded.estate.expect("the bundled estate is whole");
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let sim = bench(&clock);
        let settings = aws::ConnectionSettings::for_estate(
            &estate,
            aws::Transport::Wire(Arc::new(SimWire(sim))),
            std::collections::BTreeMap::new(),
            clock,
        );
        let reader = aws::Connection::open(settings).await.reader();
        World { embedded: None, reader, redirected: redirected.iter().map(|url| (*url).to_owned()).collect() }
    }

    fn bench(clock: &Arc<dyn Clock>) -> Arc<Sim> {
        let loaded = estate::load(&estate::Source::Bundled, probes::CATALOGUE, steps::CATALOGUE);
        let estate = loaded.estate.expect("the bundled estate is whole");
        let (seed, speed, start) = (7, 1.0, clock.wall());
        Arc::new(Sim::new(sim::Options { estate, seed, speed, start, clock: Arc::clone(clock) }))
    }

    #[tokio::test]
    async fn programs_of_this_machine_are_for_aws_alone_and_in_doubt_for_nobody() {
        assert!(matches!(world(&[]).await.standing().await, Standing::Live));
        let embedded = World { embedded: Some(bench(&(Arc::new(SystemClock::default()) as _))), ..world(&[]).await };
        assert!(matches!(embedded.standing().await, Standing::Simulated(_)));

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let served = format!("http://{}", listener.local_addr().expect("bound"));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        tokio::spawn(sim::server::serve(bench(&clock), listener, std::future::pending()));
        assert!(matches!(world(&[&served]).await.standing().await, Standing::Simulated(_)));
        assert!(matches!(world(&[&served, "http://127.0.0.1:2"]).await.standing().await, Standing::Unclear(_)));

        let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let nobody = format!("http://{}", gone.local_addr().expect("bound"));
        drop(gone);
        assert!(matches!(world(&[&nobody]).await.standing().await, Standing::Unclear(_)));

        // A simulator has answered for AWS, and nobody said where it is: never the machine.
        let known = world(&[]).await;
        let op = aws::sts::GetCallerIdentity { region: "ap-south-1".into() };
        known.reader.read(&op).await.expect("an identity");
        assert!(matches!(known.standing().await, Standing::Unclear(_)));
    }
}
