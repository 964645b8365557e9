//! Each fault that the simulator knows, and what the board then says: simulator, real SDK, collector, compliance.
//!
//! The estate stands still at one moment and faults are there before anything reads, some since long ago so that
//! history is missing: the same board on every run. Nothing sleeps; time-outs of the collector end every wait.

use std::time::Duration;

use pointsman::{
    cli::Common,
    compose::{self, Core},
    domain::{
        AppId, Assessment, ComponentId, Picture, ProbeFailure, RegionId, Timestamp, Verdict,
        compliance::{self, ComponentStanding, exit_code},
        observation::At,
        snapshot::Reach,
    },
    report::status,
    sim::fault::{Down, Fault, FaultKind},
};
use serde_json::Value;

const MUMBAI: &str = "ap-south-1";
const HYDERABAD: &str = "ap-south-2";
const CROSSSELL_DB: &str = "arn:aws:rds:ap-south-1:111122223333:db:crosssell-db";
const INVENTORY: &str = "arn:aws:ec2:ap-south-1:111122223333:instance/i-0c5e11f0000000002";

/// Fri 20 Nov 2026 14:32:07 IST.
fn start() -> Timestamp {
    Timestamp::parse("2026-11-20T09:02:07Z").expect("valid")
}

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

fn since(ago: Duration, kind: FaultKind) -> Fault {
    Fault { id: 0, kind, from: Some(start() - ago), until: None }
}

fn down(region: &str, how: Down) -> FaultKind {
    FaultKind::RegionDown { region: RegionId::new(region), how }
}

struct Board {
    core: Core,
    picture: Picture,
    _folder: tempfile::TempDir,
}

async fn core_with(faults: Vec<Fault>, speed: f64) -> (Core, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let common = Common {
        sim: true,
        speed,
        seed: 1,
        sim_start: Some(start()),
        state: Some(folder.path().to_path_buf()),
        estate: Some("bundled".into()),
        ..Common::default()
    };
    let inject = move |sim: &pointsman::sim::Sim| {
        for fault in faults {
            sim.inject(fault).expect("a known fault");
        }
    };
    (compose::start_with(&common, inject).await.expect("starts"), folder)
}

/// The first complete picture of the bundled estate with these faults in it.
async fn board(faults: Vec<Fault>) -> Board {
    let (core, folder) = core_with(faults, 0.0).await;
    let picture = core.first_full_picture().await;
    assert_eq!(picture.judged_at, start(), "the estate stands still");
    Board { core, picture, _folder: folder }
}

impl Board {
    fn app(&self, id: &str) -> &Assessment {
        self.picture.assessments.iter().find(|a| a.app == AppId::new(id)).unwrap_or_else(|| panic!("no app {id}"))
    }

    fn component(&self, app: &str, id: &str) -> &ComponentStanding {
        let found = self.app(app).components.iter().find(|c| c.component == ComponentId::new(id));
        found.unwrap_or_else(|| panic!("no component {id} in {app}"))
    }

    fn reach(&self, region: &str) -> Reach {
        self.picture.snapshot.regions[&RegionId::new(region)].reach
    }

    fn failures(&self, region: &str) -> Vec<ProbeFailure> {
        let failures = self.picture.snapshot.failures();
        failures.iter().filter(|error| error.region.as_str() == region).map(|error| error.failure).collect()
    }

    /// Every fact wanted from the Region was read and is fresh.
    fn complete_and_fresh(&self, region: &str) {
        let mut count = 0;
        for (id, slot) in self.picture.snapshot.facts.iter().filter(|(id, _)| id.region.as_str() == region) {
            assert!(matches!(slot.at(start()), At::Fresh(_)), "{id:?}: {:?}", slot.failure);
            count += 1;
        }
        assert!(count > 0, "facts are wanted from {region}");
        assert_eq!(self.failures(region), vec![], "{region}");
    }

    fn json(&self) -> Value {
        let order = compliance::order(&self.core.estate, &self.picture.assessments);
        status::json(&self.core.estate, &self.picture, &order)
    }

    fn table(&self) -> String {
        let order = compliance::order(&self.core.estate, &self.picture.assessments);
        status::table(&self.core.estate, &self.picture, &order)
    }

    fn exit(&self) -> u8 {
        exit_code(&self.picture.assessments)
    }
}

/// No value came from the Region; who writes is told by the other one, and says so.
fn nothing_was_read_from(board: &Board, region: &str) {
    for (id, slot) in board.picture.snapshot.facts.iter().filter(|(id, _)| id.region.as_str() == region) {
        let here = slot.last.as_ref().is_some_and(|seen| seen.region.as_str() == region);
        assert!(!here, "{id:?} was read from a Region that does not answer");
        assert!(slot.last.is_some() || slot.failure.is_some(), "{id:?} has no value and no reason");
    }
}

fn payments_frozen_at_the_last_sample_before_the_gap(board: &Board) {
    let payments = board.app("payments");
    assert!(!matches!(payments.verdict, Verdict::Met { .. }), "{payments:#?}");
    assert!(payments.pages, "a top-tier app whose Region is gone wakes somebody: {payments:#?}");
    let global = board.component("payments", "payments-global");
    assert!(global.state.contains("before the gap, from 14:2"), "{}", global.state);
    let lost = global.region_lost.as_ref().expect("a data component");
    let sample = lost.data_time.expect("there was a sample");
    assert!(sample < start() - minutes(5), "from before Mumbai went: {sample:?}");
    assert!(lost.exposure.is_some_and(|lag| lag < Duration::from_secs(1)), "{lost:?}");
    assert!(!matches!(global.verdict, Verdict::Met { .. }), "{global:?}");
    let lines = &payments.decide.as_ref().expect("a card").lines;
    assert!(!lines.iter().any(|line| line.contains("lose at most 0 s")), "nothing proves a loss of nothing: {lines:?}");
}

fn mumbai_is_lost(board: &Board) {
    board.complete_and_fresh(HYDERABAD);
    assert_eq!(board.reach(MUMBAI), Reach::RegionDown);
    assert_eq!(board.reach(HYDERABAD), Reach::Reachable);
    nothing_was_read_from(board, MUMBAI);
    payments_frozen_at_the_last_sample_before_the_gap(board);
    assert_eq!(board.exit(), 2);
    let table = board.table();
    // It went at 14:27:07; the last sample that came from there is of that minute. The first look was at 14:32:07.
    assert!(table.contains("Mumbai ap-south-1 unreachable, other Regions answer, seen since 14:28:00"), "{table}");
    assert!(table.contains("it is the Region: others answer"), "{table}");
    assert!(!table.contains("my own network"), "{table}");
    let causes = table.lines().filter(|line| line.starts_with('!'));
    assert_eq!(causes.count(), 1, "one cause, one line:\n{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_mumbai_refusing_since_five_minutes_hyderabad_is_whole_and_mumbai_is_named() {
    let board = board(vec![since(minutes(5), down(MUMBAI, Down::Refuse))]).await;
    mumbai_is_lost(&board);
    assert!(board.failures(MUMBAI).iter().all(|failure| *failure == ProbeFailure::Unreachable));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_mumbai_answering_5xx_since_five_minutes_hyderabad_is_whole_and_mumbai_is_named() {
    let board = board(vec![since(minutes(5), down(MUMBAI, Down::ServerError))]).await;
    mumbai_is_lost(&board);
    assert!(board.failures(MUMBAI).iter().all(|failure| *failure == ProbeFailure::ServerError));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_black_holed_mumbai_delays_nothing_in_hyderabad_and_the_first_complete_picture_is_bounded() {
    let (core, folder) = core_with(vec![since(minutes(5), down(MUMBAI, Down::Blackhole))], 0.0).await;
    let mut snapshots = core.collector.snapshots();
    // Hyderabad is there while every call to Mumbai still waits: nothing of Mumbai has failed yet, which the shortest
    // of its time-outs (4 s for an attempt) would have done.
    let hyderabad = snapshots
        .wait_for(|snapshot| {
            let mut slots = snapshot.facts.iter().filter(|(id, _)| id.region.as_str() == HYDERABAD).peekable();
            slots.peek().is_some()
                && slots.all(|(_, slot)| slot.last.is_some())
                && snapshot.jobs.keys().any(|(region, _)| region.as_str() == HYDERABAD)
                && snapshot.identities.contains_key(&RegionId::new(HYDERABAD))
        })
        .await
        .expect("the collector runs")
        .clone();
    assert!(hyderabad.failures().is_empty(), "Mumbai's calls still wait: {:?}", hyderabad.failures());
    assert!(!hyderabad.complete, "and so does the first complete picture");
    // Two waves of calls (eight at a time), each ended by the operation's time-out of 10 s.
    let picture = tokio::time::timeout(Duration::from_secs(25), core.first_full_picture()).await.expect("bounded");
    mumbai_is_lost(&Board { core, picture, _folder: folder });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_mumbai_answers_late_and_is_neither_down_nor_healthy() {
    let board = board(vec![since(minutes(5), down(MUMBAI, Down::Slow))]).await;
    board.complete_and_fresh(HYDERABAD);
    assert!(matches!(board.reach(MUMBAI), Reach::Reachable | Reach::Partial), "{:?}", board.reach(MUMBAI));
    let payments = board.app("payments");
    assert!(!matches!(payments.verdict, Verdict::Met { .. }), "its workload stopped: {payments:#?}");
    let global = board.component("payments", "payments-global");
    assert!(global.state.contains("since 14:2"), "the time of the last sample: {}", global.state);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_mumbai_goes_while_we_watch_what_was_seen_is_kept_and_its_loss_is_bounded() {
    let (core, folder) = core_with(Vec::new(), 0.0).await;
    let before = core.first_full_picture().await;
    let met = |picture: &Picture| {
        picture.assessments.iter().any(|a| a.app == AppId::new("payments") && matches!(a.verdict, Verdict::Met { .. }))
    };
    assert!(met(&before));
    let sim = core.simulator.clone().expect("embedded");
    sim.inject(Fault { id: 0, kind: down(MUMBAI, Down::Refuse), from: None, until: None }).expect("a known fault");
    core.collector.refresh_now();
    let mut snapshots = core.collector.snapshots();
    let gone = |snapshot: &std::sync::Arc<pointsman::domain::Snapshot>| {
        snapshot.regions[&RegionId::new(MUMBAI)].reach == Reach::RegionDown
    };
    let snapshot = tokio::time::timeout(Duration::from_secs(20), snapshots.wait_for(gone)).await.expect("bounded");
    let snapshot = snapshot.expect("the collector runs").clone();
    let picture = core.judge(snapshot);
    assert!(!met(&picture));
    let board = Board { core, picture, _folder: folder };
    let sessions = board.component("payments", "sessions");
    assert!(sessions.state.contains("loss frozen"), "published in Mumbai, seen before it went: {sessions:?}");
    let lost = &board.app("payments").region_lost;
    assert!(lost.exposure.is_some() && lost.at_most.is_some_and(|most| most > Duration::ZERO), "{lost:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_nothing_answers_anywhere_it_is_my_own_network_and_still_a_simulation() {
    let everywhere = [MUMBAI, HYDERABAD, "us-east-1"];
    let board = board(everywhere.map(|region| since(minutes(5), down(region, Down::Refuse))).into()).await;
    for region in everywhere {
        assert_eq!(board.reach(region), Reach::OwnNetwork, "{region}");
    }
    for assessment in &board.picture.assessments {
        assert!(matches!(assessment.verdict, Verdict::Unknown { .. }), "{assessment:#?}");
        assert_eq!(assessment.region_lost.exposure, None);
    }
    assert_eq!(board.exit(), 3);
    assert!(board.picture.snapshot.mode.simulated(), "no answer does not make the simulator live");
    let table = board.table();
    assert!(table.contains("look at your own network first"), "{table}");
    assert_eq!(board.app("payments").region_lost.target, Some(Duration::from_secs(1)), "the strictest stands for all");
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_is_told_as_throttling_and_nothing_is_met_from_nothing() {
    let kind = FaultKind::Throttling { region: RegionId::new(MUMBAI), service: None, share: 1.0 };
    let board = board(vec![since(minutes(5), kind)]).await;
    board.complete_and_fresh(HYDERABAD);
    assert_eq!(board.reach(MUMBAI), Reach::Reachable, "a refusal is an answer");
    let failures = board.failures(MUMBAI);
    assert!(!failures.is_empty() && failures.iter().all(|f| *f == ProbeFailure::Throttled), "{failures:?}");
    nothing_was_read_from(&board, MUMBAI);
    let payments = board.app("payments");
    assert!(matches!(payments.verdict, Verdict::Unknown { .. }), "{payments:#?}");
    assert!(payments.reasons[0].contains("throttled"), "{:?}", payments.reasons);
    assert!(board.table().contains("reading slows down by itself"), "{}", board.table());
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_credentials_of_mumbai_name_the_way_out_and_leave_hyderabad_live() {
    let kind = FaultKind::CredentialsExpired { region: RegionId::new(MUMBAI) };
    let board = board(vec![since(minutes(5), kind)]).await;
    board.complete_and_fresh(HYDERABAD);
    let failures = board.failures(MUMBAI);
    assert!(!failures.is_empty() && failures.iter().all(|f| *f == ProbeFailure::CredentialsExpired), "{failures:?}");
    assert_eq!(board.app("core-banking").verdict.word(), "met", "nothing of it is read in Mumbai");
    assert_eq!(board.app("payments").verdict.word(), "unknown");
    let table = board.table();
    assert!(table.contains("Mumbai ap-south-1 credentials expired"), "{table}");
    assert!(table.contains("aws sso login"), "{table}");
    assert!(board.json()["errors"][0]["next"].as_str().is_some_and(|next| next.contains("aws sso login")));
}

#[tokio::test(flavor = "multi_thread")]
async fn growing_lag_breaches_payments_and_pages() {
    let kind = FaultKind::LagGrowth { target: "payments-hyd".into(), millis_per_second: 500.0 };
    let board = board(vec![since(minutes(10), kind)]).await;
    let payments = board.app("payments");
    assert!(matches!(payments.verdict, Verdict::Breached { by } if by > minutes(3)), "{payments:#?}");
    assert_eq!(payments.region_lost.component, Some(ComponentId::new("payments-global")));
    assert!(payments.pages);
    assert_eq!(board.exit(), 2);
    let alarm = board.component("payments", "payments-lag-alarm");
    assert!(matches!(alarm.verdict, Verdict::AtRisk { .. }), "its alarm says so too: {alarm:?}");
}

fn jobs_fail(resource: &str, job: &str, message: &str) -> FaultKind {
    FaultKind::JobsFail { resource: resource.into(), job: Some(job.into()), message: message.into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_that_fail_since_four_hours_let_the_exposure_grow_to_the_last_good_copy() {
    let calm = board(Vec::new()).await;
    let board = board(vec![since(minutes(240), jobs_fail(INVENTORY, "copy", "The KMS key is disabled"))]).await;
    let app = board.app("inventory");
    let lost = &app.region_lost;
    assert!(lost.exposure.is_some_and(|lost| lost > minutes(240)), "back to the last copy before: {lost:?}");
    assert!(lost.data_time.is_some_and(|at| at < start() - minutes(240)));
    let late = app.flags.late.as_ref().expect("late");
    assert!(late.critical && late.why.contains("copy of") && late.why.contains("The KMS key is disabled"), "{late:?}");
    assert!(app.pages, "the design explains 1 h 13 m, not this");
    assert!(!app.reasons[0].contains("by design"), "{:?}", app.reasons);
    assert_eq!(app.corrupted, calm.app("inventory").corrupted, "the backups in Mumbai are as good as ever");
    let served = |board: &Board| board.picture.assessments.iter().filter(|a| a.served.success.is_some()).count();
    assert_eq!(served(&board), 10, "every app that declares counters says whether customers are served");
    for other in ["cross-sell", "agent-payment", "vendor-assistance", "payments", "core-banking"] {
        assert_eq!(board.app(other).region_lost, calm.app(other).region_lost, "{other}");
    }
    assert_eq!((calm.exit(), board.exit()), (3, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_that_fail_since_four_hours_hurt_both_answers() {
    let board = board(vec![since(minutes(240), jobs_fail(CROSSSELL_DB, "backup", "Access denied to the vault"))]).await;
    let app = board.app("cross-sell");
    assert_eq!(app.region_lost.component, Some(ComponentId::new("crosssell-db")));
    assert!(app.region_lost.exposure.is_some_and(|lost| lost > minutes(240)), "{:?}", app.region_lost);
    let here = board.component("cross-sell", "crosssell-db").corrupted.as_ref().expect("kept in Mumbai");
    assert!(here.exposure.is_some_and(|age| age > minutes(235)), "no newer point in Mumbai either: {here:?}");
    let late = app.flags.late.as_ref().expect("late");
    assert!(late.critical && late.why.contains("Access denied to the vault"), "{late:?}");
    assert!(app.pages, "an accepted design accepts no failed backups");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_impaired_control_plane_in_us_east_1_takes_route_53_and_nothing_else() {
    let calm = board(Vec::new()).await;
    let board = board(vec![since(minutes(5), FaultKind::ControlPlaneImpaired { how: Down::ServerError })]).await;
    board.complete_and_fresh(MUMBAI);
    board.complete_and_fresh(HYDERABAD);
    let snapshot = &board.picture.snapshot;
    assert!(snapshot.failures().iter().all(|error| error.call.starts_with("route53 ")), "{:?}", snapshot.failures());
    for (now, before) in board.picture.assessments.iter().zip(&calm.picture.assessments) {
        assert_eq!(now.region_lost, before.region_lost, "what would be lost is known all the same");
        assert_eq!(now.corrupted, before.corrupted);
    }
    let payments = board.app("payments");
    assert!(matches!(&payments.verdict, Verdict::Unknown { why, .. } if why.contains("api-name")), "{payments:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rds_down_in_mumbai_takes_what_rds_says_and_nothing_else() {
    let calm = board(Vec::new()).await;
    let kind = FaultKind::ServiceDown { region: RegionId::new(MUMBAI), service: "rds".into(), how: Down::Refuse };
    let board = board(vec![since(minutes(5), kind)]).await;
    board.complete_and_fresh(HYDERABAD);
    assert_eq!(board.reach(MUMBAI), Reach::Partial);
    let snapshot = &board.picture.snapshot;
    assert!(snapshot.failures().iter().all(|error| error.call.starts_with("rds ")), "{:?}", snapshot.failures());
    for (now, before) in board.picture.assessments.iter().zip(&calm.picture.assessments) {
        assert_eq!(now.region_lost, before.region_lost, "{}", now.app);
    }
    let corrupted = &board.app("payments").corrupted;
    assert!(matches!(corrupted.verdict, Verdict::Unknown { .. }), "its restore window is read there: {corrupted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_read_is_asked_again_and_changes_nothing() {
    let calm = board(Vec::new()).await;
    let kind = FaultKind::ReplyLost {
        service: Some("rds".into()),
        operation: Some("DescribeGlobalClusters".into()),
        count: 1,
    };
    let board = board(vec![since(minutes(1), kind)]).await;
    assert_eq!(board.picture.snapshot.failures(), Vec::<&pointsman::domain::ProbeError>::new());
    assert_eq!(board.picture.assessments, calm.picture.assessments);
    let asked = |board: &Board| {
        let sim = board.core.simulator.as_ref().expect("embedded");
        sim.calls_after(0).0.iter().filter(|call| call.operation == "DescribeGlobalClusters").count()
    };
    assert_eq!(asked(&board), asked(&calm) + 1, "once more, and no oftener");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_observer_makes_payments_unknown() {
    let kind = |service: &str| FaultKind::ServiceDown {
        region: RegionId::new(HYDERABAD),
        service: service.into(),
        how: Down::Refuse,
    };
    let board = board(vec![since(minutes(1), kind("monitoring"))]).await;
    let payments = board.app("payments");
    assert!(matches!(payments.verdict, Verdict::Unknown { .. }), "{payments:#?}");
    assert_eq!(payments.region_lost.exposure, None, "no figure from nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bundled_estate_when_all_is_well() {
    let board = board(Vec::new()).await;
    assert_eq!(board.picture.snapshot.failures(), Vec::<&pointsman::domain::ProbeError>::new());
    assert_eq!(board.app("payments").verdict, Verdict::Met { sampled: true });
    assert_eq!(board.app("core-banking").verdict.word(), "met");

    let vendor = board.app("vendor-assistance");
    assert!(vendor.flags.design.is_some_and(|worst| worst > minutes(60)), "hourly backups against 30 m");
    assert!(matches!(vendor.verdict, Verdict::Breached { .. }), "{vendor:#?}");
    assert!(vendor.reasons[0].contains("by design, worst 1 h"), "{:?}", vendor.reasons);
    assert!(!vendor.pages, "nobody is woken for what the design cannot do");

    assert_eq!(board.app("customer-assistance").verdict, Verdict::NoTarget);
    let webank = board.app("webank");
    assert!(matches!(&webank.verdict, Verdict::Unknown { why, .. } if why.contains("not observed by this version")));

    let estimate = vendor.rto.estimated.as_ref().expect("declared");
    assert_eq!((estimate.total(), estimate.basis.as_str()), (Duration::from_secs(4_550), "declared"));
    // Nothing pages; Webank cannot be known: 3 before 1.
    assert!(board.picture.assessments.iter().all(|a| !a.pages));
    assert_eq!(board.exit(), 3);
    let known: Vec<Assessment> =
        board.picture.assessments.iter().filter(|a| a.app != AppId::new("webank")).cloned().collect();
    assert_eq!(exit_code(&known), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_json_says_what_the_assessments_say_in_calm_and_in_trouble() {
    for faults in [Vec::new(), vec![since(minutes(5), down(MUMBAI, Down::Refuse))]] {
        let board = board(faults).await;
        let json = board.json();
        let order = compliance::order(&board.core.estate, &board.picture.assessments);
        let apps = json["apps"].as_array().expect("a list");
        assert_eq!(apps.len(), order.len());
        let seconds = |d: Option<Duration>| d.map(|d| d.as_millis() as f64 / 1000.0);
        for (app, index) in apps.iter().zip(order) {
            let said = &board.picture.assessments[index];
            assert_eq!(app["id"], said.app.as_str(), "worst first");
            assert_eq!(app["verdict"], said.verdict.word());
            assert_eq!(app["pages"], said.pages);
            for (name, exposure) in [("region_lost", &said.region_lost), ("corrupted", &said.corrupted)] {
                let json = &app["rpo"][name];
                assert_eq!(json["exposure"].as_f64(), seconds(exposure.exposure), "{} {name}", said.app);
                assert_eq!(json["at_least"].as_f64(), seconds(exposure.at_least));
                assert_eq!(json["at_most"].as_f64(), seconds(exposure.at_most));
                assert_eq!(json["verdict"], exposure.verdict.word());
                assert_eq!(json["data_time"].as_str().map(str::to_owned), exposure.data_time.map(Timestamp::rfc3339));
            }
            assert_eq!(app["rpo"]["flags"]["design"].as_f64(), seconds(said.flags.design));
            assert_eq!(app["rpo"]["flags"]["contract"].as_f64(), seconds(said.flags.contract));
            let estimated = said.rto.estimated.as_ref().map(compliance::RtoEstimate::total);
            assert_eq!(app["rto"]["estimated"].as_f64(), seconds(estimated));
            assert_eq!(app["rto"]["verdict"], said.rto.verdict.word());
            assert_eq!(app["served"]["success"].as_f64(), said.served.success);
            let reasons: Vec<&str> = said.reasons.iter().map(pointsman::domain::SafeText::as_str).collect();
            assert_eq!(app["reasons"], serde_json::json!(reasons));
        }
    }
}

/// The estate runs here as it does for the on-call engineer: times move on between one read and the next.
#[tokio::test(flavor = "multi_thread")]
async fn on_a_running_estate_the_first_complete_picture_already_names_the_dead_region() {
    for _ in 0..5 {
        let (core, _folder) = core_with(vec![since(minutes(5), down(MUMBAI, Down::Refuse))], 1.0).await;
        let picture = core.first_full_picture().await;
        assert_eq!(picture.snapshot.regions[&RegionId::new(MUMBAI)].reach, Reach::RegionDown);
    }
}
