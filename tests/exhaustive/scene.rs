//! A runbook, and the world as it is when that is asked for.
//!
//! Where to look next: [`super::perform`] (how it is carried out).

use std::{sync::Arc, time::Duration};

use pointsman::{
    aws::{SendOutcome, WriteOp, rds, route53},
    domain::{AppId, RegionId, Side, resource::Routing},
    engine::Facts as _,
    runbook::{build::FrozenStep, signal::Facts, spec::RunbookKind},
    sim::fault::{Down, Fault, FaultKind},
    steps::{
        self,
        kind::{Conduct, Eyes, Prepared, StepContext},
    },
};

use super::{
    bench::Bench,
    cases::{Case, Does, runbook_id},
    rig::{Direct, HYDERABAD, MUMBAI},
    stage::{Outcome, READS_TROUBLED, Stage, Trouble},
};

/// A runbook, and the world as it is when that is asked for.
pub struct Scene {
    pub name: String,
    pub runbook: String,
    pub app: &'static str,
    pub ready: Arc<Stage>,
    pub does: Does,
    pub outcome: Outcome,
}

impl Scene {
    pub async fn of(bench: &Bench, case: &Case, outcome: Outcome) -> Self {
        Self {
            name: format!("{} / {}", case.kind, outcome.word()),
            runbook: runbook_id(case),
            app: case.app,
            ready: prepared(bench, case).await,
            does: case.does,
            outcome,
        }
    }

    pub fn undisturbed(&self) -> Self {
        let Self { name, runbook, app, ready, does, .. } = self;
        let (name, runbook, ready) = (name.clone(), runbook.clone(), Arc::clone(ready));
        Self { name, runbook, app, ready, does: *does, outcome: Outcome::Ok }
    }

    pub fn trouble(&self, stage: &Stage) {
        match self.does {
            Does::Calls(operation) => stage.trouble(Trouble::Call(operation, self.outcome)),
            Does::Runs => stage.trouble(Trouble::Call("Run", self.outcome)),
            Does::Reads | Does::Looks if self.outcome != Outcome::Ok => {
                stage.trouble(Trouble::Reads(self.outcome, stage.sim.now() + READS_TROUBLED));
            }
            Does::Reads | Does::Looks | Does::Nothing | Does::Much => {}
        }
    }
}

fn dark(stage: &Stage) -> u64 {
    let kind = FaultKind::RegionDown { region: RegionId::new(MUMBAI), how: Down::Refuse };
    stage.sim.inject(Fault { id: 0, kind, from: None, until: None }).expect("a fault the simulator knows")
}

/// Carries out what the case needs, without the engine.
async fn prepared(bench: &Bench, case: &Case) -> Arc<Stage> {
    let stage = bench.stage();
    let facts = bench.facts();
    let mut fault = None;
    for id in case.before {
        match *id {
            "dark" => {
                fault = Some(dark(&stage));
                stage.hand.advance(Duration::from_mins(2));
            }
            "light" => {
                stage.sim.clear(fault.expect("it was dark")).expect("a fault");
                stage.hand.advance(Duration::from_hours(3));
            }
            id => {
                // Between two of the schedule's own, and long enough to be there before the schedule has copied it.
                stage.hand.advance(Duration::from_mins(5));
                carry_out(bench, &stage, &facts, case.app, id).await;
                stage.hand.advance(Duration::from_mins(8));
            }
        }
    }
    stage
}

async fn carry_out(bench: &Bench, stage: &Stage, facts: &Direct, app: &str, id: &str) {
    let (estate, runbooks) = bench.files;
    let app = estate.app(&AppId::new(app)).expect("an app");
    let spec = runbooks
        .iter()
        .filter(|runbook| runbook.id.as_str().starts_with("before-"))
        .flat_map(|runbook| &runbook.steps)
        .find(|step| step.id.as_str() == id)
        .expect("a step");
    let snapshot = facts.fresh(&app.id).await;
    let known = Facts { estate, app, snapshot: &snapshot, last_run_ended: None, attested: &[] };
    let step = FrozenStep::of(spec);
    let about = StepContext {
        facts: &known,
        step: &step,
        kind: RunbookKind::Failover,
        target: Side::Recovery,
        begun_at: Some(stage.sim.now()),
        maker_began: None,
        token: Some("before"),
        now: stage.sim.now(),
    };
    let kind = steps::find(spec.kind).expect("a kind");
    let Conduct::Acts(acting) = kind.conduct() else { panic!("{id} acts") };
    let planned = kind.outline(&about).calls.expect("resolved");
    let outside = bench.outside();
    let eyes = Eyes { reader: bench.reader(), outside: &outside };
    match acting.prepare(&about, &planned, &eyes).await {
        Prepared::Send(op) => sent(bench, &*op).await,
        other => panic!("{id}: {other:?}"),
    }
}

async fn sent(bench: &Bench, op: &dyn WriteOp) {
    let sent = bench.writer().send_once(op).await;
    assert!(matches!(sent, SendOutcome::Accepted { .. }), "{}: {sent:?}", op.describe());
}

/// The runbooks of Payments in the bundled estate, and the situation that each is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payments {
    Failover,
    Switchover,
    Failback,
}

impl Payments {
    pub const fn runbook(self) -> &'static str {
        match self {
            Self::Failover => "payments-failover",
            Self::Switchover => "payments-switchover",
            Self::Failback => "payments-failback",
        }
    }

    pub async fn stage(self, bench: &Bench) -> Arc<Stage> {
        let stage = bench.stage();
        match self {
            Self::Failover => {
                dark(&stage);
                stage.hand.advance(Duration::from_mins(5));
            }
            Self::Switchover => {}
            Self::Failback => after_a_failover(bench, &stage).await,
        }
        stage
    }
}

/// Hyderabad writes and has the traffic; Mumbai was gone and is back.
async fn after_a_failover(bench: &Bench, stage: &Stage) {
    let fault = dark(stage);
    stage.hand.advance(Duration::from_mins(5));
    let region = RegionId::new(HYDERABAD);
    let id = Some("payments-global".to_owned());
    let clusters = rds::DescribeGlobalClusters { region: region.clone(), id };
    let clusters = bench.reader().read(&clusters).await.expect("readable").value;
    let target_arn = clusters[0].member_in(&region).expect("a member").cluster_arn.clone();
    let global_cluster = "payments-global".into();
    sent(bench, &rds::FailoverGlobalCluster { region, global_cluster, target_arn }).await;
    let zone = || "Z0PAYBANKEXAMPLE01".to_owned();
    let name = Some("origin.pay.bank.example".to_owned());
    let list = route53::ListResourceRecordSets { zone: zone(), name, kind: Some("A".into()) };
    let sets = bench.reader().read(&list).await.expect("readable").value;
    let changes = sets.into_iter().map(|mut set| {
        let weight = if set.set_identifier.as_deref() == Some("hyderabad") { 100 } else { 0 };
        set.routing = Routing::Weighted { weight };
        route53::RecordChange { action: route53::RecordAction::Upsert, set }
    });
    let comment = "what must have happened before".into();
    sent(bench, &route53::ChangeRecordSets { zone: zone(), comment, changes: changes.collect() }).await;
    stage.hand.advance(Duration::from_mins(20));
    stage.sim.clear(fault).expect("the fault was there");
    stage.hand.advance(Duration::from_hours(6));
}
