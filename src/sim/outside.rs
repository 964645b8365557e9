//! What lies outside AWS, simulated: programs that runbooks run, and addresses that they probe. Nothing of the real
//! machine is run or asked.
//!
//! A program does nothing but take its time; what it makes true is the look that the run named (`done_when`). An
//! address of an app's side answers according to whether the side's Region is up and its databases can be written.
//! All of it is *assumed*: these are the bank's own things, not AWS's.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{draw, fault::ProgramEnd, rds::answer::Effect, surroundings::Surroundings, world::World};
use crate::domain::{App, Component, Estate, RegionId, Side, Timestamp};

/// Region column of what goes to no Region.
const HERE: &str = "local";
const TAKES: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(60));
const SUMMARY_MAX: usize = 400;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Asked {
    Run(Line),
    Look(Line),
    Get(Get),
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    pub program: String,
    #[serde(default)]
    pub args: Vec<String>,
    /// The look that the run makes true.
    #[serde(default)]
    pub done_when: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Get {
    pub url: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Said {
    Exit { status: i32, last_line: String },
    Cut { why: String },
    Answer { status: u16, body: String },
    NoAnswer { why: String },
}

impl Said {
    /// For the log of calls.
    #[must_use]
    pub fn word(&self) -> String {
        match self {
            Self::Exit { status, .. } => format!("exit {status}"),
            Self::Cut { .. } => "cut".to_owned(),
            Self::Answer { status, .. } => status.to_string(),
            Self::NoAnswer { .. } => "no answer".to_owned(),
        }
    }

    fn exit(status: i32, last_line: impl Into<String>) -> Self {
        Self::Exit { status, last_line: last_line.into() }
    }
}

impl Asked {
    /// Service and operation, as the log of calls has them.
    #[must_use]
    pub const fn name(&self) -> (&'static str, &'static str) {
        match self {
            Self::Run(_) => ("command", "Run"),
            Self::Look(_) => ("command", "Look"),
            Self::Get(_) => ("http", "Get"),
        }
    }

    #[must_use]
    pub fn summary(&self) -> String {
        let text = match self {
            Self::Run(line) | Self::Look(line) => line.argv().join(" "),
            Self::Get(get) => get.url.clone(),
        };
        text.chars().take(SUMMARY_MAX).collect()
    }

    #[must_use]
    pub fn region(&self, world: &World, now: Timestamp) -> RegionId {
        match self {
            Self::Run(_) | Self::Look(_) => HERE.into(),
            Self::Get(get) => place(world, &get.url, now)
                .map_or_else(|| HERE.into(), |(_, side)| world.estate.regions.get(side).id.clone()),
        }
    }
}

impl Line {
    fn argv(&self) -> Vec<String> {
        std::iter::once(&self.program).chain(&self.args).cloned().collect()
    }
}

/// The programs that were run.
#[derive(Clone, Debug)]
pub struct Programs {
    /// What names a side in an argument, lower case, longest first; each with its side.
    sides: Vec<(String, Side)>,
    /// Oldest first; only those that had an effect.
    runs: Vec<Run>,
}

#[derive(Clone, Debug)]
struct Run {
    argv: Vec<String>,
    look: Vec<String>,
    done: Timestamp,
}

impl Programs {
    #[must_use]
    pub fn new(estate: &Estate) -> Self {
        let mut sides: Vec<(String, Side)> = Side::BOTH
            .into_iter()
            .flat_map(|side| words(estate, side).into_iter().map(move |word| (word, side)))
            .collect();
        sides.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
        Self { sides, runs: Vec::new() }
    }

    pub fn run(&mut self, line: &Line, now: Timestamp, world: &World, seed: u64, seq: u64) -> (Said, Effect) {
        let argv = line.argv();
        let end = world.faults.program_end(&line.program, now);
        match end {
            Some(ProgramEnd::Fails) => return (Said::exit(1, "simulated: failed"), Effect::None),
            Some(ProgramEnd::CutBefore) => {
                return (Said::Cut { why: "simulated: killed".to_owned() }, Effect::None);
            }
            Some(ProgramEnd::CutAfter) | None => {}
        }
        for side in self.named(&argv) {
            let region = &world.estate.regions.get(side).id;
            if world.faults.region_down(region, now) {
                return (Said::exit(1, format!("simulated: {region} could not be reached")), Effect::None);
            }
        }
        let takes = draw::between(seed, &format!("program {seq}"), TAKES.0, TAKES.1);
        self.runs.push(Run { argv, look: line.done_when.clone(), done: now + takes });
        let said = match end {
            Some(_) => Said::Cut { why: "simulated: killed".to_owned() },
            None => Said::exit(0, format!("simulated: takes {} s", takes.as_secs())),
        };
        (said, Effect::Changed)
    }

    /// Exit 0 once the run that named this look has had its time, 1 before, without one, and after the same program
    /// was run the same way for the other side.
    #[must_use]
    pub fn look(&self, line: &Line, now: Timestamp) -> Said {
        let argv = line.argv();
        let Some(at) = self.runs.iter().rposition(|run| run.look == argv) else {
            return Said::exit(1, "simulated: nothing was run");
        };
        let run = &self.runs[at];
        let alike = self.without_side(&run.argv);
        let turned = |later: &Run| later.argv != run.argv && self.without_side(&later.argv) == alike;
        if self.runs[at + 1..].iter().any(turned) {
            return Said::exit(1, "simulated: run the other way since");
        }
        if now < run.done {
            return Said::exit(1, format!("simulated: {} s to go", run.done.since(now).as_secs() + 1));
        }
        Said::exit(0, "simulated: done")
    }

    fn named(&self, argv: &[String]) -> Vec<Side> {
        let lower: Vec<String> = argv.iter().map(|arg| arg.to_ascii_lowercase()).collect();
        let named = |word: &str| lower.iter().any(|arg| arg.contains(word));
        // Words of a person ("recovery") say which way, not which Region must answer.
        let regions = self.sides.iter().filter(|(word, _)| word.contains('-') && named(word));
        regions.map(|(_, side)| *side).collect()
    }

    fn without_side(&self, argv: &[String]) -> Vec<String> {
        let blank = |arg: &String| {
            self.sides.iter().fold(arg.to_ascii_lowercase(), |text, (word, _)| text.replace(word, "{side}"))
        };
        argv.iter().map(blank).collect()
    }
}

/// Everything that a side is called by.
fn words(estate: &Estate, side: Side) -> Vec<String> {
    let region = estate.regions.get(side);
    vec![region.id.to_string(), region.name.to_ascii_lowercase(), side.word().to_owned()]
}

/// The app and side that an address belongs to: a label of the host names the side (`recovery`, `hyderabad`,
/// `ap-south-2`), the rest is the app's DNS name or holds the app's id. Without a side DNS decides.
fn place<'w>(world: &'w World, url: &str, now: Timestamp) -> Option<(&'w App, Side)> {
    let uri: http::Uri = url.parse().ok()?;
    let host = uri.host()?.to_ascii_lowercase();
    let labels: Vec<&str> = host.trim_end_matches('.').split('.').collect();
    let estate = &world.estate;
    let side_of =
        |label: &str| Side::BOTH.into_iter().find(|side| words(estate, *side).iter().any(|word| word == label));
    let side = labels.iter().find_map(|label| side_of(label));
    let rest: Vec<&str> = labels.into_iter().filter(|label| side_of(label).is_none()).collect();
    let name = rest.join(".");
    let has_name = |app: &App| {
        let records = app.components.iter().filter(|component| component.kind == "route53-record");
        records.filter_map(|record| record.params.text("name")).any(|known| known.trim_end_matches('.') == name)
    };
    let app = estate
        .apps
        .iter()
        .find(|app| has_name(app))
        .or_else(|| estate.apps.iter().find(|app| rest.contains(&app.id.as_str())))?;
    let by_dns = || {
        let share = |side: Side| world.traffic_share(&app.id, &estate.regions.get(side).id, now);
        if share(Side::Recovery) > share(Side::Primary) { Side::Recovery } else { Side::Primary }
    };
    Some((app, side.unwrap_or_else(by_dns)))
}

/// What the address answers.
#[must_use]
pub fn get(world: &World, url: &str, now: Timestamp) -> Said {
    let Some((app, side)) = place(world, url, now) else {
        return Said::NoAnswer { why: format!("simulated: no app of the estate has the address {url}") };
    };
    let region = &world.estate.regions.get(side).id;
    if world.faults.region_down(region, now) {
        return Said::NoAnswer { why: format!("simulated: {region} does not answer") };
    }
    let mut database = "none";
    for state in app.components.iter().filter_map(|component| database_state(world, component, side, now)) {
        database = match (database, state) {
            ("absent", _) | (_, "absent") => "absent",
            ("read-only", _) | (_, "read-only") => "read-only",
            (_, state) => state,
        };
    }
    let status = if matches!(database, "none" | "writes") { 200 } else { 503 };
    let body =
        serde_json::json!({ "app": app.id.as_str(), "side": side.word(), "region": region, "database": database });
    Said::Answer { status, body: body.to_string() }
}

/// Whether the app's database on that side can be written; `None` for what is no database.
fn database_state(world: &World, component: &Component, side: Side, now: Timestamp) -> Option<&'static str> {
    let region = &world.estate.regions.get(side).id;
    let params = &component.params;
    // A database of that name, or one restored from it, that stands alone.
    let alone = |name: &str| {
        let mut named = world.rds.instances_in(region, now, &world.faults).filter(|known| known.id.starts_with(name));
        let stands = named.any(|known| {
            let status = world.rds.instance_status(known, now, &world.faults);
            known.stands_alone(now, &world.faults) && matches!(status, "available" | "backing-up")
        });
        if stands { "writes" } else { "absent" }
    };
    match component.kind {
        "aurora-global" => {
            let writer = world.writer(params.text("global_cluster")?, now);
            Some(if writer.as_ref() == Some(region) { "writes" } else { "read-only" })
        }
        "rds-instance" => {
            let home = params.side("side").unwrap_or(Side::Primary);
            // Fed from outside AWS: what stands on the other side is no instance.
            if side != home && home == Side::Recovery && params.text("replica").is_none() {
                return None;
            }
            let name = if side == home {
                params.text("instance")?
            } else {
                params.text("replica").or(params.text("instance"))?
            };
            let state = alone(name);
            Some(if state == "absent" && side != home && params.text("replica").is_some() {
                "read-only"
            } else {
                state
            })
        }
        "aws-backup" => {
            let parts: Vec<&str> = params.text("resource")?.splitn(7, ':').collect();
            match parts[..] {
                ["arn", _, "rds", _, _, "db", id] => Some(alone(id)),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::sim::{
        fault::{Down, Fault, FaultKind},
        fixture::{SEED, estate, hyderabad, minutes, mumbai, start},
    };

    fn world() -> World {
        World::new(Arc::new(estate()), SEED, start())
    }

    fn line(argv: &[&str], look: &[&str]) -> Line {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let argv = texts(argv);
        Line { program: argv[0].clone(), args: argv[1..].to_vec(), done_when: texts(look) }
    }

    fn status(said: &Said) -> Option<i32> {
        match said {
            Said::Exit { status, .. } => Some(*status),
            _ => None,
        }
    }

    #[test]
    fn a_run_takes_its_time_before_its_look_says_done_and_running_it_the_other_way_turns_it_round() {
        let world = world();
        let mut programs = Programs::new(&world.estate);
        let look = ["/opt/bank/web", "is-up", "hyderabad"];
        let there = line(&["/opt/bank/web", "up", "hyderabad"], &look);
        let asked = line(&look, &[]);
        assert_eq!(status(&programs.look(&asked, start())), Some(1), "nothing was run");
        let (said, effect) = programs.run(&there, start(), &world, SEED, 1);
        assert_eq!((status(&said), effect), (Some(0), Effect::Changed));
        assert_eq!(status(&programs.look(&asked, start())), Some(1), "it takes its time");
        assert_eq!(status(&programs.look(&asked, start() + minutes(2))), Some(0));
        let home = line(&["/opt/bank/web", "up", "mumbai"], &["/opt/bank/web", "is-up", "mumbai"]);
        programs.run(&home, start() + minutes(3), &world, SEED, 2);
        assert_eq!(status(&programs.look(&asked, start() + minutes(9))), Some(1), "it is in Mumbai now");
        let other = line(&["/opt/bank/mail", "up", "mumbai"], &["/opt/bank/mail", "ok"]);
        programs.run(&other, start() + minutes(4), &world, SEED, 3);
        let in_mumbai = line(&["/opt/bank/web", "is-up", "mumbai"], &[]);
        assert_eq!(
            status(&programs.look(&in_mumbai, start() + minutes(9))),
            Some(0),
            "another program is another matter"
        );
    }

    #[test]
    fn a_program_that_is_cut_may_have_done_its_work_and_one_for_a_dark_region_has_not() {
        let mut world = world();
        let mut programs = Programs::new(&world.estate);
        let up = line(&["/opt/tf", "apply", "region=ap-south-2"], &["/opt/tf", "plan"]);
        let mut with = |kind, until| {
            world
                .faults
                .inject(Fault { id: 0, kind, from: Some(start()), until: Some(until) }, start(), &[hyderabad()])
                .expect("a fault");
            programs.run(&up, start(), &world, SEED, 1)
        };
        let kind = FaultKind::RegionDown { region: hyderabad(), how: Down::Refuse };
        let (said, effect) = with(kind, start() + minutes(1));
        assert_eq!((status(&said), effect), (Some(1), Effect::None));
        world.faults.clear_all(start());
        let kind = FaultKind::ProgramEnds { program: "/opt/tf".into(), how: ProgramEnd::CutAfter };
        world.faults.inject(Fault { id: 0, kind, from: Some(start()), until: None }, start(), &[]).expect("a fault");
        let (said, effect) = programs.run(&up, start() + minutes(2), &world, SEED, 2);
        assert!(matches!(said, Said::Cut { .. }));
        assert_eq!(effect, Effect::Changed);
        assert_eq!(status(&programs.look(&line(&["/opt/tf", "plan"], &[]), start() + minutes(9))), Some(0));
    }

    fn answer(world: &World, url: &str) -> (u16, String) {
        match get(world, url, start()) {
            Said::Answer { status, body } => (status, body),
            other => (0, other.word()),
        }
    }

    #[test]
    fn an_address_of_a_side_answers_only_when_its_region_is_up_and_its_database_is_there_to_be_written() {
        let mut world = world();
        assert_eq!(answer(&world, "https://mumbai.payments.bank.example/health").0, 200);
        let (status, body) = answer(&world, "https://hyderabad.payments.bank.example/health");
        assert_eq!(status, 503);
        assert!(body.contains("\"database\":\"read-only\""), "{body}");
        let vendor = "http://ap-south-2.vendor-assistance.bank.example/";
        assert_eq!(answer(&world, vendor).0, 503, "nothing was restored yet");
        world.rds.restored("arn:aws:rds:ap-south-2:111122223333:db:vendor-db-restored", start(), None, 1 << 40);
        assert_eq!(answer(&world, vendor).0, 200);
        assert_eq!(answer(&world, "http://nobody.example/"), (0, "no answer".to_owned()));
        let kind = FaultKind::RegionDown { region: mumbai(), how: Down::Refuse };
        world
            .faults
            .inject(Fault { id: 0, kind, from: Some(start()), until: None }, start(), &[mumbai()])
            .expect("a fault");
        assert_eq!(answer(&world, "https://mumbai.payments.bank.example/health"), (0, "no answer".to_owned()));
    }
}
