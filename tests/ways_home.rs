//! Every app of the bundled estate goes out with Mumbai down, is protected again when Mumbai is back, and comes home: the
//! real engine on the simulator, through the runbooks that the app names. At the end the world is as it was.

mod rig;
mod ways;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use pointsman::{
    domain::{AppId, Estate, Side, app::Param, snapshot::Reach},
    engine::wave::{WaveDeclaration, WaveRequest},
    runbook::{
        run::{RunState, StepPhase},
        spec::{RunbookSpec, StepParam, Variant},
    },
    sim::fault::Down,
};
use rig::MUMBAI;
use ways::{BANK, Bridge, Look, lost};

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
        self.bridge.carry(&plan).await
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

/// Every step was taken, nothing left out, and no time lost between them.
fn whole(state: &RunState) {
    let left: Vec<_> = state.steps.iter().filter(|step| step.phase != StepPhase::Done).collect();
    assert!(left.is_empty(), "{} for {}: {left:#?}", state.plan.runbook, state.plan.app);
    let (took, _) = state.measured.as_ref().expect("written down at the end");
    let overhead = took.overhead().expect("steps were taken");
    assert!(
        overhead <= 1.02,
        "{} for {}: {overhead} of the critical path, {took:?}",
        state.plan.runbook,
        state.plan.app
    );
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failover_records_go_there_and_back_in_one_run() {
    let mut estate: Estate = (*BANK.0).clone();
    estate.apps.retain(|app| app.id.as_str() == "payments");
    let name = estate.apps[0].components.iter_mut().find(|component| component.id.as_str() == "api-name");
    name.expect("Payments has a name").params.0.insert("routing".into(), Param::Text("failover".into()));
    let planned = BANK.1.iter().find(|runbook| runbook.id.as_str() == "payments-switchover").expect("there");
    let mut runbook = (**planned).clone();
    runbook.steps.retain(|step| step.id.as_str() == "shift");
    runbook.steps[0].guards.clear();
    runbook.steps[0].after.clear();
    let mut home = runbook.steps[0].clone();
    home.id = "home".into();
    home.after = vec!["shift".into()];
    home.params.insert("target".into(), StepParam::Value(Param::Side(Side::Primary)));
    runbook.steps.push(home);
    let estate = Arc::new(estate);
    let runbooks = vec![Arc::new(runbook.clone())];
    let bridge = Bridge::with(&estate, runbooks, Look::WhenAsked, &estate.expects_account).await;
    let before = bridge.sim.state()["records"].clone();
    let plan = bridge.plan(&runbook, &estate.apps[0].id).await;
    whole(&*bridge.carry(&plan).await);
    let shifts = bridge.sim.calls().into_iter().filter(|call| call.effect).map(|call| call.operation);
    assert_eq!(shifts.collect::<Vec<_>>(), ["ChangeResourceRecordSets"; 2]);
    assert_eq!(bridge.sim.state()["records"], before, "at home again");
}
