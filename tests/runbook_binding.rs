//! One runbook, many apps: what is planned of it for each, with the estate of `tests/config/valid/estate/strategies`.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use pointsman::{
    domain::{App, AppId, Estate, Side, StepId, app::Param},
    estate::{self, Source},
    probes,
    runbook::{
        bind::{self, Bound, Occasion},
        plan::PlanRequest,
        spec::{Guard, RunbookSpec, Signal, StepParam, StepSpec, Variant},
    },
    steps,
};

struct Bank {
    estate: Arc<Estate>,
    swap: Arc<RunbookSpec>,
}

fn bank() -> Bank {
    let folder = Source::Folder(PathBuf::from("tests/config/valid/estate/strategies"));
    let loaded = estate::load(&folder, probes::CATALOGUE, steps::CATALOGUE);
    let swap = loaded.runbooks.iter().find(|runbook| runbook.id.as_str() == "swap").expect("there").clone();
    Bank { estate: loaded.estate.expect("whole"), swap }
}

impl Bank {
    fn app(&self, id: &str) -> &App {
        self.estate.app(&AppId::new(id)).expect("there")
    }

    fn try_bind(&self, app: &str, set: &[(&str, &str)], variant: Variant, occasion: Occasion) -> Result<Bound, String> {
        let request = PlanRequest {
            runbook: self.swap.id.clone(),
            app: AppId::new(app),
            parameters: set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            variant,
        };
        bind::bind(&self.swap, &self.estate, self.app(app), &request, occasion).map_err(|why| why.to_string())
    }

    fn bind(&self, app: &str, set: &[(&str, &str)]) -> Bound {
        self.try_bind(app, set, Variant::Whole, Occasion::Real).expect("bindable")
    }
}

/// `id <- what it waits for`
fn graph(bound: &Bound) -> Vec<String> {
    let line = |step: &StepSpec| {
        let after: Vec<&str> = step.after.iter().map(StepId::as_str).collect();
        format!("{} <- {}", step.id, after.join(" "))
    };
    bound.runbook.steps.iter().map(line).collect()
}

fn step<'b>(bound: &'b Bound, id: &str) -> &'b StepSpec {
    bound.runbook.steps.iter().find(|step| step.id.as_str() == id).unwrap_or_else(|| panic!("no step {id}"))
}

#[test]
fn a_group_and_a_nested_runbook_are_plain_steps_in_an_order_that_can_be_followed() {
    let bound = bank().bind("ledger", &[]);
    assert_eq!(
        graph(&bound),
        [
            "there <- ",
            "then <- there",
            "copied <- ",
            "writer/stands <- then copied",
            "writer/move <- writer/stands",
            "writer/writes <- writer/move",
            "shift <- writer/writes",
        ]
    );
}

#[test]
fn an_app_without_a_database_skips_what_is_about_one_and_nothing_waits_for_a_step_that_is_not_there() {
    let bound = bank().bind("static", &[]);
    assert_eq!(graph(&bound), ["ask <- ", "there <- ask", "then <- there", "shift <- then ask"]);
}

#[test]
fn values_come_from_the_command_line_then_from_the_app_then_from_the_default() {
    let bank = bank();
    let bound = bank.bind("ledger", &[]);
    let told: BTreeMap<&str, &str> = bound.parameters.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let expected = [
        ("ask_first", "false"),
        ("database", "ledger-global"),
        ("name", "ledger-name"),
        ("patience", "5m"),
        ("quorum", "1"),
        ("to", "recovery"),
        ("tone", "calm"),
    ];
    assert_eq!(told, BTreeMap::from(expected));
    assert_eq!(step(&bound, "copied").timeout, Duration::from_secs(300));

    let bound = bank.bind("ledger", &[("patience", "90s"), ("to", "primary"), ("ask_first", "true")]);
    assert_eq!(step(&bound, "copied").timeout, Duration::from_secs(90));
    assert_eq!(step(&bound, "shift").params.get("target"), Some(&StepParam::Value(Param::Side(Side::Primary))));
    assert_eq!(
        step(&bound, "there").params.get("signals"),
        Some(&StepParam::Signals(vec![Signal::Reachable { side: Side::Primary }]))
    );
    assert_eq!(
        step(&bound, "ask").params.get("items"),
        Some(&StepParam::Texts(vec!["calm".to_owned(), "$5 in the kitty".to_owned()]))
    );
}

#[test]
fn what_a_nested_runbook_is_given_reaches_its_signals_and_guards_and_its_own_defaults_stay() {
    let bound = bank().bind("ledger", &[("to", "primary")]);
    let moved = step(&bound, "writer/move");
    assert_eq!(moved.params.get("component"), Some(&StepParam::Value(Param::Text("ledger-global".to_owned()))));
    let Guard::LagAtMost { component, limit, .. } = &moved.guards[0].guard else { panic!("{:?}", moved.guards) };
    assert_eq!((component.as_deref(), *limit), (Some("ledger-global"), Duration::from_secs(1)));
    let attested = moved.guards[1].guard.attested_by().map(ToString::to_string);
    assert_eq!(attested.as_deref(), Some("writer/stands"), "by the name that the checklist has here");
    assert_eq!(
        step(&bound, "writer/writes").params.get("signals"),
        Some(&StepParam::Signals(vec![Signal::WriterIn {
            component: "ledger-global".to_owned(),
            side: Side::Primary
        }]))
    );
}

#[test]
fn no_reference_outlives_the_binding() {
    let bank = bank();
    for app in ["ledger", "static"] {
        for occasion in [Occasion::Real, Occasion::Drill] {
            let bound = bank.try_bind(app, &[], Variant::Whole, occasion).expect("bindable");
            for step in &bound.runbook.steps {
                assert!(step.holes.is_empty(), "{app}: {}", step.id);
                let said = format!("{:?} {:?}", step.params, step.guards);
                assert!(!said.replace("\"$5", "").contains("\"$"), "{app}: {}: {said}", step.id);
            }
        }
    }
}

#[test]
fn a_drill_has_its_own_steps_and_not_those_that_are_for_real() {
    let bank = bank();
    let drill = graph(&bank.try_bind("ledger", &[], Variant::Whole, Occasion::Drill).expect("bindable"));
    assert!(drill.contains(&"party <- shift".to_owned()), "{drill:?}");
    assert!(drill.contains(&"shift <- writer/move".to_owned()), "{drill:?}");
}

#[test]
fn a_check_only_variant_reads_and_does_nothing_else() {
    let bank = bank();
    let bound = bank.try_bind("static", &[], Variant::CheckOnly, Occasion::Drill).expect("bindable");
    assert_eq!(graph(&bound), ["there <- ", "then <- there"]);
}

#[test]
fn every_wrong_value_is_said_at_once() {
    let bank = bank();
    let set = [
        ("database", "ledger-name"),
        ("patience", "soon"),
        ("quorum", "inf"),
        ("ask_first", "yes"),
        ("to", "hyderabad"),
        ("tone", "shrill"),
        ("ticket", " "),
        ("nane", "ledger-name"),
    ];
    let why = bank.try_bind("ledger", &set, Variant::Whole, Occasion::Real).expect_err("all of it is wrong");
    for (name, _) in &set[..7] {
        assert!(why.contains(&format!("{name} = ")), "{name}: {why}");
    }
    assert!(why.contains("has no parameter nane; did you mean name?"), "{why}");
}
