//! Every app of the bundled estate goes out with Mumbai down, is protected again when Mumbai is back, and comes home: the
//! real engine on the simulator, through the runbooks that the app names. At the end the world is as it was.

mod rig;
mod ways;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use pointsman::{
    domain::{AppId, Estate, snapshot::Reach},
    engine::wave::{WaveDeclaration, WaveRequest},
    runbook::{
        run::{Ask, Phase, RunState, StepPhase},
        spec::{RunbookSpec, Variant},
    },
    sim::fault::Down,
};
use rig::MUMBAI;
use ways::{BANK, Bridge, Look, STUCK, answer, declaration, lost};

/// A console for one app.
struct Home {
    bridge: Bridge,
    app: AppId,
}

impl Home {
    /// Of the app alone: what it does not look at costs nothing.
    async fn open(app: &AppId) -> Self {
        let mut estate: Estate = (*BANK.0).clone();
        estate.apps.retain(|known| known.id == *app);
        estate.apps[0].depends_on.clear();
        Self { bridge: Bridge::open(&Arc::new(estate), Look::WhenAsked).await, app: app.clone() }
    }

    fn runbook(&self, role: &str) -> &'static RunbookSpec {
        let app = BANK.0.app(&self.app).expect("of the estate");
        let id = app.runbooks.get(role).unwrap_or_else(|| panic!("{} names no {role} runbook", self.app));
        BANK.1.iter().find(|runbook| runbook.id == *id).expect("the estate was read whole")
    }

    /// Once Mumbai is seen so.
    async fn carry(&self, role: &str, mumbai: Reach) -> Arc<RunState> {
        let book = self.runbook(role);
        let plan = self.bridge.plan_when(book, &self.app, |[seen, _]| seen == mumbai).await;
        assert!(plan.interlocks.is_empty(), "{} for {}: {:#?}", book.id, self.app, plan.interlocks);
        let declared = declaration(&plan, plan.target_region.as_str());
        let engine = &self.bridge.engine;
        let run = engine.declare(&plan, declared.clone()).await.unwrap_or_else(|no| panic!("{}: {no:?}", book.id));
        let mut watch = engine.watch();
        loop {
            let runs = watch.borrow_and_update().clone();
            let state = runs.list.iter().find(|state| state.id == run).cloned().expect("listed");
            let told = || format!("{} for {}: {:#?}\n{:#?}", book.id, self.app, state.phase, state.log);
            let said = match &state.phase {
                Phase::Completed { .. } => return state,
                Phase::Parked { .. } | Phase::Abandoned { .. } => panic!("{}", told()),
                // Nobody but this run acts here, and no answer is lost.
                Phase::Waiting(Ask::Noticed { .. } | Ask::Verdict { .. }) => panic!("{}", told()),
                Phase::Waiting(ask) => Some(answer(ask, &declared)),
                _ => None,
            };
            if let Some(said) = said {
                // A refusal means that the run moved on; the next state says where.
                let _ = engine.answer(run, said).await;
                continue;
            }
            let changed = tokio::time::timeout(STUCK, watch.changed()).await;
            changed.unwrap_or_else(|_| panic!("stuck: {}", told())).expect("the engine lives");
        }
    }

    fn unprotected(&self) -> bool {
        self.bridge.engine.watch().borrow().list.iter().any(|run| run.unprotected_since.is_some())
    }

    /// Where DNS sends customers, and who writes, as the simulator itself says it.
    fn world(&self) -> (String, Option<String>) {
        let state = self.bridge.sim.state();
        let mut records: Vec<String> = Vec::new();
        weights(&state["records"], &mut records);
        records.sort();
        let globals = state["global_clusters"].as_object().and_then(|all| all.values().next());
        let writer = globals.map(|global| global["writer"].to_string());
        (records.join("; "), writer)
    }
}

/// Every step was taken, and nothing left out.
fn whole(state: &RunState) {
    let left: Vec<_> = state.steps.iter().filter(|step| step.phase != StepPhase::Done).collect();
    assert!(left.is_empty(), "{} for {}: {left:#?}", state.plan.runbook, state.plan.app);
}

/// Every record with a weight in what the simulator says, whatever it is nested in.
fn weights(of: &serde_json::Value, found: &mut Vec<String>) {
    match of {
        serde_json::Value::Object(map) if map.contains_key("weight") => {
            let said = |key: &str| map.get(key).map_or_else(String::new, ToString::to_string);
            found.push(format!("{} {} {}", said("name"), said("set"), said("weight")));
        }
        serde_json::Value::Object(map) => map.values().for_each(|inner| weights(inner, found)),
        serde_json::Value::Array(list) => list.iter().for_each(|inner| weights(inner, found)),
        _ => {}
    }
}

async fn out_and_home(app: &str) {
    let home = Home::open(&AppId::new(app)).await;
    let before = home.world();
    assert!(!before.0.is_empty(), "the simulator has records of {app}: {}", home.bridge.sim.state()["records"]);
    let fault = home.bridge.happens(lost(MUMBAI, Down::Refuse));
    home.bridge.hand.advance(Duration::from_mins(5)); // until the checkers outside have seen it too

    whole(&*home.carry("failover", Reach::RegionDown).await);
    assert_ne!(home.world().0, before.0, "{app}: customers were sent elsewhere");
    assert!(home.unprotected(), "{app} is alone in Hyderabad");

    home.bridge.sim.clear(fault).expect("it was there");
    whole(&*home.carry("re-protect", Reach::Reachable).await);
    assert!(!home.unprotected(), "{app} is protected again");

    whole(&*home.carry("failback", Reach::Reachable).await);
    assert_eq!(home.world(), before, "{app}: the world is as it was");
    assert!(!home.unprotected());
}

macro_rules! ways_home {
    ($($name:ident: $app:literal,)*) => {
        /// As they are named here; held against the estate below.
        const APPS: &[&str] = &[$($app),*];

        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            out_and_home($app).await;
        })*
    };
}

ways_home! {
    core_banking_goes_to_the_cloud_and_comes_home: "core-banking",
    payments_has_its_writer_moved_and_comes_home: "payments",
    statements_is_restored_from_a_copied_snapshot_and_comes_home: "statements",
    the_lab_is_restored_from_a_copied_backup_and_comes_home: "backup-lab",
    agent_payment_is_restored_and_comes_home: "agent-payment",
    cross_sell_is_restored_and_comes_home: "cross-sell",
    inventory_is_restored_and_comes_home: "inventory",
    customer_assistance_is_restored_and_comes_home: "customer-assistance",
    vendor_assistance_is_restored_and_comes_home: "vendor-assistance",
    webank_is_rebuilt_by_its_programs_and_comes_home: "webank",
}

#[test]
fn no_app_of_the_estate_is_left_out_here() {
    let known: BTreeSet<&str> = BANK.0.apps.iter().map(|app| app.id.as_str()).collect();
    assert_eq!(known, APPS.iter().copied().collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_estate_is_protected_again_by_one_wave_whose_phrase_names_both_regions() {
    let bridge = Bridge::open(&BANK.0, Look::WhenAsked).await;
    for app in &BANK.0.apps {
        let book = &app.runbooks["re-protect"];
        let book = BANK.1.iter().find(|runbook| runbook.id == *book).expect("the estate was read whole");
        bridge.plan(book, &app.id).await; // a wave is planned by what was read last
    }
    let request = WaveRequest { role: "re-protect".into(), apps: Vec::new(), parallel_max: 4, variant: Variant::Whole };
    let wave = bridge.engine.plan_wave(&request).await.expect("a wave");
    assert!(wave.left_out.is_empty(), "{:?}", wave.left_out);
    let mut said = WaveDeclaration {
        who: "asha".into(),
        incident: "INC-4471".into(),
        phrase: "10 apps to Mumbai".into(),
        outage_at: None,
    };
    let refused = bridge.engine.declare_wave(&wave, &said).await.expect_err("one goes elsewhere").to_string();
    for region in ["9 apps to Mumbai", "1 app to Hyderabad"] {
        assert!(refused.contains(region), "{refused}");
    }
    said.phrase = wave.phrase();
    let runs = bridge.engine.declare_wave(&wave, &said).await.expect("typed as it stands");
    assert_eq!(runs.len(), 10);
    for run in &bridge.engine.watch().borrow().list {
        let region = if run.plan.app.as_str() == "core-banking" { "ap-south-2" } else { "ap-south-1" };
        assert_eq!(run.declaration.region, region, "{}", run.plan.app);
    }
}
