//! Route 53's switches, alarms, addresses and programs: the steps through the real SDK and the simulator's outside.

mod wire_rig;

use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use pointsman::{
    aws::{SendOutcome, route53, route53_health},
    domain::{CallDescription, Estate, Side, Snapshot, StepId, What, app::Param, observation::At},
    estate, outside, probes,
    runbook::{
        build::FrozenStep,
        signal::Facts,
        spec::{RunbookKind, StepParam},
    },
    sim::{
        self,
        fault::{Down, FaultKind, ProgramEnd},
    },
    steps::{
        self,
        kind::{Conduct, Finding, Observed, Prepared, StepContext, covers},
        outside::{Ended, Hands},
    },
};
use wire_rig::{Rig, hyderabad, mumbai, rig, rig_of, until};

const PAYMENTS: &str = "payments";

/// The bundled estate with the name of Payments on failover records that carry the health checks.
fn with_failover_records() -> Arc<Estate> {
    let folder = tempfile::tempdir().expect("a folder");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("estates/demo-bank"), folder.path());
    let file = folder.path().join("apps/payments.toml");
    let text = fs::read_to_string(&file).expect("readable");
    let more = "routing = \"failover\"\nhealth_checks = { primary = \"7d1c2c0e-5b0a-4f0e-9a51-6d2f5a1c0001\", recovery = \
                \"7d1c2c0e-5b0a-4f0e-9a51-6d2f5a1c0002\" }\n";
    let changed = text.replacen("ttl = \"30s\"\n", &format!("ttl = \"30s\"\n{more}"), 1);
    assert_ne!(changed, text);
    fs::write(&file, changed).expect("writable");
    let loaded = estate::load(&estate::Source::Folder(folder.path().to_owned()), probes::CATALOGUE, steps::CATALOGUE);
    let errors: Vec<String> = loaded.errors().map(ToString::to_string).collect();
    loaded.estate.unwrap_or_else(|| panic!("{errors:?}"))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("writable");
    for entry in fs::read_dir(from).expect("readable").map(|entry| entry.expect("an entry").path()) {
        let target = to.join(entry.file_name().expect("a name"));
        if entry.is_dir() {
            copy(&entry, &target);
        } else {
            fs::copy(&entry, &target).expect("copied");
        }
    }
}

fn step(kind: &str, params: &[(&str, StepParam)]) -> FrozenStep {
    let params = params.iter().map(|(name, param)| ((*name).to_owned(), param.clone())).collect::<BTreeMap<_, _>>();
    FrozenStep { id: StepId::new("s"), kind: kind.to_owned(), params, guards: Vec::new() }
}

fn text(text: &str) -> StepParam {
    StepParam::Value(Param::Text(text.to_owned()))
}

fn flag(flag: bool) -> StepParam {
    StepParam::Value(Param::Flag(flag))
}

fn texts(texts: &[&str]) -> StepParam {
    StepParam::Texts(texts.iter().map(|text| (*text).to_owned()).collect())
}

/// One step of a run of Payments, against what is known now.
struct Bench<'r> {
    rig: &'r Rig,
    snapshot: Arc<Snapshot>,
    step: FrozenStep,
}

macro_rules! about {
    ($bench:expr, $facts:ident) => {{
        let app = $bench.rig.estate.app(&PAYMENTS.into()).expect("payments");
        $facts =
            Facts { estate: &$bench.rig.estate, app, snapshot: &$bench.snapshot, last_run_ended: None, attested: &[] };
        StepContext {
            facts: &$facts,
            step: &$bench.step,
            kind: RunbookKind::Failover,
            target: Side::Recovery,
            begun_at: Some($bench.rig.sim.now()),
            maker_began: None,
            token: Some("t-1"),
            now: $bench.rig.sim.now(),
        }
    }};
}

impl<'r> Bench<'r> {
    async fn new(rig: &'r Rig, what: What, step: FrozenStep) -> Self {
        let handle = rig.collect();
        let known = |s: &Snapshot| {
            let of = |(id, slot): (&pointsman::domain::FactId, &pointsman::domain::observation::Slot<_>)| {
                id.app.as_str() == PAYMENTS && id.what == what && matches!(slot.at(s.taken_at), At::Fresh(_))
            };
            s.facts.iter().any(of)
        };
        let snapshot = until(&handle, "the facts are known", known).await;
        Self { rig, snapshot, step }
    }

    fn planned(&self) -> Vec<CallDescription> {
        let facts;
        let about = about!(self, facts);
        let kind = steps::find(&self.step.kind).expect("a kind");
        kind.outline(&StepContext { token: None, begun_at: None, ..about }).calls.expect("resolved")
    }

    async fn prepare(&self) -> Prepared {
        let facts;
        let about = about!(self, facts);
        let Conduct::Acts(acting) = steps::find(&self.step.kind).expect("a kind").conduct() else { panic!("it acts") };
        let reader = self.rig.connection.reader();
        acting.prepare(&about, &[], &self.rig.eyes(&reader)).await
    }

    async fn observe(&self, sent: &CallDescription, accepted: Option<&str>) -> Observed {
        let facts;
        let about = about!(self, facts);
        let Conduct::Acts(acting) = steps::find(&self.step.kind).expect("a kind").conduct() else { panic!("it acts") };
        let reader = self.rig.connection.reader();
        acting.observe(&about, sent, accepted, &self.rig.eyes(&reader)).await
    }

    async fn find(&self) -> Finding {
        let facts;
        let about = about!(self, facts);
        let reader = self.rig.connection.reader();
        match steps::find(&self.step.kind).expect("a kind").conduct() {
            Conduct::Reads(reading) => reading.read(&about),
            Conduct::Probes(probing) => probing.probe(&about, &self.rig.eyes(&reader)).await,
            _ => panic!("it looks"),
        }
    }

    /// Prepared as planned, sent once and accepted.
    async fn act(&self) -> (CallDescription, String) {
        let planned = self.planned();
        let Prepared::Send(op) = self.prepare().await else { panic!("{:?}", self.prepare().await) };
        let call = op.describe();
        assert!(planned.iter().any(|planned| covers(planned, &call)), "{call:#?}");
        let outcome = self.rig.writer().send_once(&*op).await;
        let SendOutcome::Accepted { detail, .. } = outcome else { panic!("{outcome:?}") };
        (call, detail.to_string())
    }
}

fn traffic(rig: &Rig, region: &str) -> f64 {
    rig.sim.state()["traffic"][PAYMENTS][region].as_f64().expect("a share")
}

fn effects(rig: &Rig) -> Vec<String> {
    rig.sim.calls().into_iter().filter(|call| call.effect).map(|call| call.operation).collect()
}

fn override_step(inverted: bool, disabled: bool) -> FrozenStep {
    step(
        "route53.health-check-override",
        &[("component", text("pay-mumbai")), ("inverted", flag(inverted)), ("disabled", flag(disabled))],
    )
}

#[tokio::test]
async fn an_overridden_check_moves_the_failover_records_and_putting_it_back_brings_customers_home() {
    let rig = rig_of(with_failover_records()).await;
    assert!((traffic(&rig, "ap-south-1") - 1.0).abs() < 1e-9);
    let away = Bench::new(&rig, What::HealthCheck, override_step(true, true)).await;
    let (call, detail) = away.act().await;
    assert!(matches!(away.observe(&call, Some(&detail)).await, Observed::Done(_)));
    assert!(matches!(away.prepare().await, Prepared::AlreadyDone(_)));
    rig.advance_minutes(5);
    assert!((traffic(&rig, "ap-south-2") - 1.0).abs() < 1e-9, "no record was changed");
    let back = Bench { step: override_step(false, false), ..away };
    let (call, _) = back.act().await;
    assert!(matches!(back.observe(&call, None).await, Observed::Done(_)), "seen without the answer as well");
    rig.advance_minutes(5);
    assert!((traffic(&rig, "ap-south-1") - 1.0).abs() < 1e-9);
    assert_eq!(effects(&rig), ["UpdateHealthCheck", "UpdateHealthCheck"]);
}

#[tokio::test]
async fn a_check_that_somebody_else_changed_since_it_was_read_is_not_overridden() {
    let rig = rig().await;
    let id = "7d1c2c0e-5b0a-4f0e-9a51-6d2f5a1c0001".to_owned();
    let read = rig.read(route53_health::GetHealthCheckSwitches { id: id.clone() }).await.value;
    let op = |inverted| route53_health::UpdateHealthCheck {
        id: id.clone(),
        inverted,
        disabled: false,
        version: Some(read.version),
    };
    let writer = rig.writer();
    assert!(matches!(writer.send_once(&op(true)).await, SendOutcome::Accepted { .. }));
    let SendOutcome::Refused { code, .. } = writer.send_once(&op(false)).await else { panic!("it is another version") };
    assert_eq!(code.as_str(), "HealthCheckVersionMismatch");
    assert_eq!(effects(&rig).len(), 1);
}

#[tokio::test]
async fn shifting_failover_records_swaps_their_roles_in_one_batch_and_a_stale_one_is_refused_whole() {
    let rig = rig_of(with_failover_records()).await;
    let shift = step(
        "route53.shift",
        &[("component", text("api-name")), ("target", StepParam::Value(Param::Side(Side::Recovery)))],
    );
    let bench = Bench::new(&rig, What::Record, shift).await;
    let Prepared::Send(stale) = bench.prepare().await else { panic!("it is to be changed") };
    let (call, detail) = bench.act().await;
    assert_eq!(call.params.iter().filter(|(name, _)| name == "DELETE").count(), 2);
    rig.advance_minutes(5);
    assert!(matches!(bench.observe(&call, Some(&detail)).await, Observed::Done(_)));
    assert!(matches!(bench.observe(&call, None).await, Observed::Done(_)), "seen by the records themselves");
    assert!((traffic(&rig, "ap-south-2") - 1.0).abs() < 1e-9);
    assert!(matches!(bench.prepare().await, Prepared::AlreadyDone(_)));
    let SendOutcome::Refused { code, .. } = rig.writer().send_once(&*stale).await else { panic!("a second time") };
    assert_eq!(code.as_str(), "InvalidChangeBatch");
    let all = route53::ListResourceRecordSets {
        zone: "Z0PAYBANKEXAMPLE01".into(),
        name: Some("origin.pay.bank.example".into()),
        kind: Some("A".into()),
    };
    let sets = rig.read(all).await.value;
    assert!(sets.iter().all(|set| set.health_check.is_some()), "a forgotten health check would be lost: {sets:?}");
}

#[tokio::test]
async fn when_mumbai_is_dark_its_failover_record_moves_customers_without_any_call() {
    let rig = rig_of(with_failover_records()).await;
    rig.inject(FaultKind::RegionDown { region: mumbai(), how: Down::Blackhole });
    rig.advance_minutes(5);
    assert!((traffic(&rig, hyderabad().as_str()) - 1.0).abs() < 1e-9);
    assert!(effects(&rig).is_empty());
}

#[tokio::test]
async fn an_alarm_is_checked_from_facts_and_the_wrong_state_is_not_yet() {
    let rig = rig().await;
    let check = |is: &str| step("alarm.check", &[("component", text("payments-lag-alarm")), ("is", text(is))]);
    let ok = Bench::new(&rig, What::Alarm, check("ok")).await;
    assert!(matches!(ok.find().await, Finding::Done(_)), "{:?}", ok.find().await);
    let alarm = Bench { step: check("alarm"), ..ok };
    assert!(matches!(alarm.find().await, Finding::NotYet(_)));
    let old = Bench { step: check("ok"), ..alarm };
    rig.advance_minutes(60);
    let Finding::NotYet(why) = old.find().await else { panic!("an old state is no state") };
    assert!(why.contains("last read"), "{why}");
}

#[tokio::test]
async fn a_pause_ends_when_the_estates_clock_says_so() {
    let rig = rig().await;
    let pause = step(
        "pause",
        &[
            ("wait", StepParam::Value(Param::Duration(Duration::from_secs(120)))),
            ("reason", text("resolvers hold the old answer")),
        ],
    );
    let bench = Bench::new(&rig, What::Record, pause).await;
    let begun_at = Some(rig.sim.now());
    let at = |minutes: u64| {
        let facts;
        let about = about!(bench, facts);
        let now = rig.sim.now() + Duration::from_secs(60 * minutes);
        let Conduct::Reads(reading) = steps::find("pause").expect("a kind").conduct() else { panic!("it reads") };
        reading.read(&StepContext { begun_at, now, ..about })
    };
    assert!(matches!(at(1), Finding::NotYet(text) if text.contains("1 m to go")));
    assert!(matches!(at(2), Finding::Done(text) if text.contains("resolvers")));
}

#[tokio::test]
async fn an_address_of_hyderabad_is_probed_for_its_status_and_its_text() {
    let rig = rig().await;
    let probe = |url: &str, contains: &str| step("http.probe", &[("url", text(url)), ("contains", text(contains))]);
    let here = "https://mumbai.origin.pay.bank.example/health";
    let bench = Bench::new(&rig, What::Record, probe(here, "\"database\":\"writes\"")).await;
    assert!(matches!(bench.find().await, Finding::Done(_)), "{:?}", bench.find().await);
    let other_text = Bench { step: probe(here, "absent"), ..bench };
    assert!(matches!(other_text.find().await, Finding::NotYet(_)));
    let there = Bench { step: probe("https://hyderabad.origin.pay.bank.example/health", "writes"), ..other_text };
    let Finding::NotYet(why) = there.find().await else { panic!("Hyderabad does not write") };
    assert!(why.contains("503"), "{why}");
    rig.inject(FaultKind::RegionDown { region: hyderabad(), how: Down::Refuse });
    assert!(matches!(there.find().await, Finding::NotYet(_)));
    let calls = rig.sim.calls();
    let probes = calls.iter().filter(|call| (call.service.as_str(), call.operation.as_str()) == ("http", "Get"));
    assert!(probes.clone().count() >= 4 && probes.clone().all(|call| !call.effect), "{calls:#?}");
}

fn restore_web() -> FrozenStep {
    step(
        "command",
        &[
            ("run", texts(&["/opt/bank/velero", "restore", "hyderabad"])),
            ("done_when", texts(&["/opt/bank/velero", "is-restored", "hyderabad"])),
            ("environment", texts(&["KUBECONFIG"])),
        ],
    )
}

#[tokio::test]
async fn a_program_is_run_once_by_the_simulator_and_its_look_tells_when_it_is_done() {
    let rig = rig().await;
    let bench = Bench::new(&rig, What::Record, restore_web()).await;
    run_and_look(&bench, &rig.hands).await;
    assert_eq!(effects(&rig), ["Run"], "one effect");
}

/// Over a port, as a console pointed at `sim serve` has it.
#[tokio::test]
async fn a_program_goes_to_a_served_simulator_as_well() {
    struct Served(String);
    #[async_trait]
    impl outside::simulated::Control for Served {
        async fn post(&self, path: &str, body: String) -> Result<(u16, String), String> {
            sim::client::ask(&self.0, path, Some(body)).await
        }
    }
    let rig = rig().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(sim::server::serve(Arc::clone(&rig.sim), listener, std::future::pending()));
    let bench = Bench::new(&rig, What::Record, restore_web()).await;
    let served = outside::Simulated(Arc::new(Served(url)));
    run_and_look(&bench, &served).await;
    assert_eq!(effects(&rig), ["Run"]);
}

async fn run_and_look(bench: &Bench<'_>, hands: &dyn Hands) {
    let Prepared::Run(line) = bench.prepare().await else { panic!("{:?}", bench.prepare().await) };
    let call = line.describe();
    assert!(bench.planned().iter().any(|planned| covers(planned, &call)));
    assert!(matches!(hands.run(&line).await, Ended::Exit { status: 0, .. }));
    assert!(matches!(bench.observe(&call, None).await, Observed::NotDone(_)), "it takes its time");
    bench.rig.advance_minutes(2);
    assert!(matches!(bench.observe(&call, None).await, Observed::Done(_)));
    assert!(matches!(bench.prepare().await, Prepared::AlreadyDone(_)), "what is so is not run again");
}

#[tokio::test]
async fn a_program_that_was_cut_is_resolved_by_its_look() {
    let rig = rig().await;
    let bench = Bench::new(&rig, What::Record, restore_web()).await;
    for (how, done) in [(ProgramEnd::CutBefore, false), (ProgramEnd::CutAfter, true)] {
        let fault = rig.inject(FaultKind::ProgramEnds { program: "/opt/bank/velero".into(), how });
        let Prepared::Run(line) = bench.prepare().await else { panic!("not yet run") };
        assert!(matches!(rig.hands.run(&line).await, Ended::Cut { .. }));
        rig.sim.clear(fault).expect("it was there");
        rig.advance_minutes(5);
        let seen = bench.observe(&line.describe(), None).await;
        assert_eq!(matches!(seen, Observed::Done(_)), done, "{how:?}: {seen:?}");
    }
    assert_eq!(effects(&rig).len(), 1);
}
