//! What AWS takes and then fails: a step says so at once, in AWS's words, and goes on only by a person's word.

mod rig;
mod ways;

use std::{sync::Arc, time::Duration};

use pointsman::{
    domain::{AppId, Estate, snapshot::Reach},
    runbook::run::{Answer, Ask, Phase, RunId, RunState, StepPhase},
    sim::fault::{Down, FaultKind, Stuck},
};
use rig::MUMBAI;
use ways::{BANK, Bridge, Look, STUCK, declaration, lost};

/// The failover of one app with Mumbai down, and what a person says to everything that is asked.
struct Out {
    bridge: Bridge,
    run: RunId,
}

impl Out {
    async fn of(app: &str, fault: FaultKind) -> (Self, u64) {
        let app = AppId::new(app);
        let mut estate: Estate = (*BANK.0).clone();
        estate.apps.retain(|known| known.id == app);
        estate.apps[0].depends_on.clear();
        let id = estate.apps[0].runbooks["failover"].clone();
        let book = BANK.1.iter().find(|runbook| runbook.id == id).expect("the estate was read whole");
        let bridge = Bridge::open(&Arc::new(estate), Look::WhenAsked).await;
        let fault = bridge.happens(fault);
        bridge.happens(lost(MUMBAI, Down::Refuse));
        let plan = bridge.plan_when(book, &app, |[mumbai, _]| mumbai == Reach::RegionDown).await;
        let declared = declaration(&plan, plan.target_region.as_str());
        let run = bridge.engine.declare(&plan, declared).await.expect("declared");
        (Self { bridge, run }, fault)
    }

    fn state(&self) -> Arc<RunState> {
        let runs = self.bridge.engine.watch().borrow().clone();
        runs.list.iter().find(|state| state.id == self.run).cloned().expect("listed")
    }

    fn effects(&self, operation: &str) -> usize {
        self.bridge.sim.calls().iter().filter(|call| call.effect && call.operation == operation).count()
    }

    fn step(&self, id: &str) -> (StepPhase, u32) {
        let state = self.state();
        let step = state.steps.iter().find(|step| step.id.as_str() == id).expect("a step");
        (step.phase.clone(), step.attempts)
    }

    /// Says yes to what is asked until `is` holds.
    async fn until(&self, what: &str, is: impl Fn(&RunState) -> bool) -> Arc<RunState> {
        let mut watch = self.bridge.engine.watch();
        loop {
            let _ = watch.borrow_and_update();
            let state = self.state();
            if is(&state) {
                return state;
            }
            let answer = match &state.phase {
                Phase::Waiting(ask) => Some(match ask {
                    Ask::Key { step } | Ask::Chord { step } | Ask::Confirm { step, .. } => {
                        Answer::Go { step: step.clone() }
                    }
                    Ask::Loss { step, phrase, .. } => Answer::AcceptLoss { step: step.clone(), typed: phrase.clone() },
                    Ask::Override { step, guard, .. } => Answer::Override {
                        step: step.clone(),
                        guard: *guard,
                        reason: "fibre cut confirmed by NOC".into(),
                        authoriser: "head of operations".into(),
                    },
                    Ask::Rearm => Answer::Rearm(declaration(&state.plan, state.plan.target_region.as_str())),
                    Ask::Noticed { .. } | Ask::Verdict { .. } => panic!("never {what}: {:#?}", state.log),
                }),
                Phase::Parked { .. } | Phase::Abandoned { .. } | Phase::Completed { .. } => {
                    panic!("never {what}: {:#?}", state.log)
                }
                _ => None,
            };
            if let Some(answer) = answer {
                // A refusal means that the run moved on; the next state says where.
                let _ = self.bridge.engine.answer(self.run, answer).await;
                continue;
            }
            let changed = tokio::time::timeout(STUCK, watch.changed()).await;
            changed.unwrap_or_else(|_| panic!("never {what}: {:#?}", self.state().log)).expect("the engine lives");
        }
    }
}

fn parked(state: &RunState) -> bool {
    matches!(state.phase, Phase::Parked { .. })
}

#[tokio::test]
async fn a_restore_job_that_fails_is_told_at_once_and_another_is_begun_only_by_a_persons_word() {
    let failing = FaultKind::JobsFail {
        resource: "arn:aws:rds:ap-south-1:111122223333:db:vendor-db".into(),
        job: Some("restore".into()),
        message: "The subnet group does not exist".into(),
    };
    let (out, fault) = Out::of("vendor-assistance", failing).await;
    let state = out.until("parked", parked).await;
    let Phase::Parked { why, .. } = &state.phase else { panic!("{:?}", state.phase) };
    assert!(why.contains("FAILED: The subnet group does not exist"), "AWS's words: {why}");
    assert_eq!(out.step("database"), (StepPhase::Failed, 1));
    let waited = state.plan.steps.iter().find(|step| step.id.as_str() == "database").expect("planned").timeout;
    let begun = state.steps.iter().find_map(|step| step.started_at.filter(|_| step.id.as_str() == "database"));
    let took = pointsman::domain::Clock::now(&rig::Watching(Arc::clone(&out.bridge.hand))).since(begun.expect("begun"));
    assert!(took < waited, "not at its time-out of {waited:?}, after {took:?}");

    // Left alone it stays as it is.
    out.bridge.hand.advance(Duration::from_secs(7_200));
    assert!(parked(&out.state()));
    out.bridge.sim.clear(fault).expect("known");
    let step = "database".into();
    out.bridge.engine.answer(out.run, Answer::Retry { step }).await.expect("a person may try again");
    out.until("restored", |_| out.step("database").0 == StepPhase::Done).await;
    assert_eq!(out.step("database").1, 2);
    let files = out.step("files").1 as usize;
    assert_eq!(out.effects("StartRestoreJob"), 2 + files, "one for each attempt that a person confirmed");
}

#[tokio::test]
async fn an_instance_that_cannot_be_restored_is_told_at_once_stays_a_leftover_and_is_not_made_again() {
    let stuck = FaultKind::InstanceStuck { instance: "statements-db-hyd".into(), status: Stuck::IncompatibleRestore };
    let (out, _) = Out::of("statements", stuck).await;
    let state = out.until("parked", parked).await;
    let Phase::Parked { why, .. } = &state.phase else { panic!("{:?}", state.phase) };
    assert!(why.contains("statements-db-hyd is incompatible-restore"), "AWS's word: {why}");
    assert_eq!(state.leftovers.len(), 1, "it is there: {:?}", state.leftovers);
    let step = "database".into();
    out.bridge.engine.answer(out.run, Answer::Retry { step }).await.expect("a person may try again");
    let state = out.until("parked again", |state| parked(state) && out.step("database").1 == 2).await;
    let Phase::Parked { why, .. } = &state.phase else { panic!("{:?}", state.phase) };
    assert!(why.contains("must be deleted before another is made"), "{why}");
    assert_eq!(out.effects("RestoreDBInstanceFromDBSnapshot"), 1);
}
