//! The RDS and Aurora kinds of step through the real SDK against the simulator: each is planned, prepared, sent once and
//! looked at until AWS says that it is so; each is also refused where AWS, or the step itself, must refuse.

#[path = "wire_rds/bench.rs"]
mod bench;
#[path = "wire_rds/clusters.rs"]
mod clusters;
#[path = "wire_rds/instances.rs"]
mod instances;
#[path = "wire_rds/snapshots.rs"]
mod snapshots;
mod wire_rig;

use pointsman::{estate, probes, steps};

use bench::{ESTATE, RUNBOOK};

#[test]
fn every_step_of_the_bench_is_of_a_kind_that_says_why_it_cannot_be_undone_or_how() {
    let loaded = estate::load_text(ESTATE, &[RUNBOOK], probes::CATALOGUE, steps::CATALOGUE);
    for step in &loaded.runbooks[0].steps {
        let undo = steps::find(step.kind).expect("registered").spec().undo;
        assert!(undo.starts_with("irreversible because ") || undo.contains("delete"), "{}: {undo}", step.kind);
    }
}
