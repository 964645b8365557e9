//! Many apps moved together: in the order of their dependencies, so many at a time, as one list with one phrase.
//!
//! Pure. A wave is no run of its own: each app keeps its run, its plan and its record, and bears the wave's mark.
//! Must never: let one phrase stand for a loss that it does not name.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use super::{
    build::digest_of,
    guards,
    plan::{Plan, PlanHash},
    run::{Declaration, WaveMark},
    spec::Variant,
};
use crate::domain::{App, AppId, Hazard, RegionId, Timestamp, text::SafeText, time};

/// Runs of a wave that are under way at the same time unless somebody says otherwise: what two people can follow.
pub const PARALLEL_DEFAULT: u32 = 4;

/// Which apps, by which of their runbooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaveRequest {
    /// The role in the app's `runbooks` table: `failover`, `failback`, …
    pub role: String,
    /// Empty: every app that has a runbook of that role.
    pub apps: Vec<AppId>,
    pub parallel_max: u32,
    pub variant: Variant,
}

/// What is typed to start a wave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaveDeclaration {
    pub who: SafeText,
    pub incident: SafeText,
    /// Exactly [`Wave::phrase`].
    pub phrase: String,
    pub outage_at: Option<Timestamp>,
}

/// One list, as it is looked at and confirmed.
#[derive(Clone, Debug)]
pub struct Wave {
    /// SHA-256 over the hashes of the plans in order, hex.
    pub id: String,
    /// In the order in which they begin.
    pub items: Vec<Item>,
    /// Apps that were asked for and cannot go, each with why.
    pub left_out: Vec<(AppId, SafeText)>,
    /// Apps that nobody named and that are where it goes, each with how that is known. Who waits for one does not wait.
    pub there: Vec<(AppId, SafeText)>,
    pub parallel_max: u32,
    /// Every Region that a run of it goes to.
    pub bound: Vec<Bound>,
    /// The rung of the largest loss that is bounded; `None`: nothing is lost.
    pub accepts: Option<Duration>,
}

/// So many apps go to this Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    pub region: RegionId,
    pub name: SafeText,
    /// Of the calls made there.
    pub account: String,
    pub apps: usize,
}

/// Where plans go, each Region once, in the order in which it first comes.
#[must_use]
pub fn bound<'a>(plans: impl IntoIterator<Item = &'a Arc<Plan>>) -> Vec<Bound> {
    let mut found: Vec<Bound> = Vec::new();
    for plan in plans {
        match found.iter_mut().find(|bound| bound.region == plan.target_region) {
            Some(bound) => bound.apps += 1,
            None => found.push(Bound {
                region: plan.target_region.clone(),
                name: plan.target_name.clone(),
                account: plan.account.clone(),
                apps: 1,
            }),
        }
    }
    found
}

/// `9 apps to Mumbai and 1 app to Hyderabad`: no Region is acted in that a person has not typed.
fn counted(bound: &[Bound]) -> String {
    let one =
        |bound: &Bound| format!("{} {} to {}", bound.apps, if bound.apps == 1 { "app" } else { "apps" }, bound.name);
    bound.iter().map(one).collect::<Vec<_>>().join(" and ")
}

#[derive(Clone, Debug)]
pub struct Item {
    pub plan: Arc<Plan>,
    /// Apps of the wave that it waits for.
    pub after: Vec<AppId>,
    pub loss: Loss,
    /// From the declaration of the wave until customers are served again: its turn and its own estimate.
    pub back: Duration,
}

/// What one app of the wave could lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    Nothing,
    /// Rounded up to its rung.
    UpTo(Duration),
    /// Not in anybody's phrase: asked for when its turn comes.
    Unbounded,
}

impl Loss {
    fn of(plan: &Plan) -> Self {
        let mut worst = Self::Nothing;
        for step in plan.steps.iter().filter(|step| step.hazard == Hazard::DataLoss) {
            match step.loss.as_ref().and_then(|loss| loss.bound) {
                None => return Self::Unbounded,
                Some(bound) => {
                    let rung = guards::rounded_up(bound);
                    worst = match worst {
                        Self::UpTo(known) if known >= rung => worst,
                        _ => Self::UpTo(rung),
                    };
                }
            }
        }
        worst
    }
}

/// Why there is no wave.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoWave {
    #[error("these apps depend on each other in a circle: {}", .0.iter().map(AppId::as_str).collect::<Vec<_>>().join(", "))]
    Circle(Vec<AppId>),
    #[error("the wave has no app that can go")]
    Empty,
}

/// Dependencies first; of those that could go, the highest tier, and what such an app waits for with it; then the order
/// given.
///
/// # Errors
/// The apps of a circle.
pub fn order(apps: &[&App]) -> Result<Vec<(AppId, Vec<AppId>)>, NoWave> {
    let inside: BTreeSet<&AppId> = apps.iter().map(|app| &app.id).collect();
    let mut waits: BTreeMap<&AppId, usize> = BTreeMap::new();
    let mut followers: BTreeMap<&AppId, Vec<&App>> = BTreeMap::new();
    let within = |app: &&App| app.depends_on.iter().filter(|on| inside.contains(on)).cloned().collect::<Vec<AppId>>();
    for app in apps {
        waits.insert(&app.id, app.depends_on.iter().filter(|on| inside.contains(on)).count());
        for on in app.depends_on.iter().filter(|on| inside.contains(on)) {
            followers.entry(on).or_default().push(app);
        }
    }
    let urgency = urgency(apps);
    let rank = |at: usize| (urgency[&apps[at].id], at);
    let place: BTreeMap<&AppId, usize> = apps.iter().enumerate().map(|(at, app)| (&app.id, at)).collect();
    let mut ready: BTreeSet<(u8, usize)> = (0..apps.len()).filter(|at| waits[&apps[*at].id] == 0).map(rank).collect();
    let mut ordered = Vec::with_capacity(apps.len());
    while let Some((_, at)) = ready.pop_first() {
        let app = apps[at];
        ordered.push((app.id.clone(), within(&app)));
        for follower in followers.get(&app.id).into_iter().flatten() {
            if let Some(left) = waits.get_mut(&follower.id) {
                *left -= 1;
                if *left == 0 {
                    ready.insert(rank(place[&follower.id]));
                }
            }
        }
    }
    if ordered.len() == apps.len() {
        return Ok(ordered);
    }
    let done: BTreeSet<&AppId> = ordered.iter().map(|(app, _)| app).collect();
    Err(NoWave::Circle(inside.into_iter().filter(|app| !done.contains(app)).cloned().collect()))
}

/// The highest tier among an app and all that wait for it on the list: 1 before 2.
fn urgency<'a>(apps: &[&'a App]) -> BTreeMap<&'a AppId, u8> {
    let known: BTreeMap<&AppId, &&App> = apps.iter().map(|app| (&app.id, app)).collect();
    let mut urgency: BTreeMap<&AppId, u8> = apps.iter().map(|app| (&app.id, app.tier)).collect();
    let mut open: Vec<&AppId> = urgency.keys().copied().collect();
    while let Some(id) = open.pop() {
        let tier = urgency[id];
        for on in known.get(id).into_iter().flat_map(|app| &app.depends_on) {
            if let Some(of) = urgency.get_mut(on).filter(|of| **of > tier) {
                *of = tier; // it only ever falls: a circle ends too
                open.push(&known[on].id);
            }
        }
    }
    urgency
}

/// The list, from plans in the order of [`order`]. A plan that an interlock forbids is left out with those that wait
/// for it: a wave never begins what could not be begun alone.
///
/// # Errors
/// When nothing can go.
pub fn wave(
    planned: Vec<(Arc<Plan>, Vec<AppId>)>,
    mut left_out: Vec<(AppId, SafeText)>,
    parallel_max: u32,
) -> Result<Wave, NoWave> {
    let mut items: Vec<Item> = Vec::with_capacity(planned.len());
    let mut out: BTreeSet<AppId> = left_out.iter().map(|(app, _)| app.clone()).collect();
    for (plan, after) in planned {
        let waits_for = after.iter().find(|app| out.contains(*app));
        let why = match (plan.interlocks.first(), waits_for) {
            (Some(interlock), _) => Some(interlock.text.clone()),
            (None, Some(app)) => Some(SafeText::new(format!("waits for {app}, which cannot go"))),
            (None, None) => None,
        };
        if let Some(why) = why {
            out.insert(plan.app.clone());
            left_out.push((plan.app.clone(), why));
        } else {
            let loss = Loss::of(&plan);
            items.push(Item { plan, after, loss, back: Duration::ZERO });
        }
    }
    if items.is_empty() {
        return Err(NoWave::Empty);
    }
    schedule(&mut items, parallel_max.max(1) as usize);
    let bound = bound(items.iter().map(|item| &item.plan));
    let hashes: Vec<&PlanHash> = items.iter().map(|item| &item.plan.hash).collect();
    let id = digest_of(&hashes);
    let bounded = items.iter().filter_map(|item| match item.loss {
        Loss::UpTo(rung) => Some(rung),
        Loss::Nothing | Loss::Unbounded => None,
    });
    let accepts = bounded.max();
    Ok(Wave { id, items, left_out, there: Vec::new(), parallel_max: parallel_max.max(1), bound, accepts })
}

/// When each is back, if each takes as long as its plan expects: in the order of the list, so many at a time, nobody before
/// those that it waits for.
fn schedule(items: &mut [Item], parallel_max: usize) {
    let mut back: BTreeMap<AppId, Duration> = BTreeMap::new();
    let mut open: Vec<usize> = (0..items.len()).collect();
    let mut under_way: Vec<Duration> = Vec::new();
    let mut now = Duration::ZERO;
    while !open.is_empty() {
        open.retain(|n| {
            let item = &mut items[*n];
            let ready = item.after.iter().all(|app| back.get(app).is_some_and(|at| *at <= now));
            if under_way.len() >= parallel_max || !ready {
                return true;
            }
            item.back = now + item.plan.estimate.from_declaration();
            under_way.push(item.back);
            back.insert(item.plan.app.clone(), item.back);
            false
        });
        let Some(next) = under_way.iter().min().copied() else { return }; // nobody can go: a circle, refused before
        now = next;
        under_way.retain(|at| *at > now);
    }
}

/// What is typed to drive the unfinished runs of a wave on.
#[must_use]
pub fn resume_phrase(bound: &[Bound]) -> String {
    format!("resume {}", counted(bound))
}

impl Wave {
    /// What is typed to start it: how many to which Region, and what may be lost.
    #[must_use]
    pub fn phrase(&self) -> String {
        let head = counted(&self.bound);
        self.accepts.map_or_else(|| head.clone(), |rung| format!("{head}, up to {}", time::short(rung)))
    }

    /// From its declaration until the last of its apps is back.
    #[must_use]
    pub fn takes(&self) -> Duration {
        self.items.iter().map(|item| item.back).max().unwrap_or_default()
    }

    /// `Mumbai ap-south-1 and Hyderabad ap-south-2`
    #[must_use]
    pub fn regions(&self) -> String {
        self.bound.iter().map(|bound| format!("{} {}", bound.name, bound.region)).collect::<Vec<_>>().join(" and ")
    }

    /// Where an item of the list goes, where not all go to the same Region.
    #[must_use]
    pub fn apart<'a>(&self, item: &'a Item) -> Option<&'a str> {
        (self.bound.len() > 1).then(|| item.plan.target_name.as_str())
    }

    /// The declaration of each of its runs.
    #[must_use]
    pub fn declarations(&self, who: &SafeText, incident: &SafeText, outage_at: Option<Timestamp>) -> Vec<Declaration> {
        let of = |(n, item): (usize, &Item)| Declaration {
            who: who.clone(),
            incident: incident.clone(),
            app: item.plan.app.to_string(),
            region: item.plan.target_region.to_string(),
            outage_at,
            wave: Some(WaveMark {
                id: self.id.clone(),
                ordinal: n as u32 + 1,
                size: self.items.len() as u32,
                after: item.after.clone(),
                parallel_max: self.parallel_max,
                accepts: match item.loss {
                    Loss::UpTo(rung) => Some(rung),
                    Loss::Nothing | Loss::Unbounded => None,
                },
                phrase: SafeText::new(self.phrase()),
            }),
        };
        self.items.iter().enumerate().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Timestamp, compliance::fixtures},
        runbook::{guards::LossBound, plan::Interlock, tests::frozen},
    };

    fn app(id: &str, on: &[&str]) -> App {
        let mut app = fixtures::app(id);
        app.depends_on = on.iter().map(AppId::new).collect();
        app
    }

    fn plan(id: &str, loss_seconds: Option<u64>) -> Arc<Plan> {
        let hazard = if loss_seconds.is_some() { Hazard::DataLoss } else { Hazard::Disruptive };
        let mut plan = frozen(hazard).plan.clone();
        plan.app = AppId::new(id);
        plan.hash = PlanHash(format!("hash of {id}"));
        plan.steps[1].loss = loss_seconds.map(|secs| LossBound {
            bound: Some(Duration::from_secs(secs)),
            since: None,
            lines: Vec::new(),
        });
        Arc::new(plan)
    }

    fn names(ordered: &[(AppId, Vec<AppId>)]) -> Vec<&str> {
        ordered.iter().map(|(app, _)| app.as_str()).collect()
    }

    #[test]
    fn dependencies_go_first_and_a_dependency_outside_the_wave_holds_nobody_up() {
        let (core, cards, web) = (app("core", &["mainframe"]), app("cards", &["core"]), app("web", &["cards", "core"]));
        let ordered = order(&[&web, &cards, &core]).expect("no circle");
        assert_eq!(names(&ordered), ["core", "cards", "web"]);
        assert!(ordered[0].1.is_empty(), "the mainframe is not in this wave");
        assert_eq!(ordered[2].1, [AppId::new("cards"), AppId::new("core")]);
    }

    #[test]
    fn the_highest_tier_goes_first_and_what_it_waits_for_before_it() {
        let tiered = |id: &str, tier: u8, on: &[&str]| App { tier, ..app(id, on) };
        let (shop, lab) = (tiered("shop", 2, &[]), tiered("lab", 3, &[]));
        let (payments, keys) = (tiered("payments", 1, &["keys"]), tiered("keys", 3, &[]));
        let ordered = order(&[&shop, &lab, &payments, &keys]).expect("no circle");
        assert_eq!(names(&ordered), ["keys", "payments", "shop", "lab"]);
    }

    #[test]
    fn a_circle_is_named_and_whoever_only_waits_behind_it_goes_nowhere_either() {
        let (a, b, c) = (app("a", &["b"]), app("b", &["a"]), app("c", &[]));
        assert_eq!(order(&[&a, &b, &c]).unwrap_err(), NoWave::Circle(vec!["a".into(), "b".into()]));
    }

    #[test]
    fn the_phrase_names_how_many_where_to_and_the_largest_loss() {
        let items =
            vec![(plan("core", None), vec![]), (plan("cards", Some(40)), vec![]), (plan("web", Some(9)), vec![])];
        let wave = wave(items, Vec::new(), 2).expect("a wave");
        assert_eq!(wave.phrase(), "3 apps to Hyderabad, up to 1 m");
        assert_eq!(wave.accepts, Some(Duration::from_secs(60)));
        let said = wave.declarations(&"asha".into(), &"INC-1".into(), Some(Timestamp::from_secs(1)));
        let marks: Vec<&WaveMark> = said.iter().filter_map(|said| said.wave.as_ref()).collect();
        assert_eq!(marks.iter().map(|mark| mark.ordinal).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(marks.iter().all(|mark| mark.id == wave.id && mark.parallel_max == 2));
        assert!(marks.iter().all(|mark| mark.phrase.as_str() == wave.phrase()));
    }

    #[test]
    fn the_largest_loss_of_the_list_is_accepted_for_no_app_but_its_own() {
        let items =
            vec![(plan("core", None), vec![]), (plan("cards", Some(3_000)), vec![]), (plan("web", Some(9)), vec![])];
        let wave = wave(items, Vec::new(), 2).expect("a wave");
        assert_eq!(wave.phrase(), "3 apps to Hyderabad, up to 1 h");
        let said = wave.declarations(&"asha".into(), &"INC-1".into(), None);
        let accepted: Vec<Option<u64>> = said.iter().map(|said| Some(said.wave.as_ref()?.accepts?.as_secs())).collect();
        assert_eq!(accepted, [None, Some(3_600), Some(10)]);
    }

    #[test]
    fn an_app_is_back_after_its_turn_and_those_it_waits_for() {
        let items = || {
            let core = (plan("core", None), vec![]);
            let cards = (plan("cards", None), vec![AppId::new("core")]);
            vec![core, cards, (plan("web", None), vec![]), (plan("loans", None), vec![])]
        };
        let one = plan("core", None).estimate.from_declaration();
        assert!(!one.is_zero());
        let back = |parallel_max: u32| -> Vec<f64> {
            let wave = wave(items(), Vec::new(), parallel_max).expect("a wave");
            assert_eq!(wave.takes(), wave.items.iter().map(|item| item.back).max().expect("some"));
            wave.items.iter().map(|item| item.back.div_duration_f64(one)).collect()
        };
        assert_eq!(back(4), [1.0, 2.0, 1.0, 1.0], "cards waits for core");
        assert_eq!(back(1), [1.0, 2.0, 3.0, 4.0], "one at a time");
        assert_eq!(back(2), [1.0, 2.0, 1.0, 2.0]);
    }

    #[test]
    fn a_loss_that_nothing_bounds_is_in_no_phrase() {
        let mut unbounded = (*plan("core", Some(1))).clone();
        unbounded.steps[1].loss = None;
        let wave = wave(vec![(Arc::new(unbounded), vec![])], Vec::new(), 1).expect("a wave");
        assert_eq!((wave.items[0].loss, wave.accepts), (Loss::Unbounded, None));
    }

    #[test]
    fn what_cannot_be_begun_alone_is_left_out_with_those_that_wait_for_it() {
        let mut busy = (*plan("core", None)).clone();
        busy.interlocks.push(Interlock { code: "another-run".into(), text: "run 3 of core has not ended".into() });
        let items = vec![
            (Arc::new(busy), vec![]),
            (plan("cards", None), vec![AppId::new("core")]),
            (plan("web", None), vec![]),
        ];
        let wave = wave(items, Vec::new(), 4).expect("one can go");
        assert_eq!(wave.items.len(), 1);
        let out: Vec<&str> = wave.left_out.iter().map(|(app, _)| app.as_str()).collect();
        assert_eq!(out, ["core", "cards"]);
    }

    #[test]
    fn apps_that_go_to_two_regions_go_in_one_wave_whose_phrase_names_both_and_each_run_is_declared_for_its_own() {
        let mut back = (*plan("core", None)).clone();
        (back.target_region, back.target_name) = (RegionId::new("ap-south-1"), "Mumbai".into());
        let items = vec![(plan("web", Some(40)), vec![]), (Arc::new(back), vec![]), (plan("cards", None), vec![])];
        let wave = wave(items, Vec::new(), 2).expect("a wave");
        assert_eq!(wave.phrase(), "2 apps to Hyderabad and 1 app to Mumbai, up to 1 m");
        assert_eq!(resume_phrase(&wave.bound[1..]), "resume 1 app to Mumbai");
        assert_eq!(resume_phrase(&wave.bound), "resume 2 apps to Hyderabad and 1 app to Mumbai");
        let said = wave.declarations(&"asha".into(), &"INC-1".into(), None);
        let regions: Vec<&str> = said.iter().map(|said| said.region.as_str()).collect();
        assert_eq!(regions, ["ap-south-2", "ap-south-1", "ap-south-2"]);
        assert_eq!(wave.apart(&wave.items[1]), Some("Mumbai"));
    }

    #[test]
    fn another_list_is_another_wave() {
        let of =
            |ids: &[&str]| wave(ids.iter().map(|id| (plan(id, None), vec![])).collect(), vec![], 1).expect("one").id;
        assert_ne!(of(&["a", "b"]), of(&["a"]));
        assert_ne!(of(&["a", "b"]), of(&["b", "a"]));
        assert_eq!(of(&["a", "b"]), of(&["a", "b"]));
    }
}
