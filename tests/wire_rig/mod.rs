//! The real SDK on the simulator in one process, with a clock that the test moves.

#![allow(dead_code, reason = "each test crate that includes it uses its own part")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use pointsman::{
    aws::{
        Connection, ConnectionSettings, Read, ReadOp, Reader, Transport, Wire, WireFailure, Writer,
        connection::TimeBudget, overrides::Environment, write::writer,
    },
    clock::SystemClock,
    collect::{Collector, CollectorHandle, Settings},
    domain::{AppId, Clock, Estate, RegionId, Snapshot, Timestamp},
    estate::{self, Source},
    outside::{Simulated, simulated::Control},
    probes,
    sim::{
        Options, Reply, Sim,
        fault::{Fault, FaultKind},
    },
    steps::{self, kind::Eyes, outside::Outside},
};

pub fn mumbai() -> RegionId {
    RegionId::new("ap-south-1")
}

pub fn hyderabad() -> RegionId {
    RegionId::new("ap-south-2")
}

pub fn bundled() -> Arc<Estate> {
    estate::load(&Source::Bundled, probes::CATALOGUE, steps::CATALOGUE).estate.expect("the bundled estate is valid")
}

/// Estate time stands where the test put it; wall time goes on.
pub struct Hand {
    base: Timestamp,
    wall: SystemClock,
    offset_millis: AtomicU64,
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        self.base + self.monotonic()
    }
    fn wall(&self) -> Timestamp {
        self.wall.wall()
    }
    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.offset_millis.load(Ordering::SeqCst))
    }
    fn speed(&self) -> f64 {
        1.0
    }
}

#[derive(Clone, Debug)]
struct InProcess(Arc<Sim>);

impl Wire for InProcess {
    fn call(&self, request: http::Request<Bytes>) -> BoxFuture<'static, Result<http::Response<Bytes>, WireFailure>> {
        let reply = self.0.handle(request);
        Box::pin(async move {
            match reply {
                Reply::Answer { response, .. } => Ok(response),
                Reply::Refused => Err(WireFailure::Refused),
                Reply::BlackHole => std::future::pending().await,
                Reply::Lost { .. } => Err(WireFailure::Broken),
            }
        })
    }
}

#[async_trait]
impl Control for InProcess {
    async fn post(&self, path: &str, body: String) -> Result<(u16, String), String> {
        let request = http::Request::post(path).body(Bytes::from(body)).map_err(|error| error.to_string())?;
        match self.0.handle(request) {
            Reply::Answer { response, .. } => {
                Ok((response.status().as_u16(), String::from_utf8_lossy(response.body()).into_owned()))
            }
            other => Err(format!("{other:?}")),
        }
    }
}

pub struct Rig {
    pub sim: Arc<Sim>,
    pub estate: Arc<Estate>,
    pub hand: Arc<Hand>,
    pub connection: Connection,
    pub outside: Arc<dyn Outside>,
    pub hands: Simulated,
}

pub async fn rig() -> Rig {
    rig_of(bundled()).await
}

pub async fn rig_of(estate: Arc<Estate>) -> Rig {
    let base = Timestamp::parse("2026-11-20T09:00:00Z").expect("a time");
    let hand = Arc::new(Hand { base, wall: SystemClock::default(), offset_millis: AtomicU64::new(0) });
    let clock: Arc<dyn Clock> = hand.clone();
    let sim = Arc::new(Sim::new(Options {
        estate: Arc::clone(&estate),
        seed: 7,
        speed: 1.0,
        start: base,
        clock: Arc::clone(&clock),
    }));
    let wire = InProcess(Arc::clone(&sim));
    let transport = Transport::Wire(Arc::new(wire.clone()));
    let settings = ConnectionSettings {
        budget: TimeBudget {
            connect: Duration::from_secs(1),
            attempt: Duration::from_secs(5),
            operation: Duration::from_secs(10),
        },
        ..ConnectionSettings::for_estate(&estate, transport, Environment::new(), clock)
    };
    let connection = Connection::open(settings).await;
    let hands = Simulated(Arc::new(wire));
    Rig { sim, estate, hand, connection, outside: Arc::new(hands.clone()), hands }
}

impl Rig {
    pub async fn read<O: ReadOp>(&self, op: O) -> Read<O::Output> {
        let call = op.describe();
        self.connection.reader().read(&op).await.unwrap_or_else(|error| panic!("{call}: {error:?}"))
    }

    pub fn writer(&self) -> Writer {
        writer(&self.connection)
    }

    pub fn eyes<'a>(&'a self, reader: &'a Reader) -> Eyes<'a> {
        Eyes { reader, outside: &*self.outside }
    }

    pub fn collect(&self) -> CollectorHandle {
        let clock: Arc<dyn Clock> = self.hand.clone();
        Collector::start(Arc::clone(&self.estate), self.connection.reader(), clock, Settings::default())
    }

    pub fn app_of(&self, component: &str) -> AppId {
        let has = |app: &&pointsman::domain::App| app.components.iter().any(|c| c.id.as_str() == component);
        self.estate.apps.iter().find(has).expect("an app with that component").id.clone()
    }

    pub fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).expect("not that long");
        self.hand.offset_millis.fetch_add(millis, Ordering::SeqCst);
    }

    pub fn advance_minutes(&self, minutes: u64) {
        self.advance(Duration::from_mins(minutes));
    }

    pub fn inject(&self, kind: FaultKind) -> u64 {
        self.sim.inject(Fault { id: 0, kind, from: None, until: None }).expect("a fault the simulator knows")
    }
}

pub async fn until(handle: &CollectorHandle, what: &str, condition: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
    let mut snapshots = handle.snapshots();
    let found = tokio::time::timeout(Duration::from_secs(30), snapshots.wait_for(|snapshot| condition(snapshot))).await;
    let snapshot = found.unwrap_or_else(|_| panic!("never: {what}")).expect("the collector lives");
    Arc::clone(&snapshot)
}
