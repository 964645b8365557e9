//! AWS Backup's starts through the real SDK against the simulator: what the steps prepare, send, observe and leave.

mod wire_rig;

use std::{collections::BTreeMap, sync::Arc};

use pointsman::{
    aws::{SendOutcome, backup::ListRecoveryPointsByBackupVault, backup_jobs, rds},
    domain::{
        CallDescription, Hazard, Side, StepId, What,
        app::Param,
        observation::At,
        resource::{JobKind, PointStatus},
    },
    runbook::{
        build::FrozenStep,
        guards::LossBound,
        signal::Facts,
        spec::{RunbookKind, StepParam},
    },
    sim::fault::{Down, FaultKind},
    steps::{
        self,
        kind::{Conduct, MutatingStep, Observed, Prepared, StepContext, covers},
    },
};
use wire_rig::{Rig, hyderabad, mumbai, rig, until};

fn step(kind: &str, target: Option<Side>) -> FrozenStep {
    let mut params = BTreeMap::from([("component".to_owned(), StepParam::Value(Param::Text("assist-db".to_owned())))]);
    params.extend(target.map(|side| ("target".to_owned(), StepParam::Value(Param::Side(side)))));
    FrozenStep { id: StepId::new("s"), kind: kind.to_owned(), params, guards: Vec::new() }
}

fn acting(kind: &str) -> &'static dyn MutatingStep {
    match steps::find(kind).expect("a kind").conduct() {
        Conduct::Acts(acting) => acting,
        _ => panic!("{kind} acts"),
    }
}

/// The step as planned and as prepared now, sent once, and observed until it is done.
struct Attempt<'r> {
    rig: &'r Rig,
    snapshot: Arc<pointsman::domain::Snapshot>,
    step: FrozenStep,
    begun_at: pointsman::domain::Timestamp,
    token: String,
}

impl<'r> Attempt<'r> {
    async fn new(rig: &'r Rig, kind: &str, target: Option<Side>) -> Self {
        let handle = rig.collect();
        let app = rig.app_of("assist-db");
        let known = |s: &pointsman::domain::Snapshot| {
            s.facts.iter().any(|(id, slot)| {
                id.app == app
                    && id.component.as_str() == "assist-db"
                    && id.region == hyderabad()
                    && id.what == What::RecoveryPoints
                    && matches!(slot.at(s.taken_at), At::Fresh(_))
            })
        };
        let snapshot = until(&handle, "the recovery points are known", known).await;
        Self { rig, snapshot, step: step(kind, target), begun_at: rig.sim.now(), token: "t-1".to_owned() }
    }

    fn with<T>(&self, ask: impl FnOnce(&StepContext<'_>) -> T) -> T {
        let app = self.rig.app_of("assist-db");
        let app = self.rig.estate.app(&app).expect("the app");
        let facts =
            Facts { estate: &self.rig.estate, app, snapshot: &self.snapshot, last_run_ended: None, attested: &[] };
        ask(&StepContext {
            facts: &facts,
            step: &self.step,
            kind: RunbookKind::Failover,
            target: Side::Recovery,
            begun_at: Some(self.begun_at),
            maker_began: None,
            token: Some(&self.token),
            now: self.rig.sim.now(),
        })
    }

    fn planned(&self) -> Vec<CallDescription> {
        let kind = steps::find(&self.step.kind).expect("a kind");
        self.with(|about| kind.outline(&StepContext { token: None, begun_at: None, ..*about })).calls.expect("resolved")
    }

    async fn prepare(&self) -> Prepared {
        let app = self.rig.app_of("assist-db");
        let app = self.rig.estate.app(&app).expect("the app");
        let facts =
            Facts { estate: &self.rig.estate, app, snapshot: &self.snapshot, last_run_ended: None, attested: &[] };
        let about = StepContext {
            facts: &facts,
            step: &self.step,
            kind: RunbookKind::Failover,
            target: Side::Recovery,
            begun_at: Some(self.begun_at),
            maker_began: None,
            token: Some(&self.token),
            now: self.rig.sim.now(),
        };
        let reader = self.rig.connection.reader();
        acting(&self.step.kind).prepare(&about, &self.planned(), &self.rig.eyes(&reader)).await
    }

    async fn observe(&self, sent: &CallDescription, accepted: Option<&str>) -> Observed {
        let app = self.rig.app_of("assist-db");
        let app = self.rig.estate.app(&app).expect("the app");
        let facts =
            Facts { estate: &self.rig.estate, app, snapshot: &self.snapshot, last_run_ended: None, attested: &[] };
        let about = StepContext {
            facts: &facts,
            step: &self.step,
            kind: RunbookKind::Failover,
            target: Side::Recovery,
            begun_at: Some(self.begun_at),
            maker_began: None,
            token: None,
            now: self.rig.sim.now(),
        };
        let reader = self.rig.connection.reader();
        acting(&self.step.kind).observe(&about, sent, accepted, &self.rig.eyes(&reader)).await
    }

    async fn loss_now(&self) -> LossBound {
        let app = self.rig.app_of("assist-db");
        let app = self.rig.estate.app(&app).expect("the app");
        let facts =
            Facts { estate: &self.rig.estate, app, snapshot: &self.snapshot, last_run_ended: None, attested: &[] };
        let about = StepContext {
            facts: &facts,
            step: &self.step,
            kind: RunbookKind::Failback,
            target: Side::Primary,
            begun_at: Some(self.begun_at),
            maker_began: None,
            token: None,
            now: self.rig.sim.now(),
        };
        let reader = self.rig.connection.reader();
        acting(&self.step.kind).loss_now(&about, &self.rig.eyes(&reader)).await.expect("a loss")
    }

    async fn done(&self, sent: &CallDescription, accepted: Option<&str>) -> String {
        for _ in 0..400 {
            match self.observe(sent, accepted).await {
                Observed::Done(text) => return text.to_string(),
                Observed::InProgress(_) => self.rig.advance_minutes(1),
                other => panic!("{other:?}"),
            }
        }
        panic!("never done");
    }

    fn effects(&self) -> Vec<String> {
        self.rig.sim.calls().into_iter().filter(|call| call.effect).map(|call| call.operation).collect()
    }
}

fn sendable(prepared: Prepared, planned: &[CallDescription]) -> Box<dyn pointsman::aws::WriteOp> {
    let Prepared::Send(op) = prepared else { panic!("{prepared:?}") };
    let call = op.describe();
    assert!(planned.iter().any(|planned| covers(planned, &call)), "{planned:#?}\n{call:#?}");
    op
}

#[tokio::test]
async fn a_restore_is_sent_as_planned_and_leaves_a_database_in_hyderabad() {
    let rig = rig().await;
    let attempt = Attempt::new(&rig, "backup.restore", Some(Side::Recovery)).await;
    let planned = attempt.planned();
    assert_eq!((planned[0].operation.as_str(), planned[0].region.as_str()), ("StartRestoreJob", "ap-south-2"));
    assert_eq!(planned[0].hazard, Hazard::DataLoss);
    assert_eq!(planned[0].iam_actions, ["backup:StartRestoreJob", "iam:PassRole"]);
    let loss = attempt.with(|about| acting("backup.restore").loss(about)).expect("a bound");
    let minutes = loss.bound.expect("points were seen").as_secs() / 60;
    assert!((20..110).contains(&minutes), "an hourly copy: {minutes} min");

    let op = sendable(attempt.prepare().await, &planned);
    let sent = op.describe();
    let metadata = sent.params.iter().find(|(name, _)| name == "Metadata").expect("metadata").1.to_string();
    assert!(metadata.starts_with("DBInstanceIdentifier=assist-db-restored; "), "{metadata}");
    assert!(metadata.contains("Engine=postgres") && !metadata.contains("ap-south-1"), "{metadata}");
    let SendOutcome::Accepted { detail, .. } = rig.writer().send_once(&*op).await else { panic!("refused") };
    assert!(matches!(attempt.observe(&sent, Some(&detail)).await, Observed::InProgress(_)));
    assert!(attempt.done(&sent, Some(&detail)).await.contains("db:assist-db-restored"));

    let databases = rig.read(rds::DescribeDbInstances { region: hyderabad() }).await.value;
    let restored = databases.iter().find(|db| db.id.as_str() == "assist-db-restored").expect("it exists");
    assert!(["available", "backing-up"].contains(&restored.status.as_str()));
    assert_eq!(attempt.effects(), ["StartRestoreJob"]);
    let left = acting("backup.restore").leaves(&sent).expect("a leftover");
    assert_eq!(left.id.as_str(), "assist-db-restored");
    assert!(matches!(attempt.prepare().await, Prepared::AlreadyDone(_)), "its own restore is not made twice");
    let later = Attempt { begun_at: rig.sim.now() + std::time::Duration::from_secs(3_600), ..attempt };
    rig.advance_minutes(120);
    assert!(matches!(later.prepare().await, Prepared::NotNow(_)), "whose data an old database holds is not known");
}

#[tokio::test]
async fn a_start_whose_answer_is_lost_is_found_by_looking_and_its_token_makes_it_the_same_job() {
    let rig = rig().await;
    let attempt = Attempt::new(&rig, "backup.restore", Some(Side::Recovery)).await;
    let op = sendable(attempt.prepare().await, &attempt.planned());
    let sent = op.describe();
    assert!(matches!(attempt.observe(&sent, None).await, Observed::NotDone(_)), "nothing was sent");
    rig.inject(FaultKind::ReplyLost { service: Some("backup".into()), operation: None, count: 1 });
    let outcome = rig.writer().send_once(&*op).await;
    assert!(matches!(outcome, SendOutcome::Unknown { .. }), "{outcome:?}");
    assert!(matches!(attempt.observe(&sent, None).await, Observed::InProgress(_)));
    assert!(matches!(attempt.prepare().await, Prepared::Busy(_)), "not a second one beside it");
    // Sent again under the same token, as only a recorded decision may: AWS answers with the first job.
    let SendOutcome::Accepted { detail, .. } = rig.writer().send_once(&*op).await else { panic!("refused") };
    assert_eq!(attempt.effects(), ["StartRestoreJob"], "one effect");
    assert!(attempt.done(&sent, None).await.contains(detail.as_str()));
}

#[tokio::test]
async fn a_backup_made_now_is_copied_with_its_data_time_and_not_copied_twice() {
    let rig = rig().await;
    let backup = Attempt::new(&rig, "backup.start-backup", None).await;
    let op = sendable(backup.prepare().await, &backup.planned());
    let SendOutcome::Accepted { detail, .. } = rig.writer().send_once(&*op).await else { panic!("refused") };
    backup.done(&op.describe(), Some(&detail)).await;

    let copy = Attempt { step: step("backup.copy", Some(Side::Recovery)), begun_at: rig.sim.now(), ..backup };
    let op = sendable(copy.prepare().await, &copy.planned());
    let sent = op.describe();
    let source = sent.params.iter().find(|(name, _)| name == "RecoveryPointArn").expect("a point").1.to_string();
    let SendOutcome::Accepted { detail, .. } = rig.writer().send_once(&*op).await else { panic!("refused") };
    let done = copy.done(&sent, Some(&detail)).await;
    let resource = Some("arn:aws:rds:ap-south-1:111122223333:db:assist-db".to_owned());
    let points = async |region, vault: &str| {
        let created_after = rig.sim.now() - std::time::Duration::from_secs(86_400);
        let op =
            ListRecoveryPointsByBackupVault { region, vault: vault.into(), resource: resource.clone(), created_after };
        rig.read(op).await.value
    };
    let here = points(mumbai(), "bank-mum").await.into_iter().find(|point| point.arn == source).expect("the source");
    let there = points(hyderabad(), "bank-hyd").await;
    let copied = there.iter().find(|point| done.contains(&point.arn)).expect("the copy");
    assert_eq!((copied.created, &copied.status), (here.created, &PointStatus::Completed));
    assert_eq!(copy.effects(), ["StartBackupJob", "StartCopyJob"]);
    // Unless the schedule has made a newer one meanwhile, there is nothing left to copy.
    match copy.prepare().await {
        Prepared::AlreadyDone(_) | Prepared::Busy(_) => {}
        Prepared::Send(op) => assert_ne!(op.describe().params[0].1.as_str(), source),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn faults_at_the_door_leave_nothing_behind_and_are_told_apart() {
    let rig = rig().await;
    let op = |token: Option<&str>| backup_jobs::StartBackupJob {
        region: mumbai(),
        vault: "bank-mum".into(),
        resource: "arn:aws:rds:ap-south-1:111122223333:db:assist-db".into(),
        role: "arn:aws:iam::111122223333:role/service-role/AWSBackupDefaultServiceRole".into(),
        delete_after_days: Some(7),
        token: token.map(str::to_owned),
    };
    let code = |outcome: SendOutcome| match outcome {
        SendOutcome::Refused { code, .. } => code.to_string(),
        SendOutcome::Unknown { .. } => "unknown".to_owned(),
        SendOutcome::Accepted { .. } => "accepted".to_owned(),
    };
    let writer = rig.writer();
    for (kind, expected) in [
        (FaultKind::Throttling { region: mumbai(), service: None, share: 1.0 }, "ThrottlingException"),
        (FaultKind::CredentialsExpired { region: mumbai() }, "ExpiredTokenException"),
        (FaultKind::ServiceDown { region: mumbai(), service: "backup".into(), how: Down::ServerError }, "unknown"),
        (FaultKind::VaultMissing { region: mumbai(), vault: "bank-mum".into() }, "ResourceNotFoundException"),
    ] {
        let fault = rig.inject(kind);
        assert_eq!(code(writer.send_once(&op(Some("t"))).await), expected);
        rig.sim.clear(fault).expect("it was there");
    }
    assert_eq!(code(writer.send_once(&op(None)).await), "NotSent", "without a token nothing leaves");
    assert!(rig.sim.calls().iter().all(|call| !call.effect));
    assert_eq!(code(writer.send_once(&op(Some("t"))).await), "accepted");
    let fault = rig.inject(FaultKind::KeyUnusable { region: mumbai(), vault: "bank-mum".into() });
    let SendOutcome::Accepted { detail, .. } = writer.send_once(&op(Some("t-2"))).await else { panic!("refused") };
    rig.advance_minutes(3);
    let job = backup_jobs::DescribeJob { region: mumbai(), kind: JobKind::Backup, id: detail.to_string() };
    let job = rig.read(job).await.value;
    assert_eq!(job.state.word(), "FAILED");
    assert!(job.message.expect("why").contains("KMS key"));
    rig.sim.clear(fault).expect("it was there");
}

#[tokio::test]
async fn what_was_restored_in_hyderabad_can_be_backed_up_copied_and_restored_at_home() {
    let rig = rig().await;
    let restored = Attempt::new(&rig, "backup.restore", Some(Side::Recovery)).await;
    let carry = async |attempt: &Attempt<'_>| {
        let op = sendable(attempt.prepare().await, &attempt.planned());
        let outcome = rig.writer().send_once(&*op).await;
        let SendOutcome::Accepted { detail, .. } = outcome else { panic!("{outcome:?}") };
        attempt.done(&op.describe(), Some(&detail)).await
    };
    carry(&restored).await;
    let in_hyderabad = "arn:aws:rds:ap-south-2:111122223333:db:assist-db-restored";
    let of = |kind: &str, target, more: &[(&str, &str)]| {
        let mut step = step(kind, target);
        for (name, value) in [("resource", in_hyderabad)].iter().chain(more) {
            step.params.insert((*name).to_owned(), StepParam::Value(Param::Text((*value).to_owned())));
        }
        step
    };
    let backup = Attempt { step: of("backup.start-backup", None, &[]), begun_at: rig.sim.now(), ..restored };
    assert_eq!(backup.planned()[0].region, hyderabad());
    carry(&backup).await;
    let copy = of("backup.copy", Some(Side::Primary), &[]);
    let copy = Attempt { step: copy, begun_at: rig.sim.now(), ..backup };
    carry(&copy).await;
    let home = of("backup.restore", Some(Side::Primary), &[("name", "assist-db-home")]);
    let home = Attempt { step: home, begun_at: rig.sim.now(), token: "t-2".to_owned(), ..copy };
    let told = home.with(|about| acting("backup.restore").loss(about)).expect("a loss");
    assert!(told.bound.is_none() && told.lines[0].contains("newest copy of assist-db-restored"), "{told:?}");
    let loss = home.loss_now().await;
    let bound = loss.bound.expect("the copy's data time bounds it");
    assert!(bound < std::time::Duration::from_secs(3 * 3_600), "{loss:?}");
    assert_eq!(loss.since, Some(rig.sim.now() - bound));
    assert!(loss.lines.last().expect("lines").contains("Where writing had stopped by then"), "{loss:?}");
    assert!(carry(&home).await.contains("arn:aws:rds:ap-south-1:111122223333:db:assist-db-home"));
    assert_eq!(home.effects(), ["StartRestoreJob", "StartBackupJob", "StartCopyJob", "StartRestoreJob"]);
}
